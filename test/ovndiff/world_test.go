//go:build integration

package ovndiff

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/portsec/portsectest"
)

// Ports of the one switch. Frames from the port go in at dut and are looked for at sink; frames to the port go in at src
// and are looked for at dut. tick goes to sink unchecked, and tells that all frames before it are through.
const (
	dut  = "dut"
	sink = "sink"
	src  = "src"
	tick = "tick"
)

const (
	tickMAC = "00:00:00:00:0f:02"
	sinkMAC = "00:00:00:00:0f:03"
)

// world is a complete OVN on one machine, with a datapath of its own in the memory of its switch.
type world struct {
	dir      string
	version  string
	era      portsec.Era
	nb       *rpc
	vswitchd *rpc
	captures map[string]*capture
	config   int64 // number of the last change, by which one knows that it has arrived
	ticks    uint32
	daemons  []*daemon
	dropped  []dropped
}

var versionPattern = regexp.MustCompile(`(?m)^ovn-controller (\S+)`)

// newWorld starts everything; it ends with the test.
func newWorld(t *testing.T) *world {
	t.Helper()
	// The path must fit a socket's address, which t.TempDir's may not.
	dir, err := os.MkdirTemp("", "ovndiff")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			showOutput(t, dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	w := &world{dir: dir, captures: make(map[string]*capture)}
	match := versionPattern.FindStringSubmatch(run(t, dir, "ovn-controller", "--version"))
	if match == nil {
		t.Fatal("ovn-controller --version does not tell its version")
	}
	w.version = match[1]
	era, exact, err := portsec.EraOf(w.version)
	if err != nil || !exact {
		t.Fatalf("the era of OVN %s is not known exactly: %v", w.version, err)
	}
	w.era = era
	w.startDatabases(t)
	w.startDaemons(t)
	w.addPorts(t)
	return w
}

// showOutput shows what the daemons said, which is gone after the test.
func showOutput(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.out"))
	if err != nil {
		t.Error(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Error(err)
			continue
		}
		const limit = 4000
		t.Logf("%s:\n%s", filepath.Base(f), text[max(0, len(text)-limit):])
	}
}

func (w *world) start(t *testing.T, name string, args ...string) *daemon {
	t.Helper()
	d := start(t, w.dir, name, args...)
	w.daemons = append(w.daemons, d)
	return d
}

// waitFor waits as waitFor does, and fails at once where a daemon has ended.
func (w *world) waitFor(t *testing.T, what string, ready func() (bool, error)) {
	t.Helper()
	waitFor(t, what, func() (bool, error) {
		for _, d := range w.daemons {
			if err := d.alive(); err != nil {
				return false, err
			}
		}
		return ready()
	})
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) startDatabases(t *testing.T) {
	t.Helper()
	for name, schema := range map[string]string{
		"nb": "/usr/share/ovn/ovn-nb.ovsschema", "sb": "/usr/share/ovn/ovn-sb.ovsschema", "conf": "/usr/share/openvswitch/vswitch.ovsschema",
	} {
		run(t, w.dir, "ovsdb-tool", "create", w.path(name+".db"), schema)
		socket := w.path(name + ".sock")
		d := w.start(t, "ovsdb-server", "--no-chdir", "-vconsole:err", "--remote=punix:"+socket, "--unixctl="+w.path(name+".ctl"), w.path(name+".db"))
		d.waitSocket(t, socket)
	}
	w.nb = dial(t, w.path("nb.sock"))
	run(t, w.dir, "ovn-nbctl", "--db=unix:"+w.path("nb.sock"), "init")
}

func (w *world) startDaemons(t *testing.T) {
	t.Helper()
	conf, nb, sb := "unix:"+w.path("conf.sock"), "unix:"+w.path("nb.sock"), "unix:"+w.path("sb.sock")
	run(t, w.dir, "ovs-vsctl", "--db="+conf, "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".",
		"external-ids:system-id=ovndiff", "external-ids:ovn-remote="+sb, "external-ids:ovn-encap-type=geneve", "external-ids:ovn-encap-ip=127.0.0.1",
		"external-ids:ovn-monitor-all=true", "--", "add-br", "br-int", "--", "set", "Bridge", "br-int", "fail-mode=secure", "other-config:disable-in-band=true")
	d := w.start(t, "ovs-vswitchd", "--no-chdir", "--enable-dummy=override", "--disable-system", "-vconsole:err", "--unixctl="+w.path("vswitchd.ctl"), conf)
	d.waitSocket(t, w.path("vswitchd.ctl"))
	w.vswitchd = dial(t, w.path("vswitchd.ctl"))
	w.start(t, "ovn-northd", "--no-chdir", "-vconsole:err", "--ovnnb-db="+nb, "--ovnsb-db="+sb, "--unixctl="+w.path("northd.ctl"))
}

func (w *world) addPorts(t *testing.T) {
	t.Helper()
	nbctl := []string{"--db=unix:" + w.path("nb.sock"), "--timeout=60", "ls-add", "sw"}
	for name, addresses := range map[string][]string{
		dut: {"unknown"}, sink: {sinkMAC, "unknown"}, src: {portsectest.Sender}, tick: {tickMAC},
	} {
		capturePath := w.path(name + "-tx.pcap")
		run(t, w.dir, "ovs-vsctl", "--db=unix:"+w.path("conf.sock"), "--", "add-port", "br-int", name, "--", "set", "Interface", name,
			"type=dummy", "external-ids:iface-id="+name, "options:tx_pcap="+capturePath)
		w.captures[name] = &capture{path: capturePath}
		nbctl = append(append(append(nbctl, "--", "lsp-add", "sw", name), "--", "lsp-set-addresses", name), addresses...)
	}
	run(t, w.dir, "ovn-nbctl", append([]string{"--wait=sb"}, nbctl...)...)
	// Last, when the databases are at rest: ovn-controller 23.03.1 may crash when they change as it starts.
	w.start(t, "ovn-controller", "--no-chdir", "-vconsole:err", "unix:"+w.path("conf.sock"))
	w.waitFor(t, "all ports to be up", func() (bool, error) {
		replies, err := w.nb.transact("OVN_Northbound", operation{"op": "select", "table": "Logical_Switch_Port", "where": []any{[]any{"up", "==", true}}, "columns": []string{"name"}})
		if err != nil {
			return false, err
		}
		return len(replies[0].Rows) == len(w.captures), nil
	})
}

// configure sets the port's column and whether the switch passes VLAN tags, and waits until every flow is in place.
func (w *world) configure(t *testing.T, column []string, passthrough bool) {
	t.Helper()
	config := [][]string{}
	if passthrough {
		config = append(config, []string{"vlan-passthru", "true"})
	}
	w.config++
	_, err := w.nb.transact("OVN_Northbound",
		operation{"op": "update", "table": "Logical_Switch_Port", "where": []any{[]any{"name", "==", dut}}, "row": map[string]any{"port_security": set(column)}},
		operation{"op": "update", "table": "Logical_Switch", "where": []any{[]any{"name", "==", "sw"}}, "row": map[string]any{"other_config": []any{"map", config}}},
		operation{"op": "update", "table": "NB_Global", "where": []any{}, "row": map[string]any{"nb_cfg": w.config + 1000}})
	if err != nil {
		t.Fatalf("setting port_security to %q: %v", column, err)
	}
	w.waitFor(t, "ovn-controller to follow", func() (bool, error) {
		replies, err := w.nb.transact("OVN_Northbound", operation{"op": "select", "table": "NB_Global", "where": []any{}, "columns": []string{"hv_cfg"}})
		if err != nil {
			return false, err
		}
		number, ok := replies[0].Rows[0]["hv_cfg"].(float64)
		return ok && int64(number) == w.config+1000, nil
	})
	w.appctl(t, "revalidator/purge")
}

func (w *world) appctl(t *testing.T, command string, args ...string) string {
	t.Helper()
	params := make([]any, len(args))
	for i, a := range args {
		params[i] = a
	}
	var out string
	if err := w.vswitchd.call(&out, command, params...); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) send(t *testing.T, port string, frame []byte) {
	t.Helper()
	w.appctl(t, "netdev-dummy/receive", port, hex.EncodeToString(frame))
}

// shot is one frame and which way it goes.
type shot struct {
	direction portsec.Direction
	frame     []byte
}

// queue is how many frames may wait at a port; the switch throws away what exceeds 100.
const queue = 64

// arrived sends frames and tells which of them came through. Each must be unlike all that were ever sent.
func (w *world) arrived(t *testing.T, shots []shot) []bool {
	t.Helper()
	for part := range slices.Chunk(shots, queue) {
		w.pass(t, part)
	}
	out := make([]bool, len(shots))
	for i, s := range shots {
		out[i] = w.came(s)
	}
	return out
}

// pass sends frames and waits until the switch has taken all of them.
func (w *world) pass(t *testing.T, shots []shot) {
	t.Helper()
	for _, s := range shots {
		port := dut
		if s.direction == portsec.ToPort {
			port = src
		}
		w.send(t, port, s.frame)
	}
	// The switch takes one frame from each port in turn, so that after as many ticks all others are through.
	var last []byte
	for range len(shots) + 8 {
		w.ticks++
		last = w.tickFrame(t)
		w.send(t, tick, last)
	}
	w.waitFor(t, "the last frame to arrive", func() (bool, error) {
		for _, c := range []*capture{w.captures[sink], w.captures[dut]} {
			if err := c.read(); err != nil {
				return false, err
			}
		}
		return w.captures[sink].has(last), nil
	})
}

// came tells that a frame has come through by now.
func (w *world) came(s shot) bool {
	if s.direction == portsec.ToPort {
		return w.captures[dut].has(s.frame)
	}
	return w.captures[sink].has(s.frame)
}

func (w *world) tickFrame(t *testing.T) []byte {
	t.Helper()
	text := strings.ReplaceAll(sinkMAC+tickMAC, ":", "") + "88b5" + fmt.Sprintf("%08x", w.ticks) + strings.Repeat("00", 42)
	frame, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// capture is what a port has sent out, as its switch writes it down.
type capture struct {
	path string
	at   int64
	seen map[string]bool
}

const (
	pcapHeader   = 24
	recordHeader = 16
)

// read reads what was written since the last time.
func (c *capture) read() error {
	data, err := os.ReadFile(c.path)
	if err != nil {
		return fmt.Errorf("reading a capture: %w", err)
	}
	if c.seen == nil {
		c.seen, c.at = make(map[string]bool), pcapHeader
	}
	for int64(len(data)) >= c.at+recordHeader {
		size := int64(binary.NativeEndian.Uint32(data[c.at+8:]))
		end := c.at + recordHeader + size
		if int64(len(data)) < end {
			break
		}
		c.seen[string(bytes.Clone(data[c.at+recordHeader:end]))] = true
		c.at = end
	}
	return nil
}

func (c *capture) has(frame []byte) bool { return c.seen[string(frame)] }
