package ovn

import (
	"fmt"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// Names of the Northbound database and of its tables that are read.
const (
	northbound  = "OVN_Northbound"
	portTable   = "Logical_Switch_Port"
	switchTable = "Logical_Switch"
	globalTable = "NB_Global"
)

// portRow, switchRow and globalRow are the columns that are read. They exist in every schema since OVN 20.03.
type portRow struct {
	UUID         string            `ovsdb:"_uuid"`
	Name         string            `ovsdb:"name"`
	Type         string            `ovsdb:"type"`
	Addresses    []string          `ovsdb:"addresses"`
	PortSecurity []string          `ovsdb:"port_security"`
	ExternalIDs  map[string]string `ovsdb:"external_ids"`
	Enabled      *bool             `ovsdb:"enabled"`
}

type switchRow struct {
	UUID  string   `ovsdb:"_uuid"`
	Name  string   `ovsdb:"name"`
	Ports []string `ovsdb:"ports"`
}

type globalRow struct {
	UUID    string            `ovsdb:"_uuid"`
	Options map[string]string `ovsdb:"options"`
}

func northboundModel() (model.ClientDBModel, error) {
	m, err := model.NewClientDBModel(northbound, map[string]model.Model{
		portTable: &portRow{}, switchTable: &switchRow{}, globalTable: &globalRow{},
	})
	if err != nil {
		return m, fmt.Errorf("model of %s: %w", northbound, err)
	}
	return m, nil
}

// port gives the row as others see it. Sets have no order in OVSDB, so they are sorted here once.
func (r *portRow) port(logicalSwitch string) *Port {
	slices.Sort(r.Addresses)
	slices.Sort(r.PortSecurity)
	return &Port{
		UUID: r.UUID, Name: r.Name, Type: r.Type, Addresses: r.Addresses, PortSecurity: r.PortSecurity,
		ExternalIDs: r.ExternalIDs, Enabled: r.Enabled, Switch: logicalSwitch,
	}
}
