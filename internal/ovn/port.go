// Package ovn is the one place that knows the OVN databases: typed rows, ordered events, and how fresh they are. It stands
// on libovsdb and fences it in; no other package imports that library.
package ovn

import "slices"

// Port is a row of Logical_Switch_Port. It is never changed once it has been handed out: a change gives a new one.
type Port struct {
	UUID string
	Name string
	// Type is empty for the port of a pod or VM.
	Type         string
	Addresses    []string
	PortSecurity []string
	ExternalIDs  map[string]string
	// Enabled is nil where the column is empty, which means enabled.
	Enabled *bool
	// Switch is the name of the Logical_Switch that holds the port; empty where none does.
	Switch string
}

// same tells that two rows hold the same.
func (p *Port) same(q *Port) bool {
	return p.UUID == q.UUID && p.Name == q.Name && p.Type == q.Type && p.Switch == q.Switch &&
		slices.Equal(p.Addresses, q.Addresses) && slices.Equal(p.PortSecurity, q.PortSecurity) &&
		equalMaps(p.ExternalIDs, q.ExternalIDs) && equalPointers(p.Enabled, q.Enabled)
}

func equalMaps(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || v != w {
			return false
		}
	}
	return true
}

func equalPointers(a, b *bool) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
