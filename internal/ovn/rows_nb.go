package ovn

// Switch is a row of Logical_Switch. Which ports it holds is with the ports; see Snapshot.SwitchPorts.
type Switch struct {
	UUID        string
	Name        string
	OtherConfig map[string]string
	ExternalIDs map[string]string
}

// PortGroup is a row of Port_Group. Ports and ACLs are UUIDs.
type PortGroup struct {
	UUID        string
	Name        string
	Ports       []string
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
func (r *RouterPort) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *NBGlobal) RowUUID() string { return r.UUID }

var (
	switchColumns = []column[Switch]{
		{name: "name", field: func(r *Switch) any { return &r.Name }},
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
