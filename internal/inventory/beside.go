package inventory

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// ThingKind says what kind of thing is judged beside the ports.
type ThingKind string

// Kinds of things.
const (
	ThingException ThingKind = "exception"
	ThingChassis   ThingKind = "chassis"
	// ThingGroup is a security group with its address sets.
	ThingGroup ThingKind = "group"
	// ThingPod is a pod with what it has beside its ports on OVN.
	ThingPod ThingKind = "pod"
)

// Thing names what is judged and is no port. Name is the UUID of a chassis; neither it nor a
// security group has a namespace.
type Thing struct {
	Kind      ThingKind
	Namespace string
	Name      string
}

// String gives kind and name, such as "exception shop/router".
func (t Thing) String() string {
	if t.Namespace == "" {
		return string(t.Kind) + " " + t.Name
	}
	return string(t.Kind) + " " + t.Namespace + "/" + t.Name
}

// Beside is the picture of such a thing. What it is of, by its kind, is nil where there is no such thing any more.
type Beside struct {
	Thing
	Exception *policy.Exception
	// Meant tells that the exception is meant for some port.
	Meant   bool
	Chassis *Chassis
	// Eras are the parsers that may enforce on the chassis, and Six is how many ports of pods with IPv6 addresses are bound to it.
	Eras []portsec.Era
	Six  int
	// Group tells that the security group has address sets; Strangers is what they hold that no port of the group accounts for.
	Group     bool
	Strangers []Stranger
	// Pod still runs, and is on the host's network or has Others: attachments that OVN does not make.
	Pod    *Pod
	Others []kubeovn.Attachment
}

// Beside gives the picture of a thing.
func (inv *Inventory) Beside(t Thing) Beside {
	b := Beside{Thing: t}
	switch t.Kind {
	case ThingException:
		list := inv.exceptions[t.Namespace]
		if i := slices.IndexFunc(list, func(e policy.Exception) bool { return e.Name == t.Name }); i >= 0 {
			b.Exception, b.Meant = &list[i], inv.meant(&list[i])
		}
	case ThingChassis:
		if c := inv.chassis[t.Name]; c != nil {
			b.Chassis, b.Eras, b.Six = &c.one[0], c.eras, inv.six[t.Name]
		}
	case ThingGroup:
		if b.Group = len(inv.setsOf[t.Name]) > 0; b.Group {
			b.Strangers = inv.strangers(t.Name)
		}
	case ThingPod:
		p := inv.pods[PodKey{t.Namespace, t.Name}]
		if p == nil || p.ended() {
			break
		}
		if others := inv.foreign(p); p.HostNetwork || len(others) > 0 {
			b.Pod, b.Others = p, others
		}
	}
	return b
}

// Things gives what there is to judge beside the ports, in no order.
func (inv *Inventory) Things() []Thing {
	var things []Thing
	for namespace, list := range inv.exceptions {
		for _, e := range list {
			things = append(things, Thing{ThingException, namespace, e.Name})
		}
	}
	for uuid := range inv.chassis {
		things = append(things, Thing{Kind: ThingChassis, Name: uuid})
	}
	for name := range inv.setsOf {
		things = append(things, Thing{Kind: ThingGroup, Name: name})
	}
	for key, p := range inv.pods {
		if p.besides() {
			things = append(things, Thing{ThingPod, key.Namespace, key.Name})
		}
	}
	return things
}

// Stirred gives the things that changes touched since it was asked last, in no order.
func (inv *Inventory) Stirred() []Thing {
	if len(inv.stirred) == 0 {
		return nil
	}
	things := make([]Thing, 0, len(inv.stirred))
	for t := range inv.stirred {
		things = append(things, t)
	}
	clear(inv.stirred)
	return things
}

// besides tells that the pod may have something outside OVN.
func (p *Pod) besides() bool {
	return p.HostNetwork || p.DefaultNetwork != nil || len(p.Attachments) > 0
}

// foreign gives the attachments of the pod that make NICs outside OVN.
func (inv *Inventory) foreign(p *Pod) (others []kubeovn.Attachment) {
	if !p.besides() {
		return nil
	}
	for _, a := range p.networks() {
		if inv.kinds[a].OffOVN() {
			others = append(others, a)
		}
	}
	return others
}

// meant tells that the exception is meant for some port.
func (inv *Inventory) meant(e *policy.Exception) bool {
	for key := range inv.byNamespace[e.Namespace] {
		p := inv.pods[key]
		if p.HostNetwork {
			continue
		}
		for _, nic := range inv.nics(p) {
			if e.Targets(inv.policyPod(p), nic.Provider) {
				return true
			}
		}
	}
	return false
}

func (inv *Inventory) stirException(namespace, name string) {
	inv.stirred[Thing{ThingException, namespace, name}] = true
}

// stirPod notes that a pod came, went, or has other NICs than before.
func (inv *Inventory) stirPod(p *Pod) {
	if p.besides() {
		inv.stirred[Thing{ThingPod, p.Namespace, p.Name}] = true
	}
	inv.stirMeant(p)
}

// stirMeant notes which exceptions are meant for a pod, whose NICs, labels or owners change.
func (inv *Inventory) stirMeant(p *Pod) {
	list := inv.exceptions[p.Namespace]
	if len(list) == 0 {
		return
	}
	pod := inv.policyPod(p)
	for _, e := range list {
		// Whether it is meant for one of the NICs is seen when it is judged; the owner may be what changes.
		anyNIC := policy.Exception{Pods: e.Pods, Owner: e.Owner}
		if e.Owner != nil || anyNIC.Targets(pod, "") {
			inv.stirException(e.Namespace, e.Name)
		}
	}
}

// stirOwned notes that the owner of pods came or went.
func (inv *Inventory) stirOwned(uid string) {
	if len(inv.exceptions) == 0 {
		return
	}
	for key := range inv.owned[uid] {
		inv.stirMeant(inv.pods[key])
	}
}

// countSix keeps how many ports with IPv6 addresses are bound to each chassis, when a slot was bound to some and is to others.
func (inv *Inventory) countSix(was, is []string) {
	if slices.Equal(was, is) {
		return
	}
	for uuids, delta := range map[*[]string]int{&was: -1, &is: +1} {
		for _, uuid := range *uuids {
			if inv.six[uuid] += delta; inv.six[uuid] == 0 {
				delete(inv.six, uuid)
			}
			inv.stirred[Thing{Kind: ThingChassis, Name: uuid}] = true
		}
	}
}

// six gives the chassis to which the port of a pod is bound that has an IPv6 address; none where it has none.
func (s *slot) six() []string {
	if s.record == nil || s.binding == nil || s.binding.Type != "" {
		return nil
	}
	if !slices.ContainsFunc(s.record.IPs, func(ip string) bool { return strings.Contains(ip, ":") }) {
		return nil
	}
	return s.binding.Chassis
}
