package kubeovn

// Attachment is one entry of the Networks annotation, or the DefaultNetwork one.
type Attachment struct {
	Namespace string
	Name      string
	// Interface is the interface name that the entry asks for; empty where it asks for none.
	Interface string
}

// AttachmentKind tells what a NetworkAttachmentDefinition makes.
type AttachmentKind int

// Kinds of attachment.
const (
	// KindUnknown means that the definition could not be read. Callers that guard treat it as KindOVN.
	KindUnknown AttachmentKind = iota
	// KindOVN is a NIC on an OVN logical switch (some plugin of the definition has type kube-ovn).
	KindOVN
	// KindForeign is a NIC outside OVN, whether or not Kube-OVN does its IPAM.
	KindForeign
	// KindMixed is a NIC on OVN and, as far as can be told, one outside OVN besides it: the definition calls other
	// plugins that may make one, or readers of its JSON may disagree on what it calls.
	KindMixed
)

// OnOVN reports whether the attachment makes a NIC on OVN, whatever else it makes.
func (k AttachmentKind) OnOVN() bool { return k == KindOVN || k == KindMixed }

// OffOVN reports whether the attachment makes a NIC outside OVN, or may.
func (k AttachmentKind) OffOVN() bool { return k == KindForeign || k == KindMixed }

// NIC is one NIC of a pod that Kube-OVN plugs, or may plug, into a logical switch.
type NIC struct {
	Provider Provider
	// Kind is KindOVN or KindMixed, or KindUnknown where the attachment's definition could not be read.
	Kind AttachmentKind
	// Spelling is true where releases of Kube-OVN spell the provider differently, so that a NIC of this provider exists
	// under some of them only.
	Spelling bool
}

// NICs returns the OVN NICs of a pod, the default network first. defaultNetwork is nil where the pod does not replace
// the default network. kind is asked once for each entry.
//
// An attachment that is listed more than once with an interface name has the interface in its provider since
// Kube-OVN 1.16; before, all entries shared the plain provider. Both are given then, so that whoever sets keys for each
// NIC is right on every release.
func NICs(defaultNetwork *Attachment, attachments []Attachment, kind func(Attachment) AttachmentKind) []NIC {
	var nics []NIC
	seen := make(map[Provider]bool)
	add := func(p Provider, k AttachmentKind, spelling bool) {
		if k == KindForeign || seen[p] {
			return
		}
		seen[p] = true
		nics = append(nics, NIC{Provider: p, Kind: k, Spelling: spelling})
	}
	all := attachments
	if defaultNetwork == nil {
		add(DefaultProvider, KindOVN, false)
	} else {
		all = append([]Attachment{*defaultNetwork}, attachments...) // it may be listed again, and counts then
	}
	times, plain := make(map[Provider]int), make(map[Provider]bool)
	for _, a := range all {
		p := AttachmentProvider(a.Namespace, a.Name)
		times[p]++
		plain[p] = plain[p] || a.Interface == ""
	}
	for _, a := range all {
		p, k := AttachmentProvider(a.Namespace, a.Name), kind(a)
		add(p, k, times[p] > 1 && !plain[p])
		if times[p] > 1 && a.Interface != "" {
			add(p+Provider("."+a.Interface), k, true)
		}
	}
	return nics
}
