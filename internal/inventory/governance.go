package inventory

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/ovnguard/ovnguard/internal/persistent"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// governance is what people and namespaces say that ports must be. It answers which policies and exceptions there are,
// and which of the latter count.
type governance struct {
	namespaces persistent.Map[string, policy.Namespace]
	policies   []policy.Policy
	exceptions persistent.Map[string, []policy.Exception] // by namespace
}

// exception returns an exception; nil where there is none of that name.
func (g *governance) exception(namespace, name string) *policy.Exception {
	list := g.exceptions.Get(namespace)
	i := slices.IndexFunc(list, func(e policy.Exception) bool { return e.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// Policies returns all policies in their order of precedence. The list is never changed afterwards.
func (g *governance) Policies() []policy.Policy { return g.policies }

// Exceptions returns the exceptions of a namespace, those first that last longest, whether or not all count. The list
// is never changed afterwards.
func (g *governance) Exceptions(namespace string) []policy.Exception {
	return g.exceptions.Get(namespace)
}

func (g *governance) namespace(name string) policy.Namespace {
	if ns, ok := g.namespaces.Find(name); ok {
		return ns
	}
	return policy.Namespace{Name: name, Err: fmt.Errorf("namespace %s has not been seen", name)}
}

// Namespace returns what policy reads of a namespace; Err says so where it has not been seen.
func (g *governance) Namespace(name string) policy.Namespace { return g.namespace(name) }

// Namespaces returns all namespaces, in no order.
func (g *governance) Namespaces() []policy.Namespace {
	out := make([]policy.Namespace, 0, g.namespaces.Len())
	for ns := range g.namespaces.Values() {
		out = append(out, ns)
	}
	return out
}

// EachException returns every exception to look, in no order.
func (g *governance) EachException(look func(*policy.Exception)) {
	for list := range g.exceptions.Values() {
		for i := range list {
			look(&list[i])
		}
	}
}

// governanceEditor changes what governs ports, and finds the exceptions that a namespace consented to.
type governanceEditor struct {
	*governance
	*changes

	sharedBy sets[string, PodKey] // namespaces to the exceptions that have their consent
}

// setPolicy enters a policy that is not there.
func (ed *governanceEditor) setPolicy(p policy.Policy) {
	ed.policies = append(slices.Clone(ed.policies), p)
	policy.SortPolicies(ed.policies)
}

// deletePolicy takes a policy out; nil is returned where there is none of that name.
func (ed *governanceEditor) deletePolicy(name string) (gone *policy.Policy) {
	i := slices.IndexFunc(ed.policies, func(p policy.Policy) bool { return p.Name == name })
	if i < 0 {
		return nil
	}
	gone = &ed.policies[i]
	ed.policies = slices.Delete(slices.Clone(ed.policies), i, i+1)
	return gone
}

// setException enters an exception that is not there, and returns those of its namespace before and now.
func (ed *governanceEditor) setException(e *policy.Exception) (was, is []policy.Exception) {
	was = ed.exceptions.Get(e.Namespace)
	is = with(was, *e)
	ed.exceptions.Set(ed.edit, e.Namespace, is)
	for _, namespace := range consenting(e) {
		ed.sharedBy.add(ed.edit, namespace, PodKey{e.Namespace, e.Name})
	}
	ed.affectException(e.Namespace, e.Name)
	return was, is
}

// deleteException takes an exception out, and returns those of its namespace before and now.
func (ed *governanceEditor) deleteException(e *policy.Exception) (was, is []policy.Exception) {
	was = ed.exceptions.Get(e.Namespace)
	is = without(was, e.Name)
	replace(&ed.exceptions, ed.edit, e.Namespace, is)
	for _, namespace := range consenting(e) {
		ed.sharedBy.remove(ed.edit, namespace, PodKey{e.Namespace, e.Name})
	}
	ed.affectException(e.Namespace, e.Name)
	return was, is
}

// SetPolicy adds or replaces a policy and returns the names of the ports that it, or what it was before, may decide.
func (inv *Inventory) SetPolicy(p policy.Policy) []string {
	touched := inv.DeletePolicy(p.Name)
	inv.governance.setPolicy(p)
	return union(touched, inv.portsUnder(p))
}

// DeletePolicy takes a policy out and returns the names of the ports that it may have decided.
func (inv *Inventory) DeletePolicy(name string) []string {
	gone := inv.governance.deletePolicy(name)
	if gone == nil {
		return nil
	}
	return inv.portsUnder(*gone)
}

// portsUnder returns the names of the ports in namespaces that the policy picks.
func (inv *Inventory) portsUnder(p policy.Policy) []string {
	var names []string
	for ns := range inv.byNamespace.Keys() {
		if p.Namespaces == nil || p.Namespaces(inv.namespace(ns).Labels) {
			names = append(names, inv.pods.portsIn(ns)...)
		}
	}
	return union(names, nil)
}

// SetException adds or replaces an exception and returns the names of the ports that it, or what it was before, is for,
// and of those for which others begin or cease to count besides it.
func (inv *Inventory) SetException(e policy.Exception) []string {
	touched := inv.DeleteException(e.Namespace, e.Name)
	was, is := inv.governance.setException(&e)
	return union(append(touched, inv.displaced(was, is)...), inv.portsFor(&e))
}

// DeleteException takes an exception out and returns the names of the same ports.
func (inv *Inventory) DeleteException(namespace, name string) []string {
	gone := inv.exception(namespace, name)
	if gone == nil {
		return nil
	}
	was, is := inv.governance.deleteException(gone)
	return append(inv.displaced(was, is), inv.portsFor(gone)...)
}

// portsSharedBy returns the names of the ports that exceptions are for which have the consent of a namespace: it counts
// no more, or again, when the namespace becomes another one of its name.
func (inv *Inventory) portsSharedBy(namespace string) (names []string) {
	for key := range inv.governance.sharedBy.of(namespace) {
		if e := inv.exception(key.Namespace, key.Name); e != nil {
			names = append(names, inv.portsFor(e)...)
		}
	}
	return names
}

// portsFor returns the names of the ports of the pods that the exception targets.
func (inv *Inventory) portsFor(e *policy.Exception) []string {
	var names []string
	for p := range inv.podsIn(e.Namespace) {
		if anyNIC := (policy.Exception{Pods: e.Pods, Owner: e.Owner}); anyNIC.Targets(inv.policyPod(p), "") {
			names = append(names, inv.pods.ports[p.PodKey]...)
		}
	}
	return union(names, nil)
}

// SetNamespace adds or replaces a namespace and returns the names of the ports of its pods.
func (inv *Inventory) SetNamespace(ns policy.Namespace) []string {
	if before, ok := inv.namespaces.Find(ns.Name); ok && reflect.DeepEqual(before, ns) {
		return nil
	}
	another := inv.namespaces.Get(ns.Name).UID != ns.UID
	inv.governance.namespaces.Set(inv.edit, ns.Name, ns)
	touched := inv.pods.portsIn(ns.Name)
	if another {
		touched = union(touched, inv.portsSharedBy(ns.Name))
	}
	return touched
}

// DeleteNamespace takes a namespace out and returns the names of the ports of its pods.
func (inv *Inventory) DeleteNamespace(name string) []string {
	inv.governance.namespaces.Delete(inv.edit, name)
	return union(inv.pods.portsIn(name), inv.portsSharedBy(name))
}

// consenting returns the namespaces that consented to an exception.
func consenting(e *policy.Exception) (namespaces []string) {
	for _, s := range e.Shares {
		if s.Resource == policy.Namespaces {
			namespaces = append(namespaces, s.Name)
		}
	}
	return namespaces
}
