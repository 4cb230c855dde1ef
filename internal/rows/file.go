package rows

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/internal/persistent"
)

// northbound is the database that holds the ports.
const northbound = "OVN_Northbound"

// southbound is the database that says what is bound where.
const southbound = "OVN_Southbound"

// Tables and columns of both that are read.
const (
	portTable   = "Logical_Switch_Port"
	switchTable = "Logical_Switch"
	routerTable = "Logical_Router_Port"
	globalTable = "NB_Global"
	groupTable  = "Port_Group"
	setTable    = "Address_Set"
	aclTable    = "ACL"

	bindingTable = "Port_Binding"
	chassisTable = "Chassis"

	nameColumn         = "name"
	macColumn          = "mac"
	portsColumn        = "ports"
	aclsColumn         = "acls"
	directionColumn    = "direction"
	tierColumn         = "tier"
	priorityColumn     = "priority"
	actionColumn       = "action"
	matchColumn        = "match"
	typeColumn         = "type"
	addressesColumn    = "addresses"
	portSecurityColumn = "port_security"
	externalIDsColumn  = "external_ids"
	enabledColumn      = "enabled"
	optionsColumn      = "options"
	logicalPortColumn  = "logical_port"
	chassisColumn      = "chassis"
	upColumn           = "up"
	hostnameColumn     = "hostname"
	otherConfigColumn  = "other_config"

	additionalChassisColumn = "additional_chassis"

	versionOption = "northd_internal_version"
)

// FileTables are the tables of a database file that Ports, RouterPorts, Groups and ACLs look into.
func FileTables() []string {
	return []string{portTable, switchTable, routerTable, globalTable, groupTable, setTable, aclTable}
}

// Ports returns the ports that a database file holds, in the order of their names, and the release of OVN that it
// names, such as "23.03.1", empty where it names none. The error says what the file is instead of a Northbound
// database.
func Ports(d *dbfile.Database) (ports []*ovn.Port, version string, err error) {
	if d.Name != "" && d.Name != northbound {
		return nil, "", fmt.Errorf("it holds the database %s; want %s", d.Name, northbound)
	}
	needs := map[string][]string{portTable: {nameColumn}}
	if whole(d) {
		needs = map[string][]string{
			portTable: {
				nameColumn,
				typeColumn,
				addressesColumn,
				portSecurityColumn,
				externalIDsColumn,
				enabledColumn,
			},
			switchTable: {nameColumn, portsColumn},
		}
	}
	for table, columns := range needs {
		t := d.Tables[table]
		if t == nil {
			return nil, "", fmt.Errorf("it has no table %s; want all of %s", table, northbound)
		}
		for _, c := range columns {
			if t.Columns[c] == nil {
				return nil, "", fmt.Errorf("table %s has no column %s; want all of %s", table, c, northbound)
			}
		}
	}
	switchOf := make(map[string]string)
	for _, row := range d.Rows(switchTable) {
		name := row.String(nameColumn)
		for _, port := range row.Strings(portsColumn) {
			switchOf[port] = name
		}
	}
	ports = make([]*ovn.Port, 0, len(d.Rows(portTable)))
	for uuid, row := range d.Rows(portTable) {
		p := &ovn.Port{
			UUID: uuid, Name: row.String(nameColumn), Type: row.String(typeColumn), Switch: switchOf[uuid],
			Addresses: row.Strings(addressesColumn), PortSecurity: row.Strings(portSecurityColumn),
			ExternalIDs: row.Map(externalIDsColumn), Enabled: enabled(row),
		}
		if d.Tables[switchTable] == nil {
			p.Switch = p.ExternalIDs[kubeovn.ExternalIDSwitch]
		}
		ports = append(ports, p)
	}
	slices.SortFunc(ports, func(a, b *ovn.Port) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.UUID, b.UUID))
	})
	version, _, _ = strings.Cut(Options(d)[versionOption], "-")
	return ports, version, nil
}

// whole reports whether what was read is a whole database, and not some tables of it or parts of them.
func whole(d *dbfile.Database) bool { return d.Format != dbfile.List && d.Format != dbfile.Show }

