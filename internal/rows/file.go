package rows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
)

// northbound is the database that holds the ports.
const northbound = "OVN_Northbound"

// Tables and columns of it that are read.
const (
	portTable   = "Logical_Switch_Port"
	switchTable = "Logical_Switch"
	routerTable = "Logical_Router_Port"
	globalTable = "NB_Global"
	groupTable  = "Port_Group"
	setTable    = "Address_Set"

	nameColumn         = "name"
	macColumn          = "mac"
	portsColumn        = "ports"
	typeColumn         = "type"
	addressesColumn    = "addresses"
	portSecurityColumn = "port_security"
	externalIDsColumn  = "external_ids"
	enabledColumn      = "enabled"
	optionsColumn      = "options"
	versionOption      = "northd_internal_version"
)

// FileTables are the tables of a database file that Ports, RouterPorts and Groups look into.
func FileTables() []string {
	return []string{portTable, switchTable, routerTable, globalTable, groupTable, setTable}
}

// Ports returns the ports that a database file holds, in the order of their names, and the release of OVN that it
// names, such as "23.03.1", empty where it names none. The error says what the file is instead of a Northbound
// database.
func Ports(d *dbfile.Database) (ports []*ovn.Port, version string, err error) {
	if d.Name != "" && d.Name != northbound {
		return nil, "", fmt.Errorf("it holds the database %s; want %s", d.Name, northbound)
	}
	for table, columns := range map[string][]string{
		portTable:   {nameColumn, typeColumn, addressesColumn, portSecurityColumn, externalIDsColumn, enabledColumn},
		switchTable: {nameColumn, portsColumn},
	} {
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
	for uuid, row := range d.Rows(portTable) {
		ports = append(ports, &ovn.Port{
			UUID: uuid, Name: row.String(nameColumn), Type: row.String(typeColumn), Switch: switchOf[uuid],
			Addresses: row.Strings(addressesColumn), PortSecurity: row.Strings(portSecurityColumn),
			ExternalIDs: row.Map(externalIDsColumn), Enabled: enabled(row),
		})
	}
	slices.SortFunc(ports, func(a, b *ovn.Port) int { return strings.Compare(a.Name+" "+a.UUID, b.Name+" "+b.UUID) })
	version, _, _ = strings.Cut(Options(d)[versionOption], "-")
	return ports, version, nil
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

// Groups returns the port groups and the address sets of security groups that a database file holds; ok is false where
// it lacks these tables.
func Groups(d *dbfile.Database) (groups []*inventory.PortGroup, sets []*inventory.AddressSet, ok bool) {
	for table, columns := range map[string][]string{
		groupTable: {nameColumn, portsColumn, externalIDsColumn}, setTable: {nameColumn, addressesColumn, externalIDsColumn},
	} {
		t := d.Tables[table]
		if t == nil || slices.ContainsFunc(columns, func(c string) bool { return t.Columns[c] == nil }) {
			return nil, nil, false
		}
	}
	for uuid, row := range d.Rows(groupTable) {
		ports := row.Strings(portsColumn)
		slices.Sort(ports)
		groups = append(
			groups,
			PortGroupOf(&ovn.PortGroup{
				UUID: uuid, Name: row.String(nameColumn), Ports: ports, ExternalIDs: row.Map(externalIDsColumn),
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
