package up

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// debianPackage is a package of Debian with programs that the lab needs.
type debianPackage struct {
	debian string
	names  []string
}

// programs are the programs that every lab needs on the machine, by their package.
var programs = []debianPackage{
	{"openvswitch-switch", []string{"ovs-vswitchd", "ovs-vsctl"}},
	{"openvswitch-common", []string{"ovsdb-server", "ovsdb-tool", "ovs-appctl"}},
	{"ovn-central", []string{"ovn-northd"}},
	{"ovn-host", []string{"ovn-controller"}},
	{"iproute2", []string{"ip"}},
}

// kubeletPrograms are what nodes with a kubelet need besides.
var kubeletPrograms = []debianPackage{
	{"containerd", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
	{"runc", []string{"runc"}},
	{"nftables", []string{"nft"}},
}

// tunDevice makes TAP links.
const tunDevice = "/dev/net/tun"

// checkMachine returns one error with everything that this machine lacks for a lab, one with kubelets or without.
func checkMachine(kubelets bool) error {
	var lacks []error
	if os.Geteuid() != 0 {
		lacks = append(lacks, errors.New("not root: nodes and pods are network namespaces, so run it as root (sudo)"))
	}
	// Open vSwitch's userspace datapath uses it to make the own ports of its bridges.
	if tun, err := os.OpenFile(tunDevice, os.O_RDWR, 0); err != nil {
		lacks = append(
			lacks,
			fmt.Errorf("no TUN/TAP: %w: load the kernel module tun, or pass the device into the container", err),
		)
	} else if err := tun.Close(); err != nil {
		lacks = append(lacks, fmt.Errorf("no TUN/TAP: %w", err))
	}
	needed, how := programs, "make deps"
	if kubelets {
		needed, how = slices.Concat(programs, kubeletPrograms), "scripts/deps.sh kubelet"
		if err := cgroup.Check(); err != nil {
			lacks = append(lacks, err)
		}
	}
	var names, packages []string
	for _, p := range needed {
		missing := false
		for _, name := range p.names {
			if _, err := exec.LookPath(name); err != nil {
				names, missing = append(names, name), true
			}
		}
		if missing {
			packages = append(packages, p.debian)
		}
	}
	if len(names) > 0 {
		lacks = append(lacks, fmt.Errorf("missing programs: %s: run `%s`, or install the Debian packages %s",
			strings.Join(names, ", "), how, strings.Join(packages, ", ")))
	}
	if len(lacks) > 0 {
		return fmt.Errorf("this machine cannot run a lab:\n%w", errors.Join(lacks...))
	}
	return nil
}

// findBinary returns the path of the lab's own binary: the one in the options or in OVNGUARD_LAB, this program if it is
// the lab, or else the one that was built.
func findBinary(option string) (string, error) {
	if option != "" {
		return filepath.Abs(option)
	}
	if self, err := os.Executable(); err == nil && filepath.Base(self) == "ovnguard-lab" &&
		os.Getenv(controlplane.BinaryVariable) == "" {
		return self, nil
	}
	return controlplane.FindBinary()
}
