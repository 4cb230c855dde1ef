package kubeovndb

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // the format asks for it
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Write writes the database as a file of a single ovsdb-server (ovsdb(5)), in one transaction, as after a compaction.
// schema is the path of the Northbound schema.
func (d Database) Write(path, schema string) error {
	return d.write(path, schema, func(record func(string, ...any)) {
		switches, groups := d.members()
		var rows strings.Builder
		for n := range d.Ports {
			fmt.Fprintf(&rows, `,"%s":%s`, id('p', n), d.Port(n).row())
		}
		record(
			`{"_date":1700000000000,%s,"Logical_Switch_Port":{%s%s}}`,
			d.frame(switches, groups),
			d.infrastructure(),
			rows.String(),
		)
	})
}

// WriteHistory writes the same database with one transaction for each pod, as before a compaction.
func (d Database) WriteHistory(path, schema string) error {
	return d.write(path, schema, func(record func(string, ...any)) {
		_, groups := d.members()
		for g := range groups {
			groups[g] = nil
		}
		record(`{"_date":1700000000000,%s,"Logical_Switch_Port":{%s}}`, d.frame(nil, groups), d.infrastructure())
		for n := range d.Ports {
			p := d.Port(n)
			record(
				`{"_date":%d,"_is_diff":true,"Logical_Switch":{"%s":{"ports":["uuid","%s"]}},"Port_Group":{"%s":{"ports":["uuid","%s"]},"%s":{"ports":["uuid","%s"]}},"Logical_Switch_Port":{"%s":%s}}`,
				1700000000001+n,
				p.SwitchUUID,
				p.UUID,
				p.Groups[0],
				p.UUID,
				p.Groups[1],
				p.UUID,
				p.UUID,
				p.row(),
			)
		}
	})
}

func (d Database) write(path, schema string, records func(func(string, ...any))) (err error) {
	text, err := os.ReadFile(filepath.Clean(schema))
	if err != nil {
		return fmt.Errorf("read the schema: %w (is OVN installed? `make deps`)", err)
	}
	var compact json.RawMessage
	if err := json.Unmarshal(text, &compact); err != nil {
		return fmt.Errorf("schema %s: %w", schema, err)
	}
	file, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write a database: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	record := func(format string, args ...any) {
		body := fmt.Sprintf(format, args...) + "\n"
		sum := sha1.Sum([]byte(body))                                       //nolint:gosec // as above
		_, _ = fmt.Fprintf(w, "OVSDB JSON %d %x\n%s", len(body), sum, body) // Flush returns the error
	}
	record("%s", compact)
	records(record)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write a database: %w", err)
	}
	return nil
}

// row returns the columns of a pod's port.
func (p Port) row() string {
	security := ""
	if p.Strict {
		security = fmt.Sprintf(`"port_security":"%s",`, p.Addresses())
	}
	return fmt.Sprintf(
		`{"name":"%s","addresses":"%s",%s"up":true,"external_ids":["map",[["ls","%s"],["pod","%s"],["vendor","kube-ovn"]]]}`,
		p.Name,
		p.Addresses(),
		security,
		p.Switch,
		p.Pod,
	)
}

// members returns the ports of each switch and each port group, by UUID.
func (d Database) members() (switches, groups map[string][]string) {
	switches, groups = make(map[string][]string), make(map[string][]string)
	for n := range d.Ports {
		p := d.Port(n)
		switches[p.SwitchUUID] = append(switches[p.SwitchUUID], p.UUID)
		for _, g := range p.Groups {
			groups[g] = append(groups[g], p.UUID)
		}
	}
	return switches, groups
}

