package dbfile

import (
	"fmt"
	"strings"
)

// What `ovn-nbctl show` prints of switches, routers and their ports.
const (
	shownSwitch     = "Logical_Switch"
	shownPort       = "Logical_Switch_Port"
	shownRouterPort = "Logical_Router_Port"
	shownName       = "name"
	shownPorts      = "ports"
	shownType       = "type"
	shownAddresses  = "addresses"
	shownMAC        = "mac"
)

// isShow reports whether a line begins a switch or a router in what `ovn-nbctl show` prints.
func isShow(line string) bool {
	kind, rest, _ := strings.Cut(line, " ")
	uuid, _, _ := strings.Cut(rest, " ")
	_, ok := parseUUID(uuid)
	return ok && (kind == "switch" || kind == "router")
}

// shown is a port of `ovn-nbctl show`. It has no UUID there, and its name stands for it.
type shown struct {
	name, kind, addresses, mac string
	line                       int
}

// show reads a switch or a router with its ports.
func (t *text) show(line string) {
	t.begun = true
	if t.db.Format == "" {
		t.db.Format = Show
	}
	t.db.Records++
	kind, rest, _ := strings.Cut(line, " ")
	uuid, rest, _ := strings.Cut(rest, " ")
	name := strings.TrimPrefix(rest, "(")
	name, _, _ = strings.Cut(name, ")")
	var ports []shown
	for t.at < len(t.text) {
		line := strings.TrimSpace(t.peekLine())
		if line == "" || isShow(line) || isChatter(line) || line[0] == '{' {
			break
		}
		t.line()
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case word == "port":
			of, _, _ := strings.Cut(rest, " (aka ")
			ports = append(ports, shown{name: of, line: t.number})
		case len(ports) == 0:
		case word == "type:":
			ports[len(ports)-1].kind = rest
		case word == "addresses:":
			ports[len(ports)-1].addresses = rest
		case word == "mac:":
			ports[len(ports)-1].mac = rest
		case word == "nat":
			ports = append(ports, shown{}) // its type is no port's
		}
	}
	if kind == "router" {
		t.showRouterPorts(ports)
		return
	}
	id, _ := parseUUID(uuid)
	t.showSwitch(id, name, ports)
}

func (t *text) showSwitch(uuid, name string, ports []shown) {
	of := t.db.rowsOf(shownPort, []string{shownName, shownType, shownAddresses})
	var all []string
	for _, p := range ports {
		if p.name == "" {
			continue
		}
		addresses := Value{}
		var err error
		if p.addresses != "" {
			addresses, err = only(p.addresses, &Column{Name: shownAddresses, Key: Unknown}, &t.db.arena)
		}
		if err != nil {
			t.unread(p.line, "port %q: %v", beginning(p.name), fmt.Errorf("addresses: %w", err))
			continue
		}
		all = append(all, p.name)
		enter(of, p.name, Value{Keys: []string{p.name}}, Value{Keys: []string{p.kind}}, addresses)
	}
	sortPairs(all, nil)
	enter(
		t.db.rowsOf(shownSwitch, []string{shownName, shownPorts}),
		uuid,
		Value{Keys: []string{name}},
		Value{Keys: all},
	)
}

func (t *text) showRouterPorts(ports []shown) {
	of := t.db.rowsOf(shownRouterPort, []string{shownName, shownMAC})
	for _, p := range ports {
		if p.name == "" || p.mac == "" {
			continue
		}
		mac, err := only(p.mac, &Column{Name: shownMAC, Key: Unknown}, &t.db.arena)
		if err != nil {
			t.unread(p.line, "port %q: %v", beginning(p.name), err)
			continue
		}
		enter(of, p.name, Value{Keys: []string{p.name}}, mac)
	}
}

// enter puts a row into a table that was asked for.
func enter(l *layout, key string, values ...Value) {
	if l.table == nil {
		return
	}
	row := &Row{UUID: key, table: l.table}
	for n, c := range l.columns {
		row.cells = append(row.cells, cell{column: c, value: values[n]})
	}
	l.table.Rows[key] = row
}
