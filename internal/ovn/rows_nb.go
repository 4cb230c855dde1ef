package ovn

import "github.com/ovnguard/ovnguard/internal/persistent"

// Switch is a row of Logical_Switch. Which ports it holds is with the ports; see Snapshot.SwitchPorts.
type Switch struct {
	UUID        string
	Name        string
	ACLs        []string // UUIDs
	OtherConfig map[string]string
	ExternalIDs map[string]string
}

// PortGroup is a row of Port_Group. Ports and ACLs are UUIDs. A group may have all ports of a cluster, and each new one
// is a change of it.
type PortGroup struct {
	UUID        string
	Name        string
	Ports       persistent.Set[string]
	ACLs        []string
	ExternalIDs map[string]string
}

// AddressSet is a row of Address_Set.
type AddressSet struct {
	UUID        string
	Name        string
	Addresses   []string
	ExternalIDs map[string]string
}

// ACL is a row of ACL: what becomes of packets that a switch, or the ports of a group, send or are sent. Tier is nil
// where the schema has none, which is before that of OVN 23.06.
type ACL struct {
	UUID        string
	Name        string
	Direction   string
	Tier        *int
	Priority    int
	Action      string
	Match       string
	Options     map[string]string
	ExternalIDs map[string]string
}

// RouterPort is a row of Logical_Router_Port: a router's end of its link to a switch, and what has the gateway's MAC
// there.
type RouterPort struct {
	UUID string
	Name string
	MAC  string
}

// NBGlobal is the one row of NB_Global. Options hold what ovn-northd says of itself.
type NBGlobal struct {
	UUID        string
	Config      int // nb_cfg: the number of the last change that somebody asked to be told about
	Options     map[string]string
	ExternalIDs map[string]string
}

// RowUUID implements Row.
func (r *Switch) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *PortGroup) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *AddressSet) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *ACL) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *RouterPort) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *NBGlobal) RowUUID() string { return r.UUID }

var (
	switchColumns = []column[Switch]{
		{name: "name", field: func(r *Switch) any { return &r.Name }},
		{name: "acls", field: func(r *Switch) any { return &r.ACLs }},
		{name: "other_config", field: func(r *Switch) any { return &r.OtherConfig }},
		{name: "external_ids", field: func(r *Switch) any { return &r.ExternalIDs }},
	}
	portGroupColumns = []column[PortGroup]{
		{name: "name", field: func(r *PortGroup) any { return &r.Name }},
		{name: "ports", field: func(r *PortGroup) any { return &r.Ports }},
		{name: "acls", field: func(r *PortGroup) any { return &r.ACLs }},
		{name: "external_ids", field: func(r *PortGroup) any { return &r.ExternalIDs }},
	}
	addressSetColumns = []column[AddressSet]{
		{name: "name", field: func(r *AddressSet) any { return &r.Name }},
		{name: "addresses", field: func(r *AddressSet) any { return &r.Addresses }},
		{name: "external_ids", field: func(r *AddressSet) any { return &r.ExternalIDs }},
	}
	aclColumns = []column[ACL]{
		{name: "name", orNone: true, field: func(r *ACL) any { return &r.Name }},
		{name: "direction", field: func(r *ACL) any { return &r.Direction }},
		{name: "tier", optional: true, field: func(r *ACL) any { return &r.Tier }},
		{name: "priority", field: func(r *ACL) any { return &r.Priority }},
		{name: "action", field: func(r *ACL) any { return &r.Action }},
		{name: "match", field: func(r *ACL) any { return &r.Match }},
		{name: "options", optional: true, field: func(r *ACL) any { return &r.Options }},
		{name: "external_ids", field: func(r *ACL) any { return &r.ExternalIDs }},
	}
	routerPortColumns = []column[RouterPort]{
		{name: "name", field: func(r *RouterPort) any { return &r.Name }},
		{name: "mac", field: func(r *RouterPort) any { return &r.MAC }},
	}
	nbGlobalColumns = []column[NBGlobal]{
		{name: "nb_cfg", field: func(r *NBGlobal) any { return &r.Config }},
		{name: "options", field: func(r *NBGlobal) any { return &r.Options }},
		{name: "external_ids", field: func(r *NBGlobal) any { return &r.ExternalIDs }},
	}
)
