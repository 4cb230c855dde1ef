package nodeinit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ovnguard/ovnguard/lab/internal/cgroup"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// sysctls holds the files that stand for sysctls of the whole machine.
	sysctls = "/run/sysctl"
)

// Own are directories that each node has for itself, empty at first: what kubelet, containerd and the containers keep
// there is gone with the node. They exist on every machine.
func Own() []string { return []string{"/run", "/var/log", "/var/lib"} }

// machineWide are the sysctls that kubelet sets for the whole machine, with the values that it wants. What it writes
// goes to files instead.
var machineWide = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// mounts gives the node file systems of its own. The calling thread must be in new mount, PID and cgroup namespaces.
func mounts(hierarchies []cgroup.Hierarchy) error {
	// Nothing that is mounted from now on may reach the machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := mount("proc", "/proc", "proc", ""); err != nil {
		return err
	}
	if err := mountGroups(hierarchies); err != nil {
		return err
	}
	for _, dir := range Own() {
		if err := mount("tmpfs", dir, "tmpfs", "mode=755"); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/run/netns", "/run/lock", "/run/containerd", sysctls} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("node's directories: %w", err)
		}
	}
	// The machine's own resolver is out of reach; kubelet wants a file.
	if err := os.WriteFile("/run/resolv.conf", nil, 0o644); err != nil {
		return fmt.Errorf("node's resolver: %w", err)
	}
	for name, value := range machineWide {
		if err := cover(name, value); err != nil {
			return err
		}
	}
	// Volumes that are mounted later must appear in containers that ask for it.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("make mounts shared: %w", err)
	}
	return nil
}

// mountGroups mounts the hierarchies again, so that each begins with the node's own group. The machine's mounts are
// taken away first: programs look for them.
func mountGroups(hierarchies []cgroup.Hierarchy) error {
	if err := unix.Unmount(cgroupRoot, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", cgroupRoot, err)
	}
	if err := mount("sysfs", "/sys", "sysfs", ""); err != nil {
		return err
	}
	if err := mount("tmpfs", cgroupRoot, "tmpfs", "mode=755"); err != nil {
		return err
	}
	for _, h := range hierarchies {
		dir := filepath.Join(cgroupRoot, filepath.Base(h.Dir))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return fmt.Errorf("node's control groups: %w", err)
		}
		if err := mount("cgroup", dir, "cgroup", h.Options); err != nil {
			return err
		}
	}
	return nil
}

// cover puts a file over a sysctl of the machine. A kernel without the sysctl needs none.
func cover(name, value string) error {
	path, file := filepath.Join("/proc/sys", name), filepath.Join(sysctls, filepath.Base(name))
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
		return fmt.Errorf("cover sysctl %s: %w", name, err)
	}
	if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("cover sysctl %s: %w", name, err)
	}
	return nil
}

func mount(source, target, kind, options string) error {
	if err := unix.Mount(source, target, kind, 0, options); err != nil {
		return fmt.Errorf("mount %s at %s: %w", kind, target, err)
	}
	return nil
}
