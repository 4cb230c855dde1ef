package audit

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// settleGroups is how long Kube-OVN may take to put a port into the groups that its pod names: it computes
// each group from all rows.
const settleGroups = 5 * time.Second

// wrongGroups finds ports that are not in the security groups that their pods name, or are in others.
var wrongGroups = check{
	rule: Rule{
		ID:       "OVG034",
		Name:     "group-membership",
		Severity: Medium,
		Settle:   settleGroups,
		Summary: "the port is not in a security group that its pod names, or is in one that it does not name; high " +
			"where its traffic is not filtered",
	},
	find: func(s *subject) (found, bool) {
		m := s.Membership
		if m == nil {
			return found{}, false
		}
		var out found
		var says []string
		say := func(groups []inventory.Group, format string) {
			if len(groups) == 0 {
				return
			}
			names := make([]string, len(groups))
			for i, g := range groups {
				names[i] = g.Name
			}
			out.others = append(out.others, names...)
			says = append(says, fmt.Sprintf(format, listed(names)))
		}
		say(m.Missing, "its pod names security group %s, but the port is not in it, so the rules of the group do not "+
			"hold for the port")
		say(m.Left, "is in security group %s, but its pod does not name it")
		if m.Unfiltered {
			out.severity = High
			says = append(says, "is not in port group "+m.DenyAll.PortGroup.Name+", so what no rule of its groups "+
				"lets pass is not dropped")
		}
		if m.Denied {
			says = append(says, "is in port group "+m.DenyAll.PortGroup.Name+", which drops everything, but its pod "+
				"names no security group")
		}
		out.message = strings.Join(says, "; ")
		out.fix = s.fixGroups(m)
		return out, true
	},
}

// fixGroups returns the command that puts the port into the groups that its pod names and takes it out of the others,
// with its addresses in their sets, and notes that on the row, from which Kube-OVN computes the groups.
func (s *subject) fixGroups(m *inventory.Membership) string {
	var words []string
	add := func(more ...string) {
		if len(words) > 0 {
			words = append(words, "--")
		}
		words = append(words, more...)
	}
	ids := []string{"set", "logical_switch_port", s.Row.UUID}
	member := func(does string, g inventory.Group) {
		add(does, "port_group", g.PortGroup.UUID, "ports", s.Row.UUID)
		for _, set := range g.Sets {
			for _, ip := range s.identity.IPs {
				if has := slices.Contains(set.Addresses, ip.String()); has == (does == "remove") &&
					strings.HasSuffix(set.Name, family(ip)) {
					add(does, "address_set", set.Name, "addresses", quoteOVSDB(ip.String()))
				}
			}
		}
		ids = append(ids, fmt.Sprintf("external_ids:associated_sg_%s=%t", g.Name, does == "add"))
	}
	for _, g := range m.Missing {
		member("add", g)
	}
	for _, g := range m.Left {
		member("remove", g)
	}
	if m.Unfiltered {
		add("add", "port_group", m.DenyAll.PortGroup.UUID, "ports", s.Row.UUID)
	}
	if m.Denied {
		add("remove", "port_group", m.DenyAll.PortGroup.UUID, "ports", s.Row.UUID)
	}
	if named := strings.Join(m.Named, "/"); s.Row.ExternalIDs[kubeovn.ExternalIDSecurityGroups] != named {
		ids = append(ids, "external_ids:"+kubeovn.ExternalIDSecurityGroups+"="+quoteOVSDB(named))
	}
	if len(ids) > 3 {
		add(ids...)
	}
	return command("ovn-nbctl", words...)
}

// family returns how the names of address sets end that hold addresses of the same family.
func family(ip netip.Addr) string {
	if ip.Is4() {
		return ".v4"
	}
	return ".v6"
}
