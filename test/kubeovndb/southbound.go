package kubeovndb

import (
	"fmt"
	"strings"
)

// WriteSouthbound writes the rows of ovn-northd and the nodes for the database, as far as pods' ports are concerned: a
// chassis for each node, a datapath for each subnet, and each port bound to its node. schema is the path of the
// Southbound schema.
func (d Database) WriteSouthbound(path, schema string) error {
	if most := min(d.Ports/defaultShare, defaultLimit); most > maxKey {
		return fmt.Errorf(
			"%d ports: ovn-default would have %d of them, and a datapath has room for %d",
			d.Ports,
			most,
			maxKey,
		)
	}
	return d.write(path, schema, func(record func(string, ...any)) {
		var chassis, encaps, datapaths, bindings strings.Builder
		for node := range d.nodes() {
			name := fmt.Sprintf("%s-%d", letters(node), node)
			fmt.Fprintf(
				&encaps,
				`%s"%s":{"type":"geneve","ip":"192.168.%d.%d","chassis_name":"%s"}`,
				comma(&encaps),
				id('e', node),
				node>>8,
				node&0xff,
				name,
			)
			fmt.Fprintf(
				&chassis,
				`%s"%s":{"name":"%s","hostname":"worker-%d","encaps":["uuid","%s"],"other_config":["map",[["ct-no-masked-label","true"],["mac-binding-timestamp","true"],["port-up-notif","true"]]]}`,
				comma(&chassis),
				id('k', node),
				name,
				node,
				id('e', node),
			)
		}
		for n := range d.Subnets() {
			fmt.Fprintf(
				&datapaths,
				`%s"%s":{"tunnel_key":%d,"external_ids":["map",[["logical-switch","%s"],["name","%s"]]]}`,
				comma(&datapaths),
				id('d', n),
				n+1,
				id('s', n),
				subnetName(n),
			)
		}
		keys := make([]int, d.Subnets())
		for n := range d.Ports {
			p, subnet := d.Port(n), d.subnet(n)
			security := ""
			if p.Strict {
				security = fmt.Sprintf(`"port_security":"%s",`, p.Addresses())
			}
			keys[subnet]++
			fmt.Fprintf(
				&bindings,
				`%s"%s":{"logical_port":"%s","datapath":["uuid","%s"],"tunnel_key":%d,"mac":"%s",%s"chassis":["uuid","%s"],"up":true,"external_ids":["map",[["ls","%s"],["name",""],["pod","%s"],["vendor","kube-ovn"]]]}`,
				comma(
					&bindings,
				),
				id('b', n),
				p.Name,
				id('d', subnet),
				keys[subnet],
				p.Addresses(),
				security,
				id('k', d.node(subnet, mix(uint64(n)+1))),
				p.Switch,
				p.Pod,
			)
		}
		record(
			`{"_date":1700000000000,"SB_Global":{"%s":{"options":["map",[["northd_internal_version","23.03.1-20.27.0-70.6"]]]}},"Encap":{%s},"Chassis":{%s},"Datapath_Binding":{%s},"Port_Binding":{%s}}`,
			id('q', 0),
			encaps.String(),
			chassis.String(),
			datapaths.String(),
			bindings.String(),
		)
	})
}