// Doubt returns what is not known of ports because a text of the database has not all of it, and says in notes what
// else is therefore not known.
func Doubt(d *dbfile.Database) (doubt inventory.RowDoubt, notes []string) {
	if whole(d) {
		return inventory.RowDoubt{}, nil
	}
	ports := d.Tables[portTable]
	var lacks []string
	for _, c := range []string{typeColumn, addressesColumn, portSecurityColumn, externalIDsColumn} {
		if ports.Columns[c] == nil {
			lacks = append(lacks, c)
		}
	}
	if len(lacks) > 0 {
		doubt.Lacks, doubt.Some = strings.Join(lacks, ", "), true // people paste a part of what show prints
		notes = append(notes, fmt.Sprintf(
			"the text has no %s of ports, so that no port with a row can be judged; "+
				"`ovn-nbctl --format=json list %s` prints them",
			doubt.Lacks, portTable,
		))
	} else if ports.Columns[enabledColumn] == nil {
		notes = append(notes, "the text has no column enabled of ports: all are taken for enabled")
	}
	switch switches := d.Tables[switchTable]; {
	case switches == nil || switches.Columns[portsColumn] == nil:
		doubt.Some = true
		notes = append(notes, fmt.Sprintf(
			"the text has no %s: the switch of a port is the one that its external_ids name, and a pod without a row in "+
				"the text cannot be judged, since there may be more rows; `ovn-nbctl --format=json list %[1]s` prints it",
			switchTable,
		))
	case missesPorts(d):
		doubt.Some = true
		notes = append(notes, fmt.Sprintf(
			"switches have ports that the text does not hold, so that a pod without a row cannot be judged; "+
				"`ovn-nbctl --format=json list %s` prints all", portTable,
		))
	}
	for _, t := range []struct{ table, lacks string }{
		{globalTable, "which release of OVN enforces, and whether an option switches checks off"},
		{routerTable, "the MACs of routers"},
		{groupTable, "which ports are in the port groups of security groups"},
		{setTable, "the address sets of security groups"},
	} {
		if d.Tables[t.table] == nil {
			notes = append(notes, fmt.Sprintf("the text has no %s; not known: %s", t.table, t.lacks))
		}
	}
	return doubt, notes
}

// missesPorts reports whether a switch has a port that was not read.
func missesPorts(d *dbfile.Database) bool {
	ports := d.Rows(portTable)
	for _, row := range d.Rows(switchTable) {
		for _, uuid := range row.Strings(portsColumn) {
			if ports[uuid] == nil {
				return true
			}
		}
	}
	return false
}

// Options returns NB_Global.options of a database file; none where it has none.
func Options(d *dbfile.Database) map[string]string {
	for _, row := range d.Rows(globalTable) {
		return row.Map(optionsColumn)
	}
	return nil
}

// RouterPorts returns the ports of logical routers that a database file holds, in no order; none where it lacks the
// table.
func RouterPorts(d *dbfile.Database) (ports []inventory.RouterPort) {
	for uuid, row := range d.Rows(routerTable) {
		ports = append(
			ports,
			RouterPortOf(&ovn.RouterPort{UUID: uuid, Name: row.String(nameColumn), MAC: row.String(macColumn)}),
		)
	}
	return ports
}

// lacks reports whether a database file has not all of these columns.
func lacks(d *dbfile.Database, of map[string][]string) bool {
	for table, columns := range of {
		t := d.Tables[table]
		if t == nil || slices.ContainsFunc(columns, func(c string) bool { return t.Columns[c] == nil }) {
			return true
		}
	}
	return false
}

// ACLs returns the ACLs that a database file holds, and the switches that have some of their own; ok is false where it
// lacks them, or what has them. Port groups and address sets are for Groups to say.
func ACLs(d *dbfile.Database) (acls []*acl.ACL, switches []inventory.Switch, ok bool) {
	if lacks(d, map[string][]string{
		aclTable:    {directionColumn, priorityColumn, actionColumn, matchColumn},
		groupTable:  {nameColumn, portsColumn, aclsColumn},
		switchTable: {nameColumn, portsColumn, aclsColumn},
		setTable:    {nameColumn, addressesColumn},
	}) {
		return nil, nil, false
	}
	for uuid, row := range d.Rows(aclTable) {
		a := &ovn.ACL{
			UUID: uuid, Name: row.String(nameColumn), Direction: row.String(directionColumn),
			Action: row.String(actionColumn), Match: row.String(matchColumn), Options: row.Map(optionsColumn),
			ExternalIDs: row.Map(externalIDsColumn),
		}
		var errs [2]error
		a.Priority, errs[0] = strconv.Atoi(row.String(priorityColumn))
		if tier := row.String(tierColumn); tier != "" {
			a.Tier = new(int)
			*a.Tier, errs[1] = strconv.Atoi(tier)
		}
		if errs != [2]error{} {
			return nil, nil, false // a text that somebody has edited
		}
		acls = append(acls, ACLOf(a))
	}
	for uuid, row := range d.Rows(switchTable) {
		if held := row.Strings(aclsColumn); len(held) > 0 {
			switches = append(switches, SwitchOf(&ovn.Switch{UUID: uuid, Name: row.String(nameColumn), ACLs: held}))
		}
	}
	return acls, switches, true
}

