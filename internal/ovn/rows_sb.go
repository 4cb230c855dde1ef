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
	Up                *bool
}

// Chassis is a row of Chassis: one ovn-controller. OtherConfig holds the features that it says it has.
type Chassis struct {
	UUID        string
	Name        string
	Hostname    string
	OtherConfig map[string]string
	ExternalIDs map[string]string
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
func (r *SBGlobal) RowUUID() string { return r.UUID }

var (
	portBindingColumns = []column[PortBinding]{
		{name: "logical_port", field: func(r *PortBinding) any { return &r.LogicalPort }},
		{name: "type", field: func(r *PortBinding) any { return &r.Type }},
		{name: "port_security", optional: true, field: func(r *PortBinding) any { return &r.PortSecurity }},
		{name: "chassis", field: func(r *PortBinding) any { return &r.Chassis }},
		{name: "additional_chassis", optional: true, field: func(r *PortBinding) any { return &r.AdditionalChassis }},
		{name: "up", field: func(r *PortBinding) any { return &r.Up }},
	}
	chassisColumns = []column[Chassis]{
		{name: "name", field: func(r *Chassis) any { return &r.Name }},
		{name: "hostname", field: func(r *Chassis) any { return &r.Hostname }},
		{name: "other_config", field: func(r *Chassis) any { return &r.OtherConfig }},
		{name: "external_ids", field: func(r *Chassis) any { return &r.ExternalIDs }},
	}
	sbGlobalColumns = []column[SBGlobal]{
		{name: "nb_cfg", field: func(r *SBGlobal) any { return &r.Config }},
		{name: "options", field: func(r *SBGlobal) any { return &r.Options }},
		{name: "external_ids", field: func(r *SBGlobal) any { return &r.ExternalIDs }},
	}
)
