// Package preview says beforehand what admission would do about what runs: which pods it would refuse, or make without
// what they ask for, if they were made again. It asks the checks of admission themselves. It is pure: a state of the
// inventory and what workloads say about their pods in, facts for the inventory out.
package preview

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Cluster is what pods and templates are judged in.
type Cluster struct {
	Inventory *inventory.State
	Accounts  admission.Accounts
	// LeftOut is the namespace whose pods are not sent to admission.
	LeftOut string
	Now     time.Time
}

// Bounds of what is judged and told of one workload.
const (
	// maxPods is how many pods of a workload are judged where its template is not known.
	maxPods = 32
	// maxReasons is how many reasons are told, and maxReason how many bytes of one: it quotes what the pod asks for.
	maxReasons = 10
	maxReason  = 2048
)

// group is what is judged together: the pods that are made from one workload.
type group struct {
	workload  policy.Owner
	namespace string
	// templates are those of the workload. Where there are none, pods are those of its pods that may be refused.
	templates []Template
	pods      []*inventory.Pod
	// running are all of its pods that run.
	running []*inventory.Pod

	refused   []Refusal
	overruled []admission.Overruled
}

// Workload is what admission would do about the pods of one workload if they were made again.
type Workload struct {
	// Object is what the pods are made from; it is the pod itself where that is made from nothing.
	Object    policy.Owner
	Namespace string
	// Running is how many of its pods run.
	Running int
	// Refused are the reasons to refuse the pods, in any mode.
	Refused []Refusal
	// Overruled are the wishes that are not granted to the pods. Their fields are named as they stand in the object.
	Overruled []admission.Overruled
}

// Refusal is a reason to refuse pods, and where in the object their template is.
type Refusal struct {
	admission.Refusal

	// Path is empty where the object is itself what is judged.
	Path string
}

// FieldInObject returns the name of the field as it stands in the object; "" where the refusal is about none.
func (r Refusal) FieldInObject() string {
	if r.Field == "" {
		return ""
	}
	return at(r.Path, r.Field)
}

// text says it with the field, in the words of admission.
func (r Refusal) text() string {
	if r.Field == "" {
		return r.String()
	}
	return at(r.Path, r.String())
}

// Foresee returns what Judge does as facts for the inventory, of bounded length.
func (c *Cluster) Foresee(templates []Template) map[inventory.Subject]inventory.Foreseen {
	judged := c.Judge(templates)
	if len(judged) == 0 {
		return nil
	}
	out := make(map[inventory.Subject]inventory.Foreseen, len(judged))
	for key, w := range judged {
		f := inventory.Foreseen{Workload: w.Object, Namespace: w.Namespace, Running: w.Running}
		for _, r := range w.Refused {
			f.Refused = note(f.Refused, inventory.Foresight{Text: r.text(), Mode: r.Mode})
		}
		for _, o := range w.Overruled {
			text := fmt.Sprintf("%s=%q: %s", o.Field, o.Value, o.Why)
			f.Overruled = note(f.Overruled, inventory.Foresight{Text: text, Mode: o.Mode})
		}
		out[key] = f
	}
	return out
}

// Judge returns what admission would do about pods if they were made again, by workload, without those about which it
// would do nothing. Where the template of a workload is known, that is judged; of other pods that run, what they are
// known to ask for.
func (c *Cluster) Judge(templates []Template) map[inventory.Subject]Workload {
	groups, templated := make(map[inventory.Subject]*group), make(map[inventory.Subject]bool)
	in := func(namespace string, workload policy.Owner) *group {
		key := inventory.WorkloadSubject(namespace, workload)
		if groups[key] == nil {
			groups[key] = &group{workload: workload, namespace: namespace}
		}
		return groups[key]
	}
	for _, t := range templates {
		templated[inventory.WorkloadSubject(t.Namespace, t.Workload)] = true
		if !c.leftOut(t.Namespace) {
			g := in(t.Namespace, t.Workload)
			g.templates = append(g.templates, t)
		}
	}
	for p := range c.Inventory.EachPod() {
		if c.leftOut(p.Namespace) || !runs(p) || !c.mayBeRefused(p) {
			continue
		}
		workload := c.WorkloadOf(p)
		if !templated[inventory.WorkloadSubject(p.Namespace, workload)] {
			g := in(p.Namespace, workload)
			g.pods = append(g.pods, p)
		}
	}
	if len(groups) == 0 {
		return nil
	}
	namespaces := make(map[string]bool)
	for _, g := range groups {
		namespaces[g.namespace] = true
	}
	for p := range c.Inventory.EachPod() {
		if !namespaces[p.Namespace] || !runs(p) {
			continue
		}
		if g := groups[inventory.WorkloadSubject(p.Namespace, c.WorkloadOf(p))]; g != nil {
			g.running = append(g.running, p)
		}
	}
	out := make(map[inventory.Subject]Workload)
	for key, g := range groups {
		if c.judge(g); len(g.refused)+len(g.overruled) > 0 {
			out[key] = Workload{
				Object: g.workload, Namespace: g.namespace, Running: len(g.running),
				Refused: g.refused, Overruled: g.overruled,
			}
		}
	}
	return out
}