// frame returns every table except that of the ports. Switches and groups have the given ports of pods.
func (d Database) frame(switches, groups map[string][]string) string {
	var ls, pg, rows strings.Builder
	lrps := make([]string, 0, d.Subnets()+1)
	router := func(name string, n int, ports []string) {
		own := []string{id('r', n)}
		if n < 0 {
			for node := range d.nodes() {
				own = append(own, id('j', node))
			}
		}
		fmt.Fprintf(
			&ls,
			`%s"%s":{"name":"%s","ports":%s,"other_config":["map",[["mcast_snoop","false"]]],"external_ids":["map",[["vendor","kube-ovn"]]]}`,
			comma(&ls),
			id('s', n),
			name,
			uuids(append(own, ports...)),
		)
		fmt.Fprintf(
			&rows,
			`%s"%s":{"name":"ovn-cluster-%s","mac":"0a:00:00:00:%02x:%02x","networks":"10.%d.%d.1/16","external_ids":["map",[["vendor","kube-ovn"]]]}`,
			comma(&rows),
			id('l', n),
			name,
			byte(n>>8),
			byte(n),
			16+byte(n>>8),
			byte(n),
		)
		lrps = append(lrps, id('l', n))
	}
	router("join", -1, nil)
	for n := range d.Subnets() {
		router(subnetName(n), n, switches[id('s', n)])
	}
	for node := range d.nodes() {
		fmt.Fprintf(
			&pg,
			`%s"%s":{"name":"node.worker.%d","ports":%s,"external_ids":["map",[["vendor","kube-ovn"]]]}`,
			comma(&pg),
			id('n', node),
			node,
			uuids(groups[id('n', node)]),
		)
	}
	for g := range d.Subnets() * d.nodes() {
		uuid := id('g', g)
		// Kube-OVN makes a group for every pair of a subnet and a node; empty ones are left out here.
		if held, used := groups[uuid]; used {
			fmt.Fprintf(
				&pg,
				`,"%s":{"name":"%s.worker.%d","ports":%s,"external_ids":["map",[["subnet","%s"],["vendor","kube-ovn"]]]}`,
				uuid,
				strings.ReplaceAll(subnetName(g/d.nodes()), "-", "."),
				g%d.nodes(),
				uuids(held),
				subnetName(g/d.nodes()),
			)
		}
	}
	return fmt.Sprintf(
		`"NB_Global":{"%s":{"name":"","options":["map",[["mac_prefix","0a:58:0a"],["northd_internal_version","23.03.1-20.27.0-70.6"],["use_logical_dp_groups","true"]]]}},`+
			`"Logical_Router":{"%s":{"name":"ovn-cluster","ports":%s}},"Logical_Router_Port":{%s},"Logical_Switch":{%s},"Port_Group":{%s}`,
		id('o', 0),
		id('c', 0),
		uuids(lrps),
		rows.String(),
		ls.String(),
		pg.String(),
	)
}

// infrastructure returns the ports of no pod: each switch's link to the router, and each node's port on join.
func (d Database) infrastructure() string {
	var b strings.Builder
	for n := -1; n < d.Subnets(); n++ {
		name := "join"
		if n >= 0 {
			name = subnetName(n)
		}
		fmt.Fprintf(
			&b,
			`%s"%s":{"name":"%s-ovn-cluster","type":"router","addresses":"router","up":true,"options":["map",[["router-port","ovn-cluster-%s"]]],"external_ids":["map",[["vendor","kube-ovn"]]]}`,
			comma(&b),
			id('r', n),
			name,
			name,
		)
	}
	for node := range d.nodes() {
		fmt.Fprintf(
			&b,
			`,"%s":{"name":"node-worker-%d","addresses":"0a:00:64:40:%02x:%02x 100.64.%d.%d","up":true,"external_ids":["map",[["vendor","kube-ovn"]]]}`,
			id('j', node),
			node,
			byte(node>>8),
			byte(node),
			byte(node>>8),
			byte(node),
		)
	}
	return b.String()
}

func comma(b *strings.Builder) string {
	if b.Len() == 0 {
		return ""
	}
	return ","
}

// uuids returns a set of references.
func uuids(of []string) string {
	if len(of) == 0 {
		return `["set",[]]`
	}
	return `["set",[["uuid","` + strings.Join(of, `"],["uuid","`) + `"]]]`
}
