// Package ovnbox runs the OVN of this machine for one switch, in a directory of its own and with a datapath in memory:
// databases, northd, controller and switch. Frames enter at a port as bytes, and the output is read from captures. It
// needs no root and no kernel module, and does not touch the machine's own OVN.
package ovnbox

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
)

// Ports of the switch. Frames from the port enter at dut and are looked for at sink; frames to the port enter at src
// and are looked for at dut. tick sends to sink unchecked, and shows that all frames before it are through.
const (
	dut  = "dut"
	sink = "sink"
	src  = "src"
	tick = "tick"
)

// The stations that the switch knows, far from all MACs of columns, like portsectest.Sender.
const (
	tickMAC = "0e:d7:59:a3:f6:02"
	sinkMAC = "0e:d7:59:a3:f6:03"
)

// Box is a running OVN. It is for one goroutine.
type Box struct {
	// Version is the version of ovn-controller, and Era its era.
	Version string
	Era     portsec.Era

	dir      string
	daemons  []*daemon
	nb       *rpc
	vswitchd *rpc
	captures map[string]*capture
	ports    int      // number of ports that must be up
	bound    []string // ports of a network, by their number in the switch, which begins with 1
	config   int64    // number of the last change, to recognise its arrival
	ticks    uint32
}

var versionPattern = regexp.MustCompile(`(?m)^ovn-controller (\S+)`)

// Start starts everything. The box must be closed, even after other calls fail.
func Start() (*Box, error) {
	// The path must fit the address of a socket, so it is kept short.
	dir, err := os.MkdirTemp("", "ovnbox")
	if err != nil {
		return nil, fmt.Errorf("directory of the daemons: %w", err)
	}
	b := &Box{dir: dir, captures: make(map[string]*capture)}
	for _, step := range []func() error{b.readVersion, b.startDatabases, b.startSwitch, b.addPorts, b.startController} {
		if err := step(); err != nil {
			return nil, errors.Join(err, errors.New(b.Output()), b.Close())
		}
	}
	return b, nil
}

// Close stops all daemons and removes their files.
func (b *Box) Close() error {
	for _, r := range []*rpc{b.nb, b.vswitchd} {
		if r != nil {
			_ = r.conn.Close() // nothing is lost with it
		}
	}
	for _, d := range slices.Backward(b.daemons) {
		d.stop()
	}
	return os.RemoveAll(b.dir)
}

// Output returns the end of the daemons' output, for messages about failures.
func (b *Box) Output() string {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(b.dir, "*.out")) // the pattern is valid
	for _, f := range files {
		said, err := os.ReadFile(f)
		const limit = 4000
		if err == nil && len(said) > 0 {
			fmt.Fprintf(&text, "%s:\n%s\n", filepath.Base(f), said[max(0, len(said)-limit):])
		}
	}
	return text.String()
}

func (b *Box) path(name string) string { return filepath.Join(b.dir, name) }

func (b *Box) unix(name string) string { return "unix:" + b.path(name) }

func (b *Box) start(name string, args ...string) error {
	d, err := startDaemon(b.dir, name, args...)
	if err == nil {
		b.daemons = append(b.daemons, d)
	}
	return err
}

func (b *Box) readVersion() error {
	text, err := b.run("ovn-controller", "--version")
	if err != nil {
		return err
	}
	match := versionPattern.FindStringSubmatch(text)
	if match == nil {
		return fmt.Errorf("ovn-controller --version does not tell its version: %q", text)
	}
	b.Version = match[1]
	era, exact, err := portsec.EraOf(b.Version)
	if err == nil && !exact {
		err = errors.New("the release is not known exactly")
	}
	b.Era = era
	return err
}

// quiet keeps messages that are no errors out of the daemons' output.
const quiet = "-vconsole:err"

