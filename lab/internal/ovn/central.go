// Package ovn starts the real OVN of a lab: the central databases and ovn-northd, and for each node an Open vSwitch
// with the userspace datapath and an ovn-controller, in a network namespace that stands for the node.
package ovn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// Schemas of Debian's packages ovn-common and openvswitch-switch.
const (
	nbSchema  = "/usr/share/ovn/ovn-nb.ovsschema"
	sbSchema  = "/usr/share/ovn/ovn-sb.ovsschema"
	ovsSchema = "/usr/share/openvswitch/vswitch.ovsschema"
)

// Central is the running central part.
type Central struct {
	// NB and SB are the endpoints of the databases, "unix:/PATH".
	NB string
	SB string
}

// StartCentral starts the Northbound and Southbound databases and ovn-northd, with all their files in dir. Existing
// databases are used.
func StartCentral(ctx context.Context, group *process.Group, dir string) (Central, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Central{}, fmt.Errorf("directory of OVN: %w", err)
	}
	c := Central{NB: "unix:" + filepath.Join(dir, "nb.sock"), SB: "unix:" + filepath.Join(dir, "sb.sock")}
	if err := startDatabase(ctx, group, database{name: "ovn-nb", file: "nb", dir: dir, schema: nbSchema}); err != nil {
		return c, err
	}
	if err := startDatabase(ctx, group, database{name: "ovn-sb", file: "sb", dir: dir, schema: sbSchema}); err != nil {
		return c, err
	}
	control := filepath.Join(dir, "northd.ctl")
	_, err := group.Start(ctx, process.Spec{
		Name: "ovn-northd", Path: "ovn-northd",
		Args:    []string{"--ovnnb-db=" + c.NB, "--ovnsb-db=" + c.SB, "--unixctl=" + control, "--no-chdir"},
		Env:     runDirs(dir),
		LogPath: filepath.Join(dir, "northd.log"),
		Ready:   func(ctx context.Context) error { return appctl(ctx, control, "status", "active") },
		Health:  "unix:" + control,
	})
	return c, err
}

// database is one ovsdb-server with one database.
type database struct {
	// name is the name of the process, file the base name of all its files in dir.
	name, file, dir, schema string
	netns                   string
}

func startDatabase(ctx context.Context, group *process.Group, d database) error {
	path := func(suffix string) string { return filepath.Join(d.dir, d.file+suffix) }
	if _, err := os.Stat(path(".db")); errors.Is(err, os.ErrNotExist) {
		if err := tool(ctx, "ovsdb-tool", "create", path(".db"), d.schema); err != nil {
			return err
		}
	}
	_, err := group.Start(ctx, process.Spec{
		Name: d.name, Path: "ovsdb-server", Netns: d.netns,
		Args:    []string{path(".db"), "--remote=punix:" + path(".sock"), "--unixctl=" + path(".ctl"), "--no-chdir"},
		Env:     runDirs(d.dir),
		LogPath: path(".log"),
		Ready:   func(ctx context.Context) error { return connects(ctx, path(".sock")) },
		Health:  "unix:" + path(".sock"),
	})
	return err
}

// runDirs returns variables that keep a daemon from writing outside dir.
func runDirs(dir string) []string {
	return []string{
		"OVS_RUNDIR=" + dir,
		"OVS_LOGDIR=" + dir,
		"OVS_DBDIR=" + dir,
		"OVN_RUNDIR=" + dir,
		"OVN_LOGDIR=" + dir,
		"OVN_DBDIR=" + dir,
	}
}

// connects reports whether somebody accepts connections on a unix socket.
func connects(ctx context.Context, path string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	return c.Close()
}

// appctl asks a daemon over its control socket and checks that the answer contains want.
func appctl(ctx context.Context, control, command, want string) error {
	out, err := exec.CommandContext(ctx, "ovs-appctl", "--target="+control, command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ovs-appctl %s: %w: %s", command, err, bytes.TrimSpace(out))
	}
	if !bytes.Contains(out, []byte(want)) {
		return fmt.Errorf("ovs-appctl %s: %s", command, bytes.TrimSpace(out))
	}
	return nil
}

// tool runs a program to its end.
func tool(ctx context.Context, name string, args ...string) error {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, bytes.TrimSpace(out))
	}
	return nil
}
