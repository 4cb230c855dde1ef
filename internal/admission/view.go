package admission

import (
	"cmp"
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// View is what a review sees of the world: who asks, and the cluster at one moment.
type View struct {
	Accounts  Accounts
	User      string
	Namespace policy.Namespace
	Inventory *inventory.State
	// Definitions is what was asked of networks for this review, by attachment without interface. For others the
	// inventory counts.
	Definitions map[kubeovn.Attachment]Definition
	Now         time.Time
	// Undo is what the request takes back of repair; its zero value is nothing.
	Undo undoing
	// Done is closed when the review has no more time; nil where it has all the time there is.
	Done <-chan struct{}
	// Replaces are the names of the ports that go when the pod is made, with the pods that it takes the place of.
	Replaces map[string]bool

	known map[asked]*grounds
	// asEnforced has pods changed as if their policies enforced.
	asEnforced bool
}

// late reports whether the review has no more time. What is judged is refused then: loops that look up what a pod lists
// ask for each item.
func (v *View) late() bool {
	select {
	case <-v.Done:
		return true
	default:
		return false
	}
}

// Refusal is one reason why a request must not be.
type Refusal struct {
	// Check is what refuses it; nil for a request that is about no pod.
	Check *Check
	// Field is what was refused, as in metadata.annotations["key"].
	Field string
	// Why is the rule, and Fix who or what would allow it. Both go to whoever asked, and so name nothing of another
	// namespace.
	Why, Fix string
	// Whole is Why with all that is known, for the audit log; empty where Why says it all.
	Whole string
	// Mode is that of the policy the port falls under.
	Mode policy.Mode
	// More is how many further reasons under the mode it stands for, without naming them.
	More int
	// Unread lists the kinds that must be read before it can be told whether there is a reason at all.
	Unread string
}

// String returns the refusal as a sentence, for whoever asked.
func (r Refusal) String() string { return r.sentence(r.Why) }

// Note returns the refusal as a sentence for the API server's audit log, which may name what belongs to others.
func (r Refusal) Note() string { return r.sentence(cmp.Or(r.Whole, r.Why)) }

func (r Refusal) sentence(why string) string {
	if r.More > 0 {
		return fmt.Sprintf("and %d more", r.More)
	}
	text := why
	if r.Field != "" {
		text = r.Field + ": " + text
	}
	if r.Fix != "" {
		text += "; " + r.Fix
	}
	if r.Check != nil {
		text += " (" + r.Check.ID + ")"
	}
	return text
}

// Whose returns the end of a sentence about what somebody has, as in "10.16.0.5 is ...". Its holder is named to nobody
// outside the holder's own namespace: answers would map the cluster otherwise.
func (v *View) Whose(h inventory.Holder) Private { return Whose(v.Inventory, v.Namespace.Name, h) }

// Whose is View.Whose for a request in the namespace; "" is a request in none, to which no holder is named.
func Whose(inv *inventory.State, namespace string, h inventory.Holder) Private {
	whole := "taken by " + h.String()
	if namespace != "" && inv.NamespaceOf(h) == namespace {
		return Private{whole, whole}
	}
	return Private{"taken", whole}
}

// annotation names an annotation as people find it in their manifest.
func annotation(key string) string { return fmt.Sprintf("metadata.annotations[%q]", key) }

// factsOf returns what decisions about the NICs of the pod rest on. An owner counts only where the account that makes
// such pods asks, or where the pod has it already: whoever makes a pod can write any owner into it.
func (v *View) factsOf(p *ParsedPod, trustOwner bool) *inventory.Pod {
	facts := &inventory.Pod{
		PodKey:         inventory.PodKey{Namespace: v.Namespace.Name, Name: p.Metadata.Name},
		Labels:         p.Metadata.Labels,
		Annotations:    make(map[string]string, len(p.Keys)),
		Lists:          p.lists(),
		Inherited:      p.Inherited,
		DefaultNetwork: p.Networks.Default,
		Attachments:    p.Networks.Attachments,
	}
	for i := range p.Keys {
		facts.Annotations[p.Keys[i].Name] = p.Keys[i].Value
	}
	if name := p.value(kubeovn.NATGateway); name != "" {
		facts.Annotations[kubeovn.NATGateway] = name
	}
	if c := p.Metadata.controller(); c != nil && (trustOwner || v.Accounts.made(*c, v.User)) {
		facts.Controller = c
	}
	return facts
}

// grounds is what decisions about all NICs of a pod rest on, with those that were made.
type grounds struct {
	facts   *inventory.Pod
	query   policy.Query
	decided map[kubeovn.Provider]policy.Decision
	// inherited are the annotations that the namespace hands down, by NIC, as far as they were asked for.
	inherited map[kubeovn.Provider]map[string]string
}

// asked identifies the pod that decisions are about; trustOwner is as for factsOf.
type asked struct {
	pod        *ParsedPod
	trustOwner bool
}

// grounds returns what decisions about the NICs of a pod rest on, found once.
func (v *View) grounds(p *ParsedPod, trustOwner bool) *grounds {
	key := asked{p, trustOwner}
	g := v.known[key]
	if g == nil {
		g = v.groundsOf(v.factsOf(p, trustOwner))
		if v.known == nil {
			v.known = make(map[asked]*grounds)
		}
		v.known[key] = g
	}
	return g
}

func (v *View) groundsOf(facts *inventory.Pod) *grounds {
	return &grounds{
		facts, v.Inventory.QueryAll(v.Namespace, facts, v.Now), make(map[kubeovn.Provider]policy.Decision),
		make(map[kubeovn.Provider]map[string]string),
	}
}

// decide returns the decision for a NIC, made once.
func (v *View) decide(g *grounds, provider kubeovn.Provider) policy.Decision {
	d, known := g.decided[provider]
	if !known {
		d = policy.Decide(v.Inventory.On(g.query, g.facts, provider))
		g.decided[provider] = d
	}
	return d
}

// handedDown returns the annotations that the namespace hands down to a NIC of the pod, if that is new.
func (g *grounds) handedDown(provider kubeovn.Provider) map[string]string {
	out, known := g.inherited[provider]
	if !known {
		q := g.query
		q.Provider = provider
		out = policy.HandedDown(q)
		g.inherited[provider] = out
	}
	return out
}

// tightestMode returns the strictest mode of the policies for any NIC that the pod can have. It is for pods whose NICs
// are not known.
func (v *View) tightestMode(p *Pod) policy.Mode {
	if v.Namespace.Err != nil {
		return policy.Enforce
	}
	return policy.TightestMode(v.Inventory.Policies(), v.Namespace, p.Metadata.Labels)
}

// portOwner returns the name that the pod's ports bear; keeps says whether machines keep their ports across their pods.
func (m *Metadata) portOwner(keeps bool) string {
	if o := m.launcherOf(); o != nil && keeps {
		return o.Name
	}
	return m.Name
}

// launcherOf returns the machine whose launcher the pod passes for; nil where there is none.
func (m *Metadata) launcherOf() *OwnerReference {
	for i, o := range m.Owners {
		if kubeovn.OwnsLauncher(o.APIVersion, o.Kind) {
			return &m.Owners[i]
		}
	}
	return nil
}
