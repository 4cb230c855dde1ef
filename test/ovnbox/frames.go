package ovnbox

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/portsec"
)

// Shot is one frame and its direction.
type Shot struct {
	Direction portsec.Direction
	Frame     []byte
}

// Entry returns the name of the port that the frame enters.
func (s Shot) Entry() string {
	if s.Direction == portsec.ToPort {
		return src
	}
	return dut
}

// Configure sets the port's column, with elements that must differ, and whether the switch passes VLAN tags. It waits
// until every flow is in place.
func (b *Box) Configure(column []string, passthrough bool) error {
	options := [][]string{}
	if passthrough {
		options = append(options, []string{"vlan-passthru", "true"})
	}
	b.config++
	_, err := b.nb.transact(
		"OVN_Northbound",
		operation{
			"op":    "update",
			"table": "Logical_Switch_Port",
			"where": []any{[]any{"name", "==", dut}},
			"row":   map[string]any{"port_security": []any{"set", append([]string{}, column...)}},
		},
		operation{
			"op":    "update",
			"table": "Logical_Switch",
			"where": []any{[]any{"name", "==", "sw"}},
			"row":   map[string]any{"other_config": []any{"map", options}},
		},
		operation{
			"op":    "update",
			"table": "NB_Global",
			"where": []any{},
			"row":   map[string]any{"nb_cfg": b.configNumber()},
		},
	)
	if err != nil {
		return fmt.Errorf("port_security %q: %w", column, err)
	}
	if err := b.followed(); err != nil {
		return err
	}
	return b.forget()
}

// followed waits until every flow of the last change is in place.
func (b *Box) followed() error {
	return b.waitFor("ovn-controller to follow", func() (bool, error) {
		replies, err := b.nb.transact(
			"OVN_Northbound",
			operation{"op": "select", "table": "NB_Global", "where": []any{}, "columns": []string{"hv_cfg"}},
		)
		if err != nil {
			return false, err
		}
		number, ok := replies[0].Rows[0]["hv_cfg"].(float64)
		return ok && int64(number) == b.configNumber(), nil
	})
}

// forget makes the switch forget its cached decisions. A purge skips an entry that is just in use, so one may not be
// enough.
func (b *Box) forget() error {
	return b.waitFor("the switch to forget its decisions", func() (bool, error) {
		if _, err := b.appctl("revalidator/purge"); err != nil {
			return false, err
		}
		flows, err := b.appctl("dpctl/dump-flows")
		return strings.TrimSpace(flows) == "", err
	})
}

// configNumber returns a number that the tools that made the switch do not use.
func (b *Box) configNumber() int64 { return b.config + 1000 }

func (b *Box) appctl(command string, args ...string) (string, error) {
	params := make([]any, len(args))
	for i, a := range args {
		params[i] = a
	}
	var out string
	err := b.vswitchd.call(&out, command, params)
	return out, err
}

func (b *Box) send(port string, frame []byte) error {
	_, err := b.appctl("netdev-dummy/receive", port, hex.EncodeToString(frame))
	return err
}

// Trace returns the switch's processing of the frame, step by step.
func (b *Box) Trace(s Shot) (string, error) {
	return b.trace(s.Entry(), s.Frame)
}

func (b *Box) trace(entry string, frame []byte) (string, error) {
	return b.appctl("ofproto/trace", "br-int", "in_port="+entry, hex.EncodeToString(frame))
}

// TraceByCommand returns the same from the command ovs-appctl.
func (b *Box) TraceByCommand(s Shot) (string, error) {
	return b.run(
		"ovs-appctl",
		"-t",
		b.path("vswitchd.ctl"),
		"ofproto/trace",
		"br-int",
		"in_port="+s.Entry(),
		hex.EncodeToString(s.Frame),
	)
}

// queue is the number of frames that may wait at a port; the switch drops what exceeds 100.
const queue = 64

// Arrived sends frames and reports which of them came through. Each must differ from all frames that were ever sent.
func (b *Box) Arrived(shots []Shot) ([]bool, error) {
	for part := range slices.Chunk(shots, queue) {
		if err := b.pass(part); err != nil {
			return nil, err
		}
	}
	out := make([]bool, len(shots))
	for i, s := range shots {
		out[i] = b.Came(s)
	}
	return out, nil
}

// Settle waits until all frames that were sent are through.
func (b *Box) Settle() error { return b.pass(nil) }

// pass sends frames and waits until the switch has taken all of them.
func (b *Box) pass(shots []Shot) error {
	for _, s := range shots {
		if err := b.send(s.Entry(), s.Frame); err != nil {
			return err
		}
	}
	// The switch takes one frame from each port in turn, so that after as many ticks all others are through.
	var last []byte
	for range len(shots) + 8 {
		var err error
		if last, err = b.tickFrame(); err != nil {
			return err
		}
		if err := b.send(tick, last); err != nil {
			return err
		}
	}
	return b.waitFor("the last frame to arrive", func() (bool, error) {
		for _, name := range []string{sink, dut} {
			if err := b.captures[name].read(); err != nil {
				return false, err
			}
		}
		return b.captures[sink].has(last), nil
	})
}

func (b *Box) tickFrame() ([]byte, error) {
	b.ticks++
	return hex.DecodeString(
		strings.ReplaceAll(sinkMAC+tickMAC, ":", "") + "88b5" + fmt.Sprintf("%08x", b.ticks) + strings.Repeat("00", 42),
	)
}

// Came reports whether a frame has come through by now.
func (b *Box) Came(s Shot) bool {
	if s.Direction == portsec.ToPort {
		return b.captures[dut].has(s.Frame)
	}
	return b.captures[sink].has(s.Frame)
}

// capture is the file in which its switch records the output of a port.
type capture struct {
	path string
	at   int64
	seen map[string]bool
}

const (
	captureHeader = 24
	recordHeader  = 16
)

// read reads what was written since the last call.
func (c *capture) read() error {
	f, err := os.Open(c.path)
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	if info.Size() <= c.at {
		return nil
	}
	data := make([]byte, info.Size()-c.at)
	if _, err := f.ReadAt(data, c.at); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	for len(data) >= recordHeader {
		end := recordHeader + int(binary.NativeEndian.Uint32(data[8:]))
		if len(data) < end {
			return nil // the rest is not written yet
		}
		c.seen[string(data[recordHeader:end])] = true
		data, c.at = data[end:], c.at+int64(end)
	}
	return nil
}

func (c *capture) has(frame []byte) bool { return c.seen[string(frame)] }
