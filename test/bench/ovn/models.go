package main

import (
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/model"
)

// The bare client's models have the tables and columns that the mirror follows. Cloning and comparing is written out
// for each, as libovsdb's generator would, since the library's generic way is many times slower.

type portModel struct {
	UUID         string            `ovsdb:"_uuid"`
	Name         string            `ovsdb:"name"`
	Type         string            `ovsdb:"type"`
	Addresses    []string          `ovsdb:"addresses"`
	PortSecurity []string          `ovsdb:"port_security"`
	ExternalIDs  map[string]string `ovsdb:"external_ids"`
	Options      map[string]string `ovsdb:"options"`
	Enabled      *bool             `ovsdb:"enabled"`
	Up           *bool             `ovsdb:"up"`
	ParentName   *string           `ovsdb:"parent_name"`
	Tag          *int              `ovsdb:"tag"`
}

func (p *portModel) CloneModelInto(to model.Model) {
	c, ok := to.(*portModel)
	if !ok {
		panic("a port is copied into something else")
	}
	*c = *p
	c.Addresses, c.PortSecurity = slices.Clone(p.Addresses), slices.Clone(p.PortSecurity)
	c.ExternalIDs, c.Options = maps.Clone(p.ExternalIDs), maps.Clone(p.Options)
	c.Enabled, c.Up, c.ParentName, c.Tag = copied(p.Enabled), copied(p.Up), copied(p.ParentName), copied(p.Tag)
}

func (p *portModel) CloneModel() model.Model {
	c := new(portModel)
	p.CloneModelInto(c)
	return c
}

func (p *portModel) EqualsModel(other model.Model) bool {
	q, ok := other.(*portModel)
	return ok && p.UUID == q.UUID && p.Name == q.Name && p.Type == q.Type && slices.Equal(p.Addresses, q.Addresses) &&
		slices.Equal(
			p.PortSecurity,
			q.PortSecurity,
		) && maps.Equal(p.ExternalIDs, q.ExternalIDs) && maps.Equal(p.Options, q.Options) &&
		same(p.Enabled, q.Enabled) && same(p.Up, q.Up) && same(p.ParentName, q.ParentName) && same(p.Tag, q.Tag)
}

type switchModel struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Ports       []string          `ovsdb:"ports"`
	OtherConfig map[string]string `ovsdb:"other_config"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

func (s *switchModel) CloneModelInto(to model.Model) {
	c, ok := to.(*switchModel)
	if !ok {
		panic("a switch is copied into something else")
	}
	*c = *s
	c.Ports, c.OtherConfig, c.ExternalIDs = slices.Clone(s.Ports), maps.Clone(s.OtherConfig), maps.Clone(s.ExternalIDs)
}

func (s *switchModel) CloneModel() model.Model {
	c := new(switchModel)
	s.CloneModelInto(c)
	return c
}

func (s *switchModel) EqualsModel(other model.Model) bool {
	q, ok := other.(*switchModel)
	return ok && s.UUID == q.UUID && s.Name == q.Name && slices.Equal(s.Ports, q.Ports) &&
		maps.Equal(s.OtherConfig, q.OtherConfig) &&
		maps.Equal(s.ExternalIDs, q.ExternalIDs)
}

type globalModel struct {
	UUID        string            `ovsdb:"_uuid"`
	Config      int               `ovsdb:"nb_cfg"`
	Options     map[string]string `ovsdb:"options"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

func (g *globalModel) CloneModelInto(to model.Model) {
	c, ok := to.(*globalModel)
	if !ok {
		panic("NB_Global is copied into something else")
	}
	*c = *g
	c.Options, c.ExternalIDs = maps.Clone(g.Options), maps.Clone(g.ExternalIDs)
}

func (g *globalModel) CloneModel() model.Model {
	c := new(globalModel)
	g.CloneModelInto(c)
	return c
}

func (g *globalModel) EqualsModel(other model.Model) bool {
	q, ok := other.(*globalModel)
	return ok && g.UUID == q.UUID && g.Config == q.Config && maps.Equal(g.Options, q.Options) &&
		maps.Equal(g.ExternalIDs, q.ExternalIDs)
}

// These tell the library that it need not inspect models by reflection.
var (
	_ model.CloneableModel  = (*portModel)(nil)
	_ model.ComparableModel = (*portModel)(nil)
	_ model.CloneableModel  = (*switchModel)(nil)
	_ model.ComparableModel = (*switchModel)(nil)
	_ model.CloneableModel  = (*globalModel)(nil)
	_ model.ComparableModel = (*globalModel)(nil)
)

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }
