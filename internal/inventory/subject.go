package inventory

import (
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// SubjectKind says what kind of object is judged besides ports.
type SubjectKind string

// Kinds of subjects.
const (
	SubjectException SubjectKind = "exception"
	SubjectChassis   SubjectKind = "chassis"
	// SubjectGroup is a security group with its address sets.
	SubjectGroup SubjectKind = "group"
	// SubjectPod is a pod with what it has besides its ports on OVN.
	SubjectPod SubjectKind = "pod"
	// SubjectOptions is what the Northbound database says about all of its ports at once.
	SubjectOptions SubjectKind = "options"
	// SubjectAccount is an account of Kube-OVN's that was refused something.
	SubjectAccount SubjectKind = "account"
	// SubjectWorkload is what pods are made from, or a pod that is made from nothing.
	SubjectWorkload SubjectKind = "workload"
	// SubjectPolicy is a policy of the network, and SubjectGateway a pod that was granted the addresses of others.
	SubjectPolicy  SubjectKind = "policy"
	SubjectGateway SubjectKind = "gateway"
)

// Subject names what is judged and is no port. Name is the UUID of a chassis; neither it nor a
// security group has a namespace.
type Subject struct {
	Kind      SubjectKind
	Namespace string
	Name      string
}

// String returns kind and name, such as "exception shop/router".
func (t Subject) String() string {
	if t.Namespace == "" {
		return string(t.Kind) + " " + t.Name
	}
	return string(t.Kind) + " " + t.Namespace + "/" + t.Name
}

// SubjectView is the picture of a subject. What it is of, by its kind, is nil where it is there no more.
type SubjectView struct {
	Subject
	Exception *policy.Exception
	// Meant means that the exception is meant for some port.
	Meant   bool
	Chassis *Chassis
	// Eras are the parsers that may enforce on the chassis, and IPv6Ports is how many ports of pods with IPv6 addresses
	// are bound to it.
	Eras      []portsec.Era
	IPv6Ports int
	// Group means that the security group has address sets; UnknownMembers is what they hold that no port of the group
	// accounts for.
	Group          bool
	UnknownMembers []UnknownMember
	// Pod still runs, and is on the host's network or has Others: attachments that OVN does not make.
	Pod    *Pod
	Others []kubeovn.Attachment
	// NotChecking is the value of the Northbound option by which port security is checked nowhere; "" where it is
	// checked.
	NotChecking string
	// Namespace is where Kube-OVN runs, with NotChecking.
	Namespace string
	// Refused is what the account was refused; nil for nothing.
	Refused *Refused
	// Foreseen is what admission would do about the workload's pods; nil for nothing.
	Foreseen *Foreseen
	// Reached is what is wrong of the policy or of the gateway; nil for nothing.
	Reached *Reached
}

// Gone reports whether there is nothing any more to judge.
func (b SubjectView) Gone() bool {
	return b.Exception == nil && b.Chassis == nil && !b.Group && b.Pod == nil && b.NotChecking == "" &&
		b.Refused == nil && b.Foreseen == nil && b.Reached == nil
}

// SubjectView returns the picture of a subject.
func (inv *State) SubjectView(t Subject) SubjectView {
	b := SubjectView{Subject: t}
	switch t.Kind {
	case SubjectException:
		if e := inv.exception(t.Namespace, t.Name); e != nil {
			b.Exception, b.Meant = e, inv.meant(e)
		}
	case SubjectChassis:
		if c := inv.chassis.Get(t.Name); c != nil {
			b.Chassis, b.Eras, b.IPv6Ports = &c.one[0], c.eras, inv.ipv6Ports.Get(t.Name)
		}
	case SubjectGroup:
		if b.Group = len(inv.setsOf.Get(t.Name)) > 0; b.Group {
			b.UnknownMembers = inv.unknownMembers(t.Name)
		}
	case SubjectPod:
		p := inv.pod(PodKey{t.Namespace, t.Name})
		if p == nil || p.Finished { // one that is being deleted still sends
			break
		}
		if others := inv.foreign(p); p.HostNetwork || len(others) > 0 {
			b.Pod, b.Others = p, others
		}
	case SubjectOptions:
		b.NotChecking, b.Namespace = inv.notChecking(), inv.setup.Namespace
	case SubjectAccount:
		if r, ok := inv.refused.Find(t.Name); ok {
			b.Refused = &r
		}
	case SubjectWorkload:
		if f, ok := inv.foreseen.Find(t); ok {
			b.Foreseen = &f
		}
	case SubjectPolicy, SubjectGateway:
		if r, ok := inv.reached.Find(t); ok {
			b.Reached = &r
		}
	}
	return b
}

// Subjects returns what there is to judge besides ports, in no order.
func (inv *State) Subjects() []Subject {
	var subjects []Subject
	for namespace, list := range inv.exceptions.All() {
		for _, e := range list {
			subjects = append(subjects, Subject{SubjectException, namespace, e.Name})
		}
	}
	for uuid := range inv.chassis.Keys() {
		subjects = append(subjects, Subject{Kind: SubjectChassis, Name: uuid})
	}
	for name := range inv.setsOf.Keys() {
		subjects = append(subjects, Subject{Kind: SubjectGroup, Name: name})
	}
	for _, pods := range inv.byNamespace.All() {
		for _, p := range pods.All() {
			if p.mayBeOutside() {
				subjects = append(subjects, Subject{SubjectPod, p.Namespace, p.Name})
			}
		}
	}
	if inv.notChecking() != "" {
		subjects = append(subjects, northboundOptions)
	}
	for user := range inv.refused.Keys() {
		subjects = append(subjects, Subject{Kind: SubjectAccount, Name: user})
	}
	subjects = slices.AppendSeq(subjects, inv.foreseen.Keys())
	return slices.AppendSeq(subjects, inv.reached.Keys())
}

// mayBeOutside reports whether the pod may have something outside OVN.
func (p *Pod) mayBeOutside() bool {
	return p.HostNetwork || p.DefaultNetwork != nil || len(p.Attachments) > 0
}

// meant reports whether the exception is meant for some port.
func (inv *State) meant(e *policy.Exception) bool {
	for p := range inv.podsIn(e.Namespace) {
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

// affectPod notes that a pod came, went, or has other NICs than before.
func (inv *Inventory) affectPod(p *Pod) {
	if p.mayBeOutside() {
		inv.affected[Subject{SubjectPod, p.Namespace, p.Name}] = true
	}
	inv.affectMeant(p)
}

// affectMeant notes which exceptions are meant for a pod, whose NICs, labels or owners change.
func (inv *Inventory) affectMeant(p *Pod) {
	list := inv.exceptions.Get(p.Namespace)
	if len(list) == 0 {
		return
	}
	pod := inv.policyPod(p)
	for _, e := range list {
		// Whether it is meant for one of the NICs is seen when it is judged; the owner may be what changes.
		anyNIC := policy.Exception{Pods: e.Pods, Owner: e.Owner}
		if e.Owner != nil || anyNIC.Targets(pod, "") {
			inv.affectException(e.Namespace, e.Name)
		}
	}
}

// affectOwned notes that the owner of pods came or went.
func (inv *Inventory) affectOwned(uid string) {
	if inv.exceptions.Len() == 0 {
		return
	}
	for key := range inv.pods.owned.of(uid) {
		inv.affectMeant(inv.pod(key))
	}
}
