package ovn

// Port is a row of Logical_Switch_Port. Like every row it is never changed once it has been handed out: a change gives
// a new one. Sets are sorted.
type Port struct {
	UUID string
	// Name is unique in the database.
	Name string
	// Type is empty for the port of a pod or VM.
	Type         string
	Addresses    []string
	PortSecurity []string
	ExternalIDs  map[string]string
	Options      map[string]string
	// Enabled is nil where the column is empty, which means enabled.
	Enabled *bool
	// Up is nil until OVN has said whether the port is bound.
	Up *bool
	// ParentName and Tag belong to a port nested in another, as containers in a VM have.
	ParentName string
	Tag        *int
	// Switch is the name of the Logical_Switch that holds the port; empty where none does, or where that table is not
	// followed.
	Switch string

	// holder is the UUID of that switch.
	holder string
}

// RowUUID implements Row.
func (p *Port) RowUUID() string { return p.UUID }

var portColumns = []column[Port]{
	{name: "name", field: func(p *Port) any { return &p.Name }},
	{name: "type", field: func(p *Port) any { return &p.Type }},
	{name: "addresses", field: func(p *Port) any { return &p.Addresses }},
	{name: "port_security", field: func(p *Port) any { return &p.PortSecurity }},
	{name: "external_ids", field: func(p *Port) any { return &p.ExternalIDs }},
	{name: "options", field: func(p *Port) any { return &p.Options }},
	{name: "enabled", field: func(p *Port) any { return &p.Enabled }},
	{name: "up", field: func(p *Port) any { return &p.Up }},
	{name: "parent_name", orNone: true, field: func(p *Port) any { return &p.ParentName }},
	{name: "tag", field: func(p *Port) any { return &p.Tag }},
}