// Groups returns the port groups and the address sets that a database file holds; ok is false where it lacks these
// tables.
func Groups(d *dbfile.Database) (groups []*inventory.PortGroup, sets []*inventory.AddressSet, ok bool) {
	if lacks(d, map[string][]string{
		groupTable: {
			nameColumn,
			portsColumn,
			externalIDsColumn,
		},
		setTable: {nameColumn, addressesColumn, externalIDsColumn},
	}) {
		return nil, nil, false
	}
	for uuid, row := range d.Rows(groupTable) {
		groups = append(
			groups,
			PortGroupOf(&ovn.PortGroup{
				UUID: uuid, Name: row.String(nameColumn), Ports: persistent.SetOf(row.Strings(portsColumn)...),
				ACLs: row.Strings(aclsColumn), ExternalIDs: row.Map(externalIDsColumn),
			}),
		)
	}
	for uuid, row := range d.Rows(setTable) {
		sets = append(sets, AddressSetOf(&ovn.AddressSet{
			UUID:        uuid,
			Name:        row.String(nameColumn),
			Addresses:   row.Strings(addressesColumn),
			ExternalIDs: row.Map(externalIDsColumn),
		}))
	}
	return groups, sets, true
}

// enabled returns what the column says, nil where it is empty.
func enabled(row *dbfile.Row) *bool {
	b, err := strconv.ParseBool(row.String(enabledColumn))
	if err != nil {
		return nil
	}
	return &b
}

// SouthboundTables are the tables of a Southbound database file that Bindings and Chassis look into.
func SouthboundTables() []string { return []string{bindingTable, chassisTable} }

// Bindings returns the bindings and the chassis that a Southbound database file holds, in no order. The error says what
// the file is instead.
func Bindings(d *dbfile.Database) (bindings []*inventory.Binding, chassis []inventory.Chassis, err error) {
	if d.Name != "" && d.Name != southbound {
		return nil, nil, fmt.Errorf("it holds the database %s; want %s", d.Name, southbound)
	}
	for table, columns := range map[string][]string{
		bindingTable: {logicalPortColumn, typeColumn, portSecurityColumn, chassisColumn, upColumn},
		chassisTable: {nameColumn, hostnameColumn, otherConfigColumn},
	} {
		t := d.Tables[table]
		if t == nil {
			return nil, nil, fmt.Errorf("it has no table %s; want all of %s", table, southbound)
		}
		for _, c := range columns {
			if t.Columns[c] == nil {
				return nil, nil, fmt.Errorf("table %s has no column %s; want all of %s", table, c, southbound)
			}
		}
	}
	for uuid, row := range d.Rows(bindingTable) {
		up, err := strconv.ParseBool(row.String(upColumn))
		b := &ovn.PortBinding{
			UUID: uuid, LogicalPort: row.String(logicalPortColumn), Type: row.String(typeColumn),
			PortSecurity: row.Strings(portSecurityColumn), Chassis: row.String(chassisColumn),
			AdditionalChassis: row.Strings(additionalChassisColumn),
		}
		if err == nil {
			b.Up = &up
		}
		bindings = append(bindings, BindingOf(b))
	}
	for uuid, row := range d.Rows(chassisTable) {
		chassis = append(chassis, ChassisOf(&ovn.Chassis{
			UUID:        uuid,
			Name:        row.String(nameColumn),
			Hostname:    row.String(hostnameColumn),
			OtherConfig: row.Map(otherConfigColumn),
		}))
	}
	return bindings, chassis, nil
}
