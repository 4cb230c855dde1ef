package ovn

// PortBinding is a row of Port_Binding in the Southbound database, as far as it is read. The chassis are UUIDs.
type PortBinding struct {
	UUID        string
	LogicalPort string
	Type        string
	// PortSecurity is known since OVN 22.06, where the check moved from logical flows to ovn-controller.
	PortSecurity []string
	// Chassis is empty while the port is bound nowhere.
	Chassis string
	// AdditionalChassis is known since OVN 22.06: where a port is bound also, while its VM moves.
	AdditionalChassis []string
	// RequestedAdditionalChassis is known since OVN 22.06: where it is to be bound also.
	RequestedAdditionalChassis []string
	Up                         *bool
}

// Chassis is a row of Chassis: one ovn-controller. OtherConfig holds the features that it says it has.
type Chassis struct {
	UUID        string
	Name        string
	Hostname    string
	OtherConfig map[string]string
	ExternalIDs map[string]string
}

// ChassisPrivate is a row of Chassis_Private, which each ovn-controller writes to for itself.
type ChassisPrivate struct {
	UUID        string
	Name        string
	Chassis     string
	Config      int // nb_cfg: the last change that the chassis has caught up with
	ExternalIDs map[string]string
}

// Datapath is a row of Datapath_Binding: a logical switch or router.
type Datapath struct {
	UUID        string
	TunnelKey   int
	ExternalIDs map[string]string
}

// FDB is a row of FDB: a MAC that was learned behind a port which takes unknown addresses.
type FDB struct {
	UUID        string
	MAC         string
	DatapathKey int
	PortKey     int
	// Timestamp is known since OVN 23.09, in milliseconds since 1970.
	Timestamp int
}

// MACBinding is a row of MAC_Binding: an address that a router has resolved.
type MACBinding struct {
	UUID        string
	LogicalPort string
	IP          string
	MAC         string
	Datapath    string
	// Timestamp is known since OVN 22.09, in milliseconds since 1970.
	Timestamp int
}

// SBGlobal is the one row of SB_Global.
type SBGlobal struct {
	UUID        string
	Config      int // nb_cfg as ovn-northd last passed it on
	Options     map[string]string
	ExternalIDs map[string]string
}

// RowUUID implements Row.
func (r *PortBinding) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *Chassis) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *ChassisPrivate) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *Datapath) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *FDB) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *MACBinding) RowUUID() string { return r.UUID }

// RowUUID implements Row.
func (r *SBGlobal) RowUUID() string { return r.UUID }

var (
	portBindingColumns = []column[PortBinding]{
		{name: "logical_port", field: func(r *PortBinding) any { return &r.LogicalPort }},
		{name: "type", field: func(r *PortBinding) any { return &r.Type }},
		{name: "port_security", optional: true, field: func(r *PortBinding) any { return &r.PortSecurity }},
		{name: "chassis", field: func(r *PortBinding) any { return &r.Chassis }},
		{name: "additional_chassis", optional: true, field: func(r *PortBinding) any { return &r.AdditionalChassis }},
		{name: "requested_additional_chassis", optional: true, field: func(r *PortBinding) any { return &r.RequestedAdditionalChassis }},
		{name: "up", field: func(r *PortBinding) any { return &r.Up }},
	}
	chassisColumns = []column[Chassis]{
		{name: "name", field: func(r *Chassis) any { return &r.Name }},
		{name: "hostname", field: func(r *Chassis) any { return &r.Hostname }},
		{name: "other_config", field: func(r *Chassis) any { return &r.OtherConfig }},
		{name: "external_ids", field: func(r *Chassis) any { return &r.ExternalIDs }},
	}
	chassisPrivateColumns = []column[ChassisPrivate]{
		{name: "name", field: func(r *ChassisPrivate) any { return &r.Name }},
		{name: "chassis", field: func(r *ChassisPrivate) any { return &r.Chassis }},
		{name: "nb_cfg", field: func(r *ChassisPrivate) any { return &r.Config }},
		{name: "external_ids", field: func(r *ChassisPrivate) any { return &r.ExternalIDs }},
	}
	datapathColumns = []column[Datapath]{
		{name: "tunnel_key", field: func(r *Datapath) any { return &r.TunnelKey }},
		{name: "external_ids", field: func(r *Datapath) any { return &r.ExternalIDs }},
	}
	fdbColumns = []column[FDB]{
		{name: "mac", field: func(r *FDB) any { return &r.MAC }},
		{name: "dp_key", field: func(r *FDB) any { return &r.DatapathKey }},
		{name: "port_key", field: func(r *FDB) any { return &r.PortKey }},
		{name: "timestamp", optional: true, field: func(r *FDB) any { return &r.Timestamp }},
	}
	macBindingColumns = []column[MACBinding]{
		{name: "logical_port", field: func(r *MACBinding) any { return &r.LogicalPort }},
		{name: "ip", field: func(r *MACBinding) any { return &r.IP }},
		{name: "mac", field: func(r *MACBinding) any { return &r.MAC }},
		{name: "datapath", field: func(r *MACBinding) any { return &r.Datapath }},
		{name: "timestamp", optional: true, field: func(r *MACBinding) any { return &r.Timestamp }},
	}
	sbGlobalColumns = []column[SBGlobal]{
		{name: "nb_cfg", field: func(r *SBGlobal) any { return &r.Config }},
		{name: "options", field: func(r *SBGlobal) any { return &r.Options }},
		{name: "external_ids", field: func(r *SBGlobal) any { return &r.ExternalIDs }},
	}
)
