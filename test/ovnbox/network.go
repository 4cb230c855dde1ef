package ovnbox

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// Packet is a frame that a port sends.
type Packet struct {
	From  string
	Frame []byte
}

// StartNetwork starts everything for ports of these names, on switches and routers that prepare makes in the Northbound
// database with that endpoint: the ports must be among them. Nothing is sent in such a box: it traces packets. The box
// must be closed, even after other calls fail.
func StartNetwork(ports []string, prepare func(northbound string) error) (*Box, error) {
	dir, err := os.MkdirTemp("", "ovnbox")
	if err != nil {
		return nil, fmt.Errorf("directory of the daemons: %w", err)
	}
	b := &Box{dir: dir, ports: len(ports)}
	bind := func() error {
		for i, name := range ports {
			if err := b.bind(name, "port"+strconv.Itoa(i+1), "ofport_request="+strconv.Itoa(i+1)); err != nil {
				return err
			}
		}
		return prepare(b.Northbound())
	}
	for _, step := range []func() error{b.readVersion, b.startDatabases, b.startSwitch, bind, b.startController} {
		if err := step(); err != nil {
			return nil, errors.Join(err, errors.New(b.Output()), b.Close())
		}
	}
	b.bound = ports
	return b, nil
}

// Northbound returns the endpoint of the Northbound database.
func (b *Box) Northbound() string { return b.unix("nb.sock") }

// Sync waits until the flows of all that was written are in place, and has the switch forget connections: a trace of a
// frame commits those of the frame, and release 3.1.0 of Open vSwitch ends by an assertion when some of them expire
// after half a minute.
func (b *Box) Sync() error {
	b.config++
	_, err := b.nb.transact("OVN_Northbound", operation{
		"op": "update", "table": "NB_Global", "where": []any{}, "row": map[string]any{"nb_cfg": b.configNumber()},
	})
	if err != nil {
		return err
	}
	if err := b.followed(); err != nil {
		return err
	}
	_, err = b.appctl("dpctl/flush-conntrack")
	return err
}

var outputs = regexp.MustCompile(`(?m)^\s*output:(\d+)$`)

// Outputs returns the ports of a network that a packet comes to if it is the first one of a connection, and the trace
// that shows it.
func (b *Box) Outputs(p Packet) (ports []string, trace string, err error) {
	for i, name := range b.bound {
		if name == p.From {
			trace, err = b.trace(strconv.Itoa(i+1), p.Frame)
		}
	}
	if err != nil || trace == "" {
		for _, d := range b.daemons {
			err = errors.Join(err, d.alive())
		}
		return nil, trace, errors.Join(err, fmt.Errorf("trace of port %s: %q", p.From, trace), errors.New(b.Output()))
	}
	for _, match := range outputs.FindAllStringSubmatch(trace, -1) {
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > len(b.bound) {
			return nil, trace, fmt.Errorf("output to an unknown port %q", match[1])
		}
		ports = append(ports, b.bound[n-1])
	}
	return ports, trace, nil
}
