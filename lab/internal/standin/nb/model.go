// Package nb is the lab's own small view of an OVN Northbound database: the tables and columns that the stand-in
// writes, in the schema of OVN 23.03, and a client that reads its cache and writes whole transactions.
package nb

import (
	"reflect"

	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
)

// Database is the name of the Northbound database.
const Database = "OVN_Northbound"

// Types of a Logical_Switch_Port that the stand-in makes; a pod's port has none.
const (
	TypeRouter   = "router"
	TypeLocalnet = "localnet"
	TypeVirtual  = "virtual"
)

// LogicalSwitchPort is a row of Logical_Switch_Port.
type LogicalSwitchPort struct {
	UUID          string            `ovsdb:"_uuid"`
	Name          string            `ovsdb:"name"`
	Type          string            `ovsdb:"type"`
	Addresses     []string          `ovsdb:"addresses"`
	PortSecurity  []string          `ovsdb:"port_security"`
	ExternalIDs   map[string]string `ovsdb:"external_ids"`
	Options       map[string]string `ovsdb:"options"`
	Enabled       *bool             `ovsdb:"enabled"`
	Tag           *int              `ovsdb:"tag"`
	TagRequest    *int              `ovsdb:"tag_request"`
	DHCPv4Options *string           `ovsdb:"dhcpv4_options"`
	DHCPv6Options *string           `ovsdb:"dhcpv6_options"`
}

// LogicalSwitch is a row of Logical_Switch.
type LogicalSwitch struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Ports       []string          `ovsdb:"ports"`
	ACLs        []string          `ovsdb:"acls"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// LogicalRouter is a row of Logical_Router.
type LogicalRouter struct {
	UUID         string            `ovsdb:"_uuid"`
	Name         string            `ovsdb:"name"`
	Ports        []string          `ovsdb:"ports"`
	StaticRoutes []string          `ovsdb:"static_routes"`
	Policies     []string          `ovsdb:"policies"`
	ExternalIDs  map[string]string `ovsdb:"external_ids"`
}

// LogicalRouterStaticRoute is a row of Logical_Router_Static_Route.
type LogicalRouterStaticRoute struct {
	UUID        string            `ovsdb:"_uuid"`
	IPPrefix    string            `ovsdb:"ip_prefix"`
	Nexthop     string            `ovsdb:"nexthop"`
	Policy      *string           `ovsdb:"policy"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// LogicalRouterPolicy is a row of Logical_Router_Policy.
type LogicalRouterPolicy struct {
	UUID        string            `ovsdb:"_uuid"`
	Priority    int               `ovsdb:"priority"`
	Match       string            `ovsdb:"match"`
	Action      string            `ovsdb:"action"`
	Nexthops    []string          `ovsdb:"nexthops"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// LogicalRouterPort is a row of Logical_Router_Port.
type LogicalRouterPort struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	MAC         string            `ovsdb:"mac"`
	Networks    []string          `ovsdb:"networks"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// DHCPOptions is a row of DHCP_Options.
type DHCPOptions struct {
	UUID        string            `ovsdb:"_uuid"`
	CIDR        string            `ovsdb:"cidr"`
	Options     map[string]string `ovsdb:"options"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// PortGroup is a row of Port_Group.
type PortGroup struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Ports       []string          `ovsdb:"ports"`
	ACLs        []string          `ovsdb:"acls"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// AddressSet is a row of Address_Set.
type AddressSet struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Addresses   []string          `ovsdb:"addresses"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// ACL is a row of ACL. Its tier column came with a later schema and is not written.
type ACL struct {
	UUID        string            `ovsdb:"_uuid"`
	Action      string            `ovsdb:"action"`
	Direction   string            `ovsdb:"direction"`
	Match       string            `ovsdb:"match"`
	Priority    int               `ovsdb:"priority"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// tables returns an empty row of each table by the table's name.
func tables() map[string]model.Model {
	return map[string]model.Model{
		"Logical_Switch_Port":         &LogicalSwitchPort{},
		"Logical_Switch":              &LogicalSwitch{},
		"Logical_Router":              &LogicalRouter{},
		"Logical_Router_Port":         &LogicalRouterPort{},
		"Logical_Router_Static_Route": &LogicalRouterStaticRoute{},
		"Logical_Router_Policy":       &LogicalRouterPolicy{},
		"DHCP_Options":                &DHCPOptions{},
		"Port_Group":                  &PortGroup{},
		"Address_Set":                 &AddressSet{},
		"ACL":                         &ACL{},
	}
}

// databaseModel returns libovsdb's description of the tables.
func databaseModel() (model.ClientDBModel, error) { return model.NewClientDBModel(Database, tables()) }

// monitored asks for the columns of the models and no others. If it asked for whole tables, libovsdb would drop the
// rest of a notification with a changed column that the model does not have, such as northd setting "up".
func monitored() []client.MonitorOption {
	var options []client.MonitorOption
	for _, row := range tables() {
		value := reflect.ValueOf(row).Elem()
		var columns []any
		for i := range value.NumField() {
			if value.Type().Field(i).Tag.Get("ovsdb") != "_uuid" { // every notification has it
				columns = append(columns, value.Field(i).Addr().Interface())
			}
		}
		options = append(options, client.WithTable(row, columns...))
	}
	return options
}
