package ovn

// Row is a row of any table that is followed: a pointer to one of the row types of this package. Rows are never changed
// once they have been handed out.
type Row interface {
	// RowUUID returns what names the row for as long as it exists.
	RowUUID() string
}

// Database names one of the two databases of OVN, as their schemas do.
type Database string

// The databases of OVN.
const (
	Northbound Database = "OVN_Northbound"
	Southbound Database = "OVN_Southbound"
)

// Table names a table, as the schema does.
type Table string

// The tables that can be followed.
const (
	TablePort        Table = "Logical_Switch_Port"
	TableSwitch      Table = "Logical_Switch"
	TablePortGroup   Table = "Port_Group"
	TableAddressSet  Table = "Address_Set"
	TableACL         Table = "ACL"
	TableRouterPort  Table = "Logical_Router_Port"
	TableNBGlobal    Table = "NB_Global"
	TablePortBinding Table = "Port_Binding"
	TableChassis     Table = "Chassis"
	TableSBGlobal    Table = "SB_Global"
)
