package plan

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// drawn is what people say in a cluster.
type drawn struct {
	policies   []policy.Policy
	exceptions []policy.Exception
	level      string
}

func drawGovernance(r *rapid.T, label string) (d drawn) {
	for i := range rapid.IntRange(0, 2).Draw(r, label+" policies") {
		d.policies = append(d.policies, over(string(rune('a'+i)), func(p *policy.Policy) {
			p.Priority = int32(rapid.IntRange(0, 1).Draw(r, "priority"))
			p.Level = rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(r, "level")
			p.Mode = rapid.SampledFrom([]policy.Mode{policy.Enforce, policy.Enforce, policy.Warn}).Draw(r, "mode")
			p.Repair = rapid.SampledFrom([]policy.Repair{policy.RepairOn, policy.RepairOn, policy.RepairLog}).
				Draw(r, "repair")
			p.Forwarding = rapid.SampledFrom([]policy.Forwarding{policy.Forbid, policy.Allow}).Draw(r, "forwarding")
			p.ExternalAddresses = rapid.Bool().Draw(r, "external")
			if rapid.Bool().Draw(r, "by label") {
				p.Pods = func(l map[string]string) bool { return l["app"] == "web" }
			}
		}))
	}
	for i, prefix := range []string{"10.20.0.0/24", "192.0.2.7/32"} {
		if rapid.Bool().Draw(r, label+" exception") {
			d.exceptions = append(d.exceptions, grant(fmt.Sprintf("e%d", i), prefix))
		}
	}
	d.level = rapid.SampledFrom([]string{"", "", "strict", "mac", "open"}).Draw(r, label+" level")
	return d
}

// enter makes the inventory say this, and nothing of what was said before.
func (d drawn) enter(inv *inventory.Inventory) {
	for _, p := range slices.Clone(inv.Policies()) {
		inv.DeletePolicy(p.Name)
	}
	for _, e := range slices.Clone(inv.Exceptions("t")) {
		inv.DeleteException(e.Namespace, e.Name)
	}
	for _, p := range d.policies {
		inv.SetPolicy(p)
	}
	for _, e := range d.exceptions {
		inv.SetException(e)
	}
	ns := policy.Namespace{Name: "t", Labels: map[string]string{"name": "t"}}
	if d.level != "" {
		ns.Labels[policy.LevelLabel] = d.level
	}
	inv.SetNamespace(ns)
}

// drawPods enters pods of namespace "t" with ports of all kinds, and returns how to do that again.
func drawPods(r *rapid.T) func(*inventory.Inventory) {
	var enter []func(*inventory.Inventory)
	for n := range rapid.IntRange(1, 4).Draw(r, "pods") {
		_, _, own := identity(n + 1)
		column := rapid.SampledFrom([][]string{
			nil, {own}, {own + " 10.20.0.0/24"}, {own[:17]}, {"unknown"}, {own, "0a:00:00:00:be:ef 10.9.9.9"},
		}).Draw(r, "column")
		unknown := rapid.Bool().Draw(r, "unknown")
		wishes := []string{secure, rapid.SampledFrom([]string{"", "true", "false"}).Draw(r, "secure")}
		if rapid.Bool().Draw(r, "forwards") {
			wishes = append(wishes, forward, "true")
		}
		if rapid.IntRange(0, 3).Draw(r, "external") == 0 {
			wishes = append(wishes, eip, "203.0.113.7")
		}
		enter = append(enter, func(inv *inventory.Inventory) { runs(inv, "t", n+1, column, unknown, wishes...) })
	}
	return func(inv *inventory.Inventory) {
		for _, f := range enter {
			f(inv)
		}
	}
}

// What is said of a change is what a cluster is judged to be in which the change was made from the beginning.
func TestPredictionsHold(t *testing.T) {
	written, kept, later, refused := 0, 0, 0, 0
	rapid.Check(t, func(r *rapid.T) {
		enter, was, is := drawPods(r), drawGovernance(r, "before"), drawGovernance(r, "after")
		inv := town()
		was.enter(inv)
		enter(inv)
		result := planned(inv, func() { is.enter(inv) })
		fresh := town()
		is.enter(fresh)
		enter(fresh)
		old := town()
		was.enter(old)
		enter(old)
		for _, name := range fresh.Names() {
			port := fresh.Port(name, now)
			p := result.portNamed(name)
			switch {
			case p == nil:
				kept++
				checkUnchanged(r, old.Port(name, now), port)
			case p.When == Now:
				written++
				checkWritten(r, p, port)
			default:
				later++
				if a := repair.Plan(port, eras, repair.History{}, now); a.Kind == repair.Write && !a.Log &&
					!slices.Equal(a.PortSecurity, old.Port(name, now).Row.PortSecurity) &&
					repair.Plan(old.Port(name, now), eras, repair.History{}, now).Kind != repair.Write {
					r.Errorf("%s changes later, and repair writes %q now", name, a.PortSecurity)
				}
			}
			if p != nil {
				checkLost(r, p)
			}
		}
		refused += checkRefused(r, &result, old, fresh)
	})
	if written < 20 || kept < 20 || later < 20 || refused < 5 {
		t.Errorf("%d written, %d kept, %d later, %d refused: the draw shows nothing", written, kept, later, refused)
	}
}