func (b *Box) startDatabases() error {
	for name, schema := range map[string]string{
		"nb": "/usr/share/ovn/ovn-nb.ovsschema", "sb": "/usr/share/ovn/ovn-sb.ovsschema",
		"conf": "/usr/share/openvswitch/vswitch.ovsschema",
	} {
		file, socket := b.path(name+".db"), b.path(name+".sock")
		if _, err := b.run("ovsdb-tool", "create", file, schema); err != nil {
			return err
		}
		if err := b.start(
			"ovsdb-server",
			"--no-chdir",
			quiet,
			"--remote=punix:"+socket,
			"--unixctl="+b.path(name+".ctl"),
			file,
		); err != nil {
			return err
		}
		if err := b.waitSocket(socket); err != nil {
			return err
		}
	}
	var err error
	if b.nb, err = dial(b.path("nb.sock")); err != nil {
		return err
	}
	_, err = b.run("ovn-nbctl", "--db="+b.unix("nb.sock"), "init")
	return err
}

func (b *Box) startSwitch() error {
	_, err := b.run(
		"ovs-vsctl",
		"--db="+b.unix("conf.sock"),
		"--no-wait",
		"--",
		"init",
		"--",
		"set",
		"Open_vSwitch",
		".",
		"external-ids:system-id=ovnbox",
		"external-ids:ovn-remote="+b.unix("sb.sock"),
		"external-ids:ovn-encap-type=geneve",
		"external-ids:ovn-encap-ip=127.0.0.1",
		"external-ids:ovn-monitor-all=true",
		"--",
		"add-br",
		"br-int",
		"--",
		"set",
		"Bridge",
		"br-int",
		"fail-mode=secure",
		"other-config:disable-in-band=true",
	)
	if err != nil {
		return err
	}
	control := b.path("vswitchd.ctl")
	if err := b.start(
		"ovs-vswitchd",
		"--no-chdir",
		"--enable-dummy=override",
		"--disable-system",
		quiet,
		"--unixctl="+control,
		b.unix("conf.sock"),
	); err != nil {
		return err
	}
	if err := b.waitSocket(control); err != nil {
		return err
	}
	if b.vswitchd, err = dial(control); err != nil {
		return err
	}
	return b.start(
		"ovn-northd",
		"--no-chdir",
		quiet,
		"--ovnnb-db="+b.unix("nb.sock"),
		"--ovnsb-db="+b.unix("sb.sock"),
		"--unixctl="+b.path("northd.ctl"),
	)
}

func (b *Box) addPorts() error {
	addresses := map[string][]string{
		dut:  {"unknown"},
		sink: {sinkMAC, "unknown"},
		src:  {portsectest.Sender},
		tick: {tickMAC},
	}
	nbctl := []string{"--db=" + b.unix("nb.sock"), "--wait=sb", "--timeout=60", "ls-add", "sw"}
	b.ports = len(addresses)
	for _, name := range slices.Sorted(maps.Keys(addresses)) {
		b.captures[name] = &capture{path: b.path(name + "-tx.pcap"), at: captureHeader, seen: make(map[string]bool)}
		if err := b.bind(name, name, "options:tx_pcap="+b.captures[name].path); err != nil {
			return err
		}
		nbctl = append(
			append(append(nbctl, "--", "lsp-add", "sw", name), "--", "lsp-set-addresses", name),
			addresses[name]...)
	}
	_, err := b.run("ovn-nbctl", nbctl...)
	return err
}

// bind makes an interface of the switch for a port.
func (b *Box) bind(port, link string, columns ...string) error {
	_, err := b.run("ovs-vsctl", append([]string{
		"--db=" + b.unix("conf.sock"), "--", "add-port", "br-int", link, "--", "set", "Interface", link, "type=dummy",
		"external-ids:iface-id=" + port,
	}, columns...)...)
	return err
}

// startController starts ovn-controller last, when the databases are at rest: release 23.03.1 may crash when they
// change while it starts.
func (b *Box) startController() error {
	if err := b.start("ovn-controller", "--no-chdir", quiet, b.unix("conf.sock")); err != nil {
		return err
	}
	return b.waitFor("all ports to be up", func() (bool, error) {
		replies, err := b.nb.transact(
			"OVN_Northbound",
			operation{
				"op":      "select",
				"table":   "Logical_Switch_Port",
				"where":   []any{[]any{"up", "==", true}, []any{"type", "==", ""}},
				"columns": []string{"name"},
			},
		)
		if err != nil {
			return false, err
		}
		return len(replies[0].Rows) == b.ports, nil
	})
}