func (c *Cluster) leftOut(namespace string) bool {
	return namespace == c.LeftOut || c.Inventory.Namespace(namespace).Err != nil
}

// judge finds out what admission would do about the pods of a group.
func (c *Cluster) judge(g *group) {
	byName := func(a, b *inventory.Pod) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(g.running, byName)
	slices.SortFunc(g.pods, byName)
	for _, t := range g.templates {
		f := c.foreseeTemplate(&t, g.running)
		g.add(t.Path, f.Refusals)
		for _, o := range f.Overruled {
			g.overrule(t.Path, o)
		}
	}
	// What is not granted to pods that run, the other rules say of their ports.
	for _, p := range g.pods[:min(len(g.pods), maxPods)] {
		g.add("", c.refusalsOf(p))
	}
}

// foreseeTemplate returns what admission would do about a pod that is made from the template; running are the pods that
// were, and run.
func (c *Cluster) foreseeTemplate(t *Template, running []*inventory.Pod) admission.Foreseen {
	v, by := c.view(t.Namespace, t.Maker(c.Accounts)), t.object
	if between, ok := t.between(); ok {
		// A pod may also say that the template's object itself makes it.
		i := slices.IndexFunc(running, func(p *inventory.Pod) bool {
			return p.Controller != nil && p.Controller.Kind == between.Kind
		})
		if i >= 0 {
			by = *running[i].Controller
		} else {
			by = between
			v.Inventory = c.Inventory.With(
				inventory.Workload{Object: by, Namespace: t.Namespace, Made: c.Now, Parent: &t.object},
			)
		}
	}
	v.Replaces = c.portsOf(running)
	return v.Foresee(admission.ParsePod(t.Namespace, t.pod(by), nil))
}

// portsOf returns the names of the ports of pods.
func (c *Cluster) portsOf(pods []*inventory.Pod) map[string]bool {
	names := make(map[string]bool, len(pods))
	for _, p := range pods {
		for _, nic := range c.Inventory.NICs(p.DefaultNetwork, p.Attachments) {
			names[kubeovn.PortName(p.Owner, p.Namespace, nic.Provider)] = true
		}
	}
	return names
}

// refusalsOf returns why admission would refuse a pod if it were made again by who made it.
func (c *Cluster) refusalsOf(p *inventory.Pod) []admission.Refusal {
	maker := ""
	if o := p.Controller; o != nil {
		maker = c.Accounts.MakerOf(groupOf(o.APIVersion), o.Kind)
	}
	return c.view(p.Namespace, maker).Foresee(admission.ParsePod(p.Namespace, madeAgain(p), nil)).Refusals
}

func (c *Cluster) view(namespace, user string) *admission.View {
	return &admission.View{
		Accounts:  c.Accounts,
		User:      user,
		Namespace: c.Inventory.Namespace(namespace),
		Inventory: c.Inventory,
		Now:       c.Now,
	}
}

// add notes refusals, each once. What would be let in a moment later is none.
func (g *group) add(path string, refusals []admission.Refusal) {
	for _, refusal := range refusals {
		if refusal.Check == nil && refusal.More == 0 || refusal.Check != nil && refusal.Check.Passing {
			continue
		}
		r := Refusal{Refusal: refusal, Path: path}
		if !slices.Contains(g.refused, r) {
			g.refused = append(g.refused, r)
		}
	}
}

// overrule notes a wish that would not be granted, once.
func (g *group) overrule(path string, o admission.Overruled) {
	if o.Field = at(path, o.Field); !slices.Contains(g.overruled, o) {
		g.overruled = append(g.overruled, o)
	}
}

// short returns a text without its middle where it is too long: it begins with the field, and ends with fix and check.
func short(text string) string {
	if len(text) <= maxReason {
		return text
	}
	const half = maxReason / 2
	return strings.ToValidUTF8(text[:half]+" ... "+text[len(text)-half:], "")
}

// note adds what is foreseen, once. Of more than are told, it adds that there are more.
func note(all []inventory.Foresight, f inventory.Foresight) []inventory.Foresight {
	f.Text = short(f.Text)
	if len(all) >= maxReasons && !slices.Contains(all, f) {
		f.Text = "and more"
	}
	if slices.Contains(all, f) {
		return all
	}
	return append(all, f)
}

// at returns the name of a field with the path of the template before it.
func at(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}
