// Package plan says what a change of policies, exceptions, namespaces or workloads would do before it is made: which
// ports of pods that run would change, from what each could no longer send, what admission would refuse that it lets in
// today, and which policies never decide. It is pure: two states of the cluster go in, the differences come out.
package plan

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/portsec"
)

// Side is the cluster before or after the change, with what workloads say about their pods.
type Side struct {
	Cluster   *preview.Cluster
	Templates []preview.Template
}

// Question is what is compared.
type Question struct {
	// Before and After are as of the same time, and have the same rows of OVN.
	Before, After Side
	// Eras are the parsers of OVN that may enforce; none for all.
	Eras []portsec.Era
	// Namespace is the only one whose workloads and exceptions are told; "" for all.
	Namespace string
	// Exceptions are those that are told in any case, because the change is about them.
	Exceptions []inventory.PodKey
}

// Result is what the change would do. It may grow; a field never changes its meaning or goes away.
type Result struct {
	Summary Summary `json:"summary"`
	// Workloads are those for which something changes, the worst first.
	Workloads []Workload `json:"workloads"`
	// Shadowed are the policies that never decide, before or after, in order of their names.
	Shadowed []Shadowed `json:"shadowed"`
	// Exceptions are those that come to count for other ports than before, or that the change is about.
	Exceptions []Exception `json:"exceptions"`
}

// Summary counts what would change.
type Summary struct {
	// Ports are the ports of pods that were compared.
	Ports int `json:"ports"`
	// Workloads are those for which something changes.
	Workloads int `json:"workloads"`
	// Changes are the ports that would change: Now those that repair would write while their pods run, Later those that
	// change when their pods are made again.
	Changes int `json:"changes"`
	Now     int `json:"now"`
	Later   int `json:"later"`
	// Lose and Gain are the ports that could send less, or more, than today. A port may be both.
	Lose int `json:"lose"`
	Gain int `json:"gain"`
	// Forward are those of Lose that seem to forward for others.
	Forward int `json:"forward"`
	// Refused are the workloads with new reasons to refuse their pods, Admitted those that are refused today only.
	Refused  int `json:"refused"`
	Admitted int `json:"admitted"`
	// Unknown are the ports that could not be judged.
	Unknown int `json:"unknown"`
}

// Workload is what would change for the pods of one workload.
type Workload struct {
	Namespace  string `json:"namespace"`
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	// Ports are those that change, by name.
	Ports []Port `json:"ports,omitempty"`
	// Refused are reasons to refuse the pods that are not there today; Warned are such reasons under a policy that does
	// not enforce.
	Refused []Refusal `json:"refused,omitempty"`
	Warned  []Refusal `json:"warned,omitempty"`
	// Admitted means that the pods are refused today, and would not be.
	Admitted bool `json:"admitted,omitempty"`
	// NotGranted are wishes that are granted today, and would not be.
	NotGranted []Wish `json:"notGranted,omitempty"`
}

// Lose returns how many ports could send, or take in, less than today.
func (w *Workload) Lose() int { return count(w.Ports, (*Port).Loses) }

// Gain returns how many ports could send, or take in, more than today.
func (w *Workload) Gain() int { return count(w.Ports, (*Port).Gains) }

// Forward returns how many ports that lose something seem to forward for others.
func (w *Workload) Forward() int {
	return count(w.Ports, func(p *Port) bool { return len(p.Forwards) > 0 })
}

func count(ports []Port, such func(*Port) bool) (n int) {
	for i := range ports {
		if such(&ports[i]) {
			n++
		}
	}
	return n
}

// Compare returns what the change would do.
func Compare(q Question) Result {
	c := newComparison(&q)
	parts := make([]part, max(1, runtime.GOMAXPROCS(0)))
	var all sync.WaitGroup
	for i, share := range q.After.Cluster.Inventory.Shares(len(parts), q.After.Cluster.Now) {
		all.Go(func() {
			for after := range share {
				c.look(&parts[i], &after)
			}
		})
	}
	all.Wait()
	workloads := make(map[inventory.Subject]*Workload)
	in := func(namespace string, o policy.Owner) *Workload {
		key := inventory.WorkloadSubject(namespace, o)
		if workloads[key] == nil {
			workloads[key] = &Workload{Namespace: namespace, APIVersion: o.APIVersion, Kind: o.Kind, Name: o.Name}
		}
		return workloads[key]
	}
	r := Result{Workloads: []Workload{}, Shadowed: []Shadowed{}, Exceptions: []Exception{}}
	total := newTally()
	for i := range parts {
		r.Summary.Ports += parts[i].ports
		total.add(parts[i].tally)
		for _, found := range parts[i].found {
			w := in(found.namespace, found.workload)
			w.Ports = append(w.Ports, found.port)
		}
	}
	c.refusals(in)
	for _, key := range slices.SortedFunc(maps.Keys(workloads), inOrder) {
		w := workloads[key]
		slices.SortFunc(w.Ports, func(a, b Port) int { return cmp.Compare(a.Name, b.Name) })
		r.Summary.add(w)
		r.Workloads = append(r.Workloads, *w)
	}
	slices.SortStableFunc(r.Workloads, worse)
	r.Shadowed = append(r.Shadowed, c.shadowed(total)...)
	r.Exceptions = append(r.Exceptions, c.exceptions(total)...)
	return r
}

