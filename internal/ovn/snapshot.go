package ovn

import (
	"iter"
	"strings"
)

// Revision counts the states that a mirror has seen, from 1. It means nothing to another mirror, and nothing after a
// restart of the program.
type Revision uint64

// Snapshot is a database as it was at one moment, between two transactions. It never changes; it costs nothing to take
// or to keep, and any number of readers may walk it at once without a lock. The rows are shared: do not write to them.
type Snapshot struct {
	// Database is the one that was read.
	Database Database
	// Revision is the state's number; 0 is the empty state before anything was read.
	Revision Revision
	// Transaction is the server's name for the state, where the database is clustered; else empty or zero.
	Transaction string
	// Schema is the version of the database's schema, such as "7.0.0".
	Schema string

	ports         Rows[Port]
	portsByName   index
	portsBySwitch index

	switches     Rows[Switch]
	portGroups   Rows[PortGroup]
	addressSets  Rows[AddressSet]
	acls         Rows[ACL]
	routerPorts  Rows[RouterPort]
	nbGlobal     Rows[NBGlobal]
	portBindings Rows[PortBinding]
	chassis      Rows[Chassis]
	sbGlobal     Rows[SBGlobal]
}

// Ports returns the logical switch ports.
func (s *Snapshot) Ports() Rows[Port] { return s.ports }

// Switches returns the logical switches.
func (s *Snapshot) Switches() Rows[Switch] { return s.switches }

// PortGroups returns the port groups.
func (s *Snapshot) PortGroups() Rows[PortGroup] { return s.portGroups }

// AddressSets returns the address sets.
func (s *Snapshot) AddressSets() Rows[AddressSet] { return s.addressSets }

// ACLs returns the ACLs.
func (s *Snapshot) ACLs() Rows[ACL] { return s.acls }

// RouterPorts returns the ports of logical routers.
func (s *Snapshot) RouterPorts() Rows[RouterPort] { return s.routerPorts }

// PortBindings returns the port bindings.
func (s *Snapshot) PortBindings() Rows[PortBinding] { return s.portBindings }

// Chassis returns the chassis.
func (s *Snapshot) Chassis() Rows[Chassis] { return s.chassis }

// NBGlobal returns the row of NB_Global; nil where it was not read.
func (s *Snapshot) NBGlobal() *NBGlobal { return first(s.nbGlobal) }

// SBGlobal returns the row of SB_Global; nil where it was not read.
func (s *Snapshot) SBGlobal() *SBGlobal { return first(s.sbGlobal) }

func first[T any](rows Rows[T]) *T {
	for row := range rows.All() {
		return row
	}
	return nil
}

// Port returns the port of that name; nil where there is none.
func (s *Snapshot) Port(name string) *Port {
	for p := range s.portsByName.with(name, func(p *Port) bool { return p.Name == name }) {
		return p
	}
	return nil
}

// SwitchPorts walks over the ports of the switch of that name.
func (s *Snapshot) SwitchPorts(name string) iter.Seq[*Port] {
	return s.portsBySwitch.with(name, func(p *Port) bool { return p.Switch == name })
}

// Version returns the release of ovn-northd that works on the database, such as "23.03.1"; empty where it has not said.
// It comes from options:northd_internal_version, which ovn-northd writes to NB_Global and SB_Global as
// "RELEASE-SB_SCHEMA-...".
func (s *Snapshot) Version() string {
	var options map[string]string
	if g := s.NBGlobal(); g != nil {
		options = g.Options
	} else if g := s.SBGlobal(); g != nil {
		options = g.Options
	}
	release, _, _ := strings.Cut(options["northd_internal_version"], "-")
	return release
}
