// Package cgroup gives the nodes with real kubelets control groups of their own, in every hierarchy of version 1 on the
// machine, and removes them again.
package cgroup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// needed are the controllers that a kubelet or its containers cannot do without.
var needed = []string{"cpu", "cpuacct", "cpuset", "devices", "freezer", "memory", "pids"}

// Hierarchy is a mounted hierarchy of version 1.
type Hierarchy struct {
	// Dir is where it is mounted.
	Dir string
	// Options mount it again: its controllers, or "none" and its name.
	Options string
}

// Hierarchies returns the mounted hierarchies of version 1.
func Hierarchies() (_ []Hierarchy, err error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return parse(file)
}

// parse reads lines of proc_pid_mountinfo(5). A hierarchy that is mounted twice counts once.
func parse(mounts io.Reader) ([]Hierarchy, error) {
	var list []Hierarchy
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		mount, super, _ := strings.Cut(lines.Text(), " - ")
		fields, device := strings.Fields(mount), strings.Fields(super)
		if len(fields) < 5 || len(device) < 3 || device[0] != "cgroup" {
			continue
		}
		h := Hierarchy{Dir: fields[4], Options: options(device[2])}
		same := func(other Hierarchy) bool { return other.Options == h.Options }
		if h.Options != "" && !slices.ContainsFunc(list, same) {
			list = append(list, h)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("control groups: %w", err)
	}
	return list, nil
}

// options returns what selects a hierarchy among the options of its mount.
func options(super string) string {
	var controllers []string
	for option := range strings.SplitSeq(super, ",") {
		switch {
		case strings.HasPrefix(option, "name="):
			return "none," + option
		case option != "rw" && option != "ro" && option != "xattr" && option != "clone_children" &&
			option != "noprefix" && !strings.HasPrefix(option, "release_agent="):
			controllers = append(controllers, option)
		}
	}
	return strings.Join(controllers, ",")
}

// Check returns an error if the machine lacks a controller of version 1.
func Check() error {
	list, err := Hierarchies()
	if err != nil {
		return err
	}
	return check(list)
}

func check(list []Hierarchy) error {
	var lacks []string
	for _, controller := range needed {
		has := func(h Hierarchy) bool { return slices.Contains(strings.Split(h.Options, ","), controller) }
		if !slices.ContainsFunc(list, has) {
			lacks = append(lacks, controller)
		}
	}
	if len(lacks) > 0 {
		return fmt.Errorf(
			"no control groups of version 1 for %s: nodes with a kubelet need them (version 2 alone does "+
				"not do): boot with systemd.unified_cgroup_hierarchy=0, or leave out --kubelet",
			strings.Join(lacks, ", "),
		)
	}
	return nil
}

// Make makes the groups of that name, below the root of every hierarchy.
func Make(name string) error {
	list, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, h := range list {
		dir := filepath.Join(h.Dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make control group: %w", err)
		}
		if !slices.Contains(strings.Split(h.Options, ","), "cpuset") {
			continue
		}
		// No process can enter a group that may use no processor.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(h.Dir, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), all, 0o644)
			}
			if err != nil {
				return fmt.Errorf("make control group: %w", err)
			}
		}
	}
	return nil
}

// Enter moves the calling process into the groups of that name.
func Enter(name string) error {
	list, err := Hierarchies()
	if err != nil {
		return err
	}
	for _, h := range list {
		// The kernel takes 0 for the process that writes.
		if err := os.WriteFile(filepath.Join(h.Dir, name, "cgroup.procs"), []byte("0"), 0o644); err != nil {
			return fmt.Errorf("enter control group: %w", err)
		}
	}
	return nil
}

// List returns the directories of the groups with names that begin with prefix.
func List(prefix string) ([]string, error) {
	list, err := Hierarchies()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range list {
		found, err := filepath.Glob(filepath.Join(h.Dir, prefix+"*"))
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, found...)
	}
	return dirs, nil
}

// removeTimeout is how long the kernel may take to end the last processes of a group.
const removeTimeout = 10 * time.Second

// Sweep removes the groups with names that begin with prefix, with those below them. Their processes must have been
// killed.
func Sweep(ctx context.Context, prefix string) error {
	dirs, err := List(prefix)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	for _, dir := range dirs {
		if err := remove(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a group after those below it. A group with a process that is about to end is busy.
func remove(ctx context.Context, dir string) error {
	var below []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			below = append(below, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("control groups: %w", err)
	}
	for _, path := range slices.Backward(below) {
		for {
			err := unix.Rmdir(path)
			if err == nil || errors.Is(err, unix.ENOENT) {
				break
			}
			if !errors.Is(err, unix.EBUSY) || ctx.Err() != nil {
				return fmt.Errorf("remove control group %s: %w", path, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}