// inOrder orders workloads by their names.
func inOrder(a, b inventory.Subject) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// worse orders workloads, the one that loses most first.
func worse(a, b Workload) int {
	return cmp.Or(
		-cmp.Compare(a.Forward(), b.Forward()), -cmp.Compare(a.Lose(), b.Lose()),
		-cmp.Compare(len(a.Refused), len(b.Refused)), -cmp.Compare(len(a.Ports), len(b.Ports)),
	)
}

func (s *Summary) add(w *Workload) {
	s.Workloads++
	s.Changes += len(w.Ports)
	s.Now += count(w.Ports, func(p *Port) bool { return p.When == Now })
	s.Later += count(w.Ports, func(p *Port) bool { return p.When == Later })
	s.Unknown += count(w.Ports, func(p *Port) bool { return p.Unknown != "" })
	s.Lose += w.Lose()
	s.Gain += w.Gain()
	s.Forward += w.Forward()
	if len(w.Refused) > 0 {
		s.Refused++
	}
	if w.Admitted {
		s.Admitted++
	}
}

// comparison is a question with what is found out once for all ports.
type comparison struct {
	*Question

	before, after *inventory.State
	// hops are the routes by their next hop.
	hops map[hop][]string
	// byLabel are the policies of each side that pick pods by their labels.
	byLabelBefore, byLabelAfter []policy.Policy
}

func newComparison(q *Question) *comparison {
	c := &comparison{Question: q, before: q.Before.Cluster.Inventory, after: q.After.Cluster.Inventory}
	c.hops = hopsOf(c.before)
	c.byLabelBefore, c.byLabelAfter = byLabel(c.before.Policies()), byLabel(c.after.Policies())
	return c
}

// part is what one goroutine found.
type part struct {
	ports int
	found []foundPort
	tally tally
}

// foundPort is a port that changes, and whose it is.
type foundPort struct {
	namespace string
	workload  policy.Owner
	port      Port
}

// look compares a port with what it is today.
func (c *comparison) look(to *part, after *inventory.Port) {
	if after.Pod == nil || after.Row == nil || after.Pod.Finished || c.Namespace != "" &&
		after.Pod.Namespace != c.Namespace {
		return
	}
	before := c.before.Port(after.Name, c.Before.Cluster.Now)
	if before.Pod == nil {
		return
	}
	to.ports++
	if to.tally.exceptions == nil {
		to.tally = newTally()
	}
	to.tally.count(&before, c.byLabelBefore, c.before.Namespace(before.Pod.Namespace), sideBefore)
	to.tally.count(after, c.byLabelAfter, c.after.Namespace(after.Pod.Namespace), sideAfter)
	if after.Row.Disabled || same(&before, after) {
		return
	}
	if p, changes := c.compare(before, *after); changes {
		to.found = append(
			to.found, foundPort{after.Pod.Namespace, c.After.Cluster.WorkloadOf(after.Pod), p},
		)
	}
}

// same reports whether what repair, Kube-OVN and admission do about a port rests on the same on both sides.
func same(b, a *inventory.Port) bool {
	return b.Pod == a.Pod && b.Row == a.Row && b.Record == a.Record && passes(b) == passes(a) &&
		b.Decision.Level == a.Decision.Level && b.Decision.Value() == a.Decision.Value() &&
		b.Decision.Forwarding == a.Decision.Forwarding && b.Decision.Mode == a.Decision.Mode &&
		b.Decision.Repair == a.Decision.Repair && slices.Equal(b.Decision.Pairs, a.Decision.Pairs)
}

// passes returns what matters of what a port passes on for others.
func passes(p *inventory.Port) (of [3]bool) {
	if p.Passing != nil {
		of = [3]bool{true, p.Passing.Cut, p.Passing.Excepted}
	}
	return of
}