// checkWritten makes sure that a port with the columns that were foretold is as was decided.
func checkWritten(r *rapid.T, p *Port, port inventory.Port) {
	row, pod := *port.Row, *port.Pod
	row.PortSecurity, row.Addresses = p.After.PortSecurity, p.After.Addresses
	pod.Annotations = maps.Clone(pod.Annotations)
	pod.Annotations[secure] = port.Decision.Value()
	port.Row, port.Pod = &row, &pod
	if a := repair.Plan(port, eras, repair.History{}, now); a.Kind != repair.Nothing && port.Decision.Repairs() {
		r.Errorf("%+v: repair still has to do this: %+v", p, a)
	}
	if result := audit.Evaluate(port, eras); port.Decision.Repairs() && (result.Wide || result.Narrow) {
		r.Errorf("%+v: the audit finds it wide %v, narrow %v", p, result.Wide, result.Narrow)
	}
}

// checkUnchanged makes sure that a port is left alone if nothing is said about it, or is written alike today.
func checkUnchanged(r *rapid.T, before, after inventory.Port) {
	column := func(p inventory.Port) []string {
		expected, err := audit.ExpectedOf(p)
		if err != nil || !p.Decision.Repairs() {
			return p.Row.PortSecurity
		}
		return expected.PortSecurity // nil where any column will do
	}
	if !before.Decision.Repairs() || !after.Decision.Repairs() ||
		before.Decision.Level == policy.Open || after.Decision.Level == policy.Open {
		return // what is not repaired is judged when the pod is made again
	}
	for _, era := range eras {
		if was, is := portsec.Parse(era, column(before)).
			Set(),
			portsec.Parse(era, column(after)).
				Set(); !was.Equal(
			is,
		) {
			r.Errorf("%s is said to stay, and would be %q instead of %q", after.Name, column(after), column(before))
		}
	}
}

// checkLost makes sure that what is lost and gained is told wherever one set does not cover the other one.
func checkLost(r *rapid.T, p *Port) {
	loses, gains := false, false
	for _, era := range eras {
		was, is := portsec.Parse(era, p.Before.PortSecurity).Set(), portsec.Parse(era, p.After.PortSecurity).Set()
		loses, gains = loses || !is.Covers(was), gains || !was.Covers(is)
	}
	if loses != (len(p.Lost) > 0) || gains != (len(p.Gained) > 0) {
		r.Errorf("%+v: by the sets it loses %v, gains %v", p, loses, gains)
	}
}

// checkRefused makes sure that workloads with a new refusal are those that a preview refuses after the change alone.
func checkRefused(r *rapid.T, result *Result, old, fresh *inventory.Inventory) (n int) {
	texts := func(inv *inventory.Inventory) map[string]bool {
		out := make(map[string]bool)
		for key, f := range sideOf(inv).Cluster.Foresee([]preview.Template{}) {
			for _, reason := range f.Refused {
				if reason.Mode == policy.Enforce {
					out[key.String()] = true
				}
			}
		}
		return out
	}
	before, after := texts(old), texts(fresh)
	for i := range result.Workloads {
		w := &result.Workloads[i]
		key := inventory.WorkloadSubject(
			w.Namespace, policy.Owner{APIVersion: w.APIVersion, Kind: w.Kind, Name: w.Name},
		).String()
		if len(w.Refused) > 0 && !after[key] || w.Admitted != (before[key] && !after[key]) {
			r.Errorf("%s: refused %+v, admitted %v; the preview refuses it before %v, after %v", key, w.Refused,
				w.Admitted, before[key], after[key])
		}
		if len(w.Refused) > 0 {
			n++
		}
		delete(after, key)
	}
	for key := range after {
		if !before[key] {
			r.Errorf("%s is newly refused, and nothing is said of it", key)
		}
	}
	return n
}
