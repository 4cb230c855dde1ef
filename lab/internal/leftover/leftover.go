// Package leftover lists the parts of labs on the machine, so that tests can show that nothing is left after a lab has
// ended.
package leftover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Of returns the parts of the lab of a state directory, one line of text each: processes, network namespaces, links
// (bridges among them) in the machine's own namespace, and control groups.
func Of(stateDir string) ([]string, error) {
	dir, err := state.FindDir(stateDir)
	if err != nil {
		return nil, err
	}
	found, err := Processes(dir.Marker())
	if err != nil {
		return nil, err
	}
	namespaces, err := os.ReadDir("/var/run/netns")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	for _, namespace := range namespaces {
		if strings.Contains(namespace.Name(), dir.ID()) {
			found = append(found, "network namespace "+namespace.Name())
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	for _, link := range links {
		if strings.Contains(link.Attrs().Name, dir.ID()) {
			found = append(found, link.Type()+" "+link.Attrs().Name)
		}
	}
	groups, err := cgroup.List(netns.Prefix(dir.ID()))
	if err != nil {
		return nil, err
	}
	for _, group := range groups {
		found = append(found, "control group "+group)
	}
	return found, nil
}

// Processes returns the living processes that have marker, "KEY=value", in their environment.
func Processes(marker string) ([]string, error) {
	pids, err := PIDs(marker)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, pid := range pids {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		found = append(found, fmt.Sprintf("process %d %s", pid, strings.ReplaceAll(string(cmdline), "\x00", " ")))
	}
	return found, nil
}

// PIDs returns the living processes that have marker, "KEY=value", in their environment.
func PIDs(marker string) ([]int, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, path := range paths {
		environ, err := os.ReadFile(path)
		// It has ended meanwhile, or even root may not read it, which is never so for a process of a lab.
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !strings.Contains("\x00"+string(environ), "\x00"+marker+"\x00") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	return found, nil
}
