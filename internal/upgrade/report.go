package upgrade

import (
	"cmp"
	"iter"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Plan is an upgrade.
type Plan struct {
	// Before are the eras that may enforce now, where the picture of a port does not say which do on its chassis, and
	// After those that may enforce afterwards.
	Before, After []portsec.Era
	// From and To are the releases of Kube-OVN; nil where one is not known, or not asked about.
	From, To *kubeovn.Release
}

// Change is what becomes of one port.
type Change struct {
	Port, Namespace, Pod string
	Provider             kubeovn.Provider
	Effect               Effect
	// Sure is false where it depends on which build of OVN, or which release of Kube-OVN, runs now or comes.
	Sure bool
	// PortSecurity is the column, and Column what becomes of it; nil where the change is not about the column.
	PortSecurity []string
	Column       *ColumnChange
	// Key and Value are the annotation that is read differently, and Meaning what the target makes of it.
	Key, Value, Meaning string
}

// Report is what an upgrade does.
type Report struct {
	// Ports is how many ports were looked at.
	Ports int
	// Changes are those that change something, the worst first.
	Changes []Change
	// Window says whether nothing is checked on any port during the upgrade.
	Window Window
}

// Window says whether Kube-OVN's upgrade switches port security off meanwhile.
type Window string

// Windows.
const (
	// NoWindow means that it does not.
	NoWindow Window = "none"
	// MayOpen means that it depends on what runs now, or on what comes.
	MayOpen Window = "possible"
	// OpenWindow means that it does: Kube-OVN's chart sets version_compatibility in the options of the Northbound
	// database to the release that is upgraded from, and its ovn-northd then writes no checks, until the post-upgrade
	// hook takes it back.
	OpenWindow Window = "certain"
	// OpenAlready means that the option switches port security off now.
	OpenAlready Window = "open now"
)

// Check returns what an upgrade does to ports.
func Check(ports iter.Seq[inventory.Port], p Plan) Report {
	var r Report
	after := p.After
	notChecking := false
	for port := range ports {
		if port.Row == nil && port.Pod == nil {
			continue
		}
		r.Ports++
		notChecking = notChecking || port.NotChecking != ""
		before := p.Before
		if len(port.Eras) > 0 {
			before = port.Eras
		}
		if port.Row != nil && len(port.Row.PortSecurity) > 0 {
			if c, ok := Between(port.Row.Type, port.Row.PortSecurity, before, after); ok {
				r.Changes = append(r.Changes, columnChange(&port, c))
			}
		}
		if port.Pod != nil && !port.Pod.Finished && p.To != nil {
			r.Changes = append(r.Changes, keyChanges(&port, p.From, *p.To)...)
		}
	}
	slices.SortStableFunc(r.Changes, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(a.Effect.Rank(), b.Effect.Rank()),
			cmp.Compare(a.Namespace, b.Namespace),
			cmp.Compare(a.Port, b.Port),
		)
	})
	r.Window = p.window(notChecking)
	return r
}

func columnChange(p *inventory.Port, c Column) Change {
	out := of(p, c.Worst.Effect, c.Sure)
	out.PortSecurity, out.Column = p.Row.PortSecurity, &c.Worst
	return out
}

func keyChanges(p *inventory.Port, from *kubeovn.Release, to kubeovn.Release) (out []Change) {
	for _, r := range readings {
		applies, sure := r.applies(from, to)
		if !applies {
			continue
		}
		key, value, ok := r.carries(p)
		if !ok {
			continue
		}
		c := of(p, Key, sure)
		c.Key, c.Value, c.Meaning = key, value, r.newer
		if to.Minor < r.since {
			c.Meaning = r.older
		}
		out = append(out, c)
	}
	return out
}

func of(p *inventory.Port, e Effect, sure bool) Change {
	c := Change{Port: p.Name, Provider: p.Provider, Effect: e, Sure: sure}
	if p.Pod != nil {
		c.Namespace, c.Pod = p.Pod.Namespace, p.Pod.Name
	}
	return c
}

// window returns whether nothing is checked during the upgrade: an ovn-controller of E0 does not know the checks that a
// later ovn-northd writes, and so Kube-OVN leaves them out until all nodes have the new one.
func (p Plan) window(notChecking bool) Window {
	old := func(e portsec.Era) bool { return !e.Has(portsec.ByController) }
	from, to := slices.ContainsFunc(
		p.Before,
		old,
	), slices.ContainsFunc(
		p.After,
		func(e portsec.Era) bool { return !old(e) },
	)
	switch {
	case notChecking:
		return OpenAlready
	case !from || !to:
		return NoWindow
	case slices.IndexFunc(p.Before, func(e portsec.Era) bool { return !old(e) }) < 0 && !slices.ContainsFunc(p.After, old):
		return OpenWindow
	}
	return MayOpen
}
