// Package netns makes and removes the network namespaces of a lab and the links in them. It runs iproute2, which a lab
// needs anyway, so that its logs show commands that a user can repeat by hand.
package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is where iproute2 keeps named network namespaces.
const Dir = "/var/run/netns"

// Prefix returns the beginning of the names of everything that the lab of this id makes.
func Prefix(id string) string { return "ovnlab-" + id + "-" }

// Path returns the file for entering a namespace.
func Path(name string) string { return filepath.Join(Dir, name) }

// Exists reports whether there is a namespace of that name.
func Exists(name string) bool {
	_, err := os.Stat(Path(name))
	return err == nil
}

// Ensure makes a namespace and sets its loopback up. An existing namespace is no error.
func Ensure(ctx context.Context, name string) error {
	if !Exists(name) {
		if err := run(ctx, "", "netns", "add", name); err != nil {
			return err
		}
	}
	return Batch(ctx, name, "link set lo up")
}

// Attach gives an existing namespace a name. file is a file of nsfs, such as /proc/PID/ns/net, maybe in another mount
// namespace.
func Attach(name string, file *os.File) error {
	point, err := os.OpenFile(Path(name), os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err == nil {
		err = point.Close()
	}
	if err != nil {
		return fmt.Errorf("name network namespace %s: %w", name, err)
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", file.Fd()), Path(name), "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("name network namespace %s: %w", name, errors.Join(err, os.Remove(Path(name))))
	}
	return nil
}

// Remove deletes a namespace and every link in it. A missing namespace is no error.
func Remove(ctx context.Context, name string) error {
	if !Exists(name) {
		return nil
	}
	return run(ctx, "", "netns", "del", name)
}

// RemoveLink deletes a link in a namespace, with its other end. A missing link is no error.
func RemoveLink(ctx context.Context, name, link string) error {
	err := run(ctx, "", "-netns", name, "link", "del", "dev", link)
	if err != nil && strings.Contains(err.Error(), "Cannot find device") {
		return nil
	}
	return err
}

// List returns the namespaces with names that begin with prefix.
func List(prefix string) ([]string, error) {
	entries, err := os.ReadDir(Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list network namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Batch runs ip(8) commands, one a line, inside a namespace. It stops at the first that fails.
func Batch(ctx context.Context, name string, commands ...string) error {
	return run(ctx, strings.Join(commands, "\n")+"\n", "-netns", name, "-batch", "-")
}

func run(ctx context.Context, input string, args ...string) error {
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Stdin = strings.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ip %s: %w: %s%s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()), said(input))
	}
	return nil
}

func said(input string) string {
	if input == "" {
		return ""
	}
	return "; commands: " + strings.ReplaceAll(strings.TrimSpace(input), "\n", "; ")
}

// Sweep removes every namespace of the lab of this id, with the links in them, and calls say for each.
func Sweep(ctx context.Context, id string, say func(format string, args ...any)) error {
	names, err := List(Prefix(id))
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range names {
		say("swept leftover network namespace %s", name)
		errs = append(errs, Remove(ctx, name))
	}
	return errors.Join(errs...)
}
