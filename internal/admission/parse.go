package admission

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// ParsedPod is a pod with everything that a review reads in its annotations, parsed once. It is never changed.
type ParsedPod struct {
	*Pod
	// Networks is what the pod asks for in addition to, or instead of, the default network.
	Networks multus.Networks
	// Unread says why the networks cannot be told; it is nil where they can.
	Unread *Refusal
	// NICs are the NICs that the pod may have in OVN: the default one alone, where its networks cannot be told.
	NICs []kubeovn.NIC
	// Record is what admission recorded on the pod, and Inherited those of its NICs whose port_security was written
	// unasked.
	Record    map[kubeovn.Provider]policy.Recorded
	Inherited []kubeovn.Provider
	// Keys are the annotations that say something about the pod's ports, in order of their keys.
	Keys []Key
	// Ignored are the keys, in no order, of annotations about NICs that the pod does not have. Nobody reads them until
	// it has.
	Ignored []string
	// Unknown are the annotation keys of Kube-OVN's form with an unknown effect, in no order.
	Unknown []string
	// Requests are the addresses and MACs that the pod asks for with its networks.
	Requests []Request

	namespace string
	// excess refuses networks, or what is asked of one, that are more than is read; nil where none are.
	excess *Refusal
	// size is how many bytes the annotations have together, and items how many items their lists have.
	size, items int
}

// Key is an annotation that says something about the pod's ports.
type Key struct {
	Name, Value string
	Class       kubeovn.KeyClass
	// Provider is that of the NIC that the annotation is about, and Suffix what it says about it, without an
	// interface's name.
	Provider kubeovn.Provider
	Suffix   kubeovn.Suffix
	// Elsewhere means that Kube-OVN would plug the NIC into a port of another name because the key is there.
	Elsewhere bool
	// Items are those of a list, each once. They are complete where Excess is "".
	Items []policy.Item
	// Excess says in which way the value is more than is read.
	Excess string

	count int
}

// counts reports whether the key does anything: one that is empty mostly does not.
func (k *Key) counts() bool { return k.Value != "" || kubeovn.Present(k.Name) || k.Elsewhere }

// Request is what a pod asks for with one of its networks.
type Request struct {
	multus.Request
	// Addresses are those of IPs, without a length and each once.
	Addresses []policy.Item
}

// ParsePod parses a pod of the namespace. like is a pod that was parsed before and has values in common with this one,
// such as the same pod before a change; these are not parsed again. It may be nil.
func ParsePod(namespace string, p *Pod, like *ParsedPod) *ParsedPod {
	out := &ParsedPod{Pod: p, namespace: namespace}
	for key, value := range p.Metadata.Annotations {
		out.size += len(key) + len(value)
	}
	if out.size > maxAnnotations { // it is refused, and read no further
		out.NICs = nicsOf(multus.Networks{})
		return out
	}
	out.parseNetworks(like)
	out.parseRecord(like)
	out.sortKeys()
	for i := range out.Keys {
		k := &out.Keys[i]
		if was := like.key(k.Name); was != nil && was.Value == k.Value {
			k.Items, k.Excess, k.count = was.Items, was.Excess, was.count
		} else {
			k.parse(maxItems - out.items)
		}
		out.items += k.count
	}
	return out
}

// sortKeys finds the annotations that say something about the pod's ports.
func (p *ParsedPod) sortKeys() {
	has := make(map[kubeovn.Provider]bool, len(p.NICs))
	for _, nic := range p.NICs {
		has[nic.Provider.Attachment()] = true
	}
	for key, value := range p.Metadata.Annotations {
		class := kubeovn.ClassOf(key)
		switch class { //nolint:exhaustive // the others are about the pod's ports
		case kubeovn.Harmless:
			continue
		case kubeovn.UnknownKey:
			p.Unknown = append(p.Unknown, key)
			continue
		}
		provider := kubeovn.ProviderOf(key)
		if nic, elsewhere := p.plugs(key, provider); elsewhere {
			p.Keys = append(
				p.Keys,
				Key{Name: key, Value: value, Class: class, Provider: nic, Suffix: kubeovn.IPAddress, Elsewhere: true},
			)
			continue
		}
		if p.Unread == nil && provider != kubeovn.DefaultProvider && !has[provider.Attachment()] &&
			(!has[provider+".ovn"] || !class.Outside()) {
			p.Ignored = append(p.Ignored, key)
			continue
		}
		p.Keys = append(
			p.Keys,
			Key{Name: key, Value: value, Class: class, Provider: provider, Suffix: kubeovn.BaseSuffix(key)},
		)
	}
	slices.SortFunc(p.Keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
}

// plugs reports whether Kube-OVN's daemon would plug a NIC of the pod into a port of another name because of this key,
// and which NIC. Since 1.16.2 it asks only whether there is an ip_address with the interface's name behind the provider
// (handleAdd and configureNic in pkg/daemon), also where that is the key of an attachment outside OVN as well: the
// attachment ovn of namespace eth0 has ovn.eth0.kubernetes.io/ip_address.
func (p *ParsedPod) plugs(key string, provider kubeovn.Provider) (kubeovn.Provider, bool) {
	if _, suffix, _ := kubeovn.SplitKey(key); suffix != kubeovn.IPAddress || p.Unread != nil {
		return "", false
	}
	for _, nic := range p.NICs {
		if nic.Provider == provider {
			return "", false // it is there more than once, and Kube-OVN's controller names its ports so
		}
	}
	for _, nic := range p.NICs {
		if strings.HasPrefix(string(provider), string(nic.Provider)+".") {
			return nic.Provider, true
		}
	}
	return "", false
}

// parseNetworks reads the networks, unless like has the same.
func (p *ParsedPod) parseNetworks(like *ParsedPod) {
	if p.sameNetworks(like) {
		p.Networks, p.Unread, p.NICs, p.Requests, p.excess = like.Networks, like.Unread, like.NICs, like.Requests, like.excess
	} else {
		p.readNetworks()
	}
	for _, r := range p.Requests {
		p.items += len(r.Addresses)
	}
}

// sameNetworks reports whether another pod, which may be nil, asks for networks in the same words.
func (p *ParsedPod) sameNetworks(o *ParsedPod) bool {
	return o != nil && o.namespace == p.namespace && o.value(kubeovn.Networks) == p.value(kubeovn.Networks) &&
		o.value(kubeovn.DefaultNetwork) == p.value(kubeovn.DefaultNetwork)
}

func (p *ParsedPod) readNetworks() {
	networks, err := multus.Parse(p.namespace, p.Metadata.Annotations)
	if err != nil {
		p.Unread = &Refusal{
			Check: unreadableNetworks,
			Field: "metadata.annotations",
			Why:   err.Error(),
			Fix: `write it as Multus expects, for example "namespace/name", or ` +
				`[{"name":"name","namespace":"namespace"}]`,
		}
		if many := (multus.TooManyError{}); errors.As(err, &many) {
			p.Unread = &Refusal{Check: tooMuch, Field: annotation(many.Key), Why: many.Error(), Fix: "ask for fewer"}
			p.excess = p.Unread
		}
		networks = multus.Networks{}
	}
	p.Networks, p.NICs = networks, nicsOf(networks)
	for _, r := range networks.Requests {
		addresses, count := policy.Distinct(
			slices.Values(r.IPs),
			len(r.IPs),
			policy.ListLimit,
			func(text string) policy.Item {
				address, _, _ := strings.Cut(text, "/")
				return policy.AddressItem(address)
			},
		)
		if count > policy.ListLimit && p.excess == nil {
			p.excess = &Refusal{
				Check: tooMuch,
				Field: annotation(kubeovn.Networks),
				Why: fmt.Sprintf(
					"network %s/%s asks for %d addresses, and the limit is %d",
					r.Namespace,
					r.Name,
					count,
					policy.ListLimit,
				),
				Fix: "ask for fewer",
			}
		}
		p.Requests = append(p.Requests, Request{r, addresses})
	}
}

// parseRecord reads what admission recorded, unless like has the same.
func (p *ParsedPod) parseRecord(like *ParsedPod) {
	if like != nil &&
		like.Metadata.Annotations[policy.RecordAnnotation] == p.Metadata.Annotations[policy.RecordAnnotation] {
		p.Record = like.Record
	} else {
		p.Record = policy.ReadRecord(p.Metadata.Annotations)
	}
	for _, nic := range p.NICs {
		if r, ok := p.Record[nic.Provider]; ok && !r.Asked {
			p.Inherited = append(p.Inherited, nic.Provider)
		}
	}
}

// nicsOf returns the NICs that a pod may have in OVN. Every attachment counts as one of OVN: what its definition says
// now can be another thing when the pod starts.
func nicsOf(n multus.Networks) []kubeovn.NIC {
	return kubeovn.NICs(
		n.Default,
		n.Attachments,
		func(kubeovn.Attachment) kubeovn.AttachmentKind { return kubeovn.KindOVN },
	)
}

// key returns the annotation of that name, and nil where it is not there, is harmless, or is about a NIC that the pod
// does not have.
func (p *ParsedPod) key(name string) *Key {
	if p == nil {
		return nil
	}
	i, found := slices.BinarySearchFunc(p.Keys, name, func(k Key, name string) int { return cmp.Compare(k.Name, name) })
	if !found {
		return nil
	}
	return &p.Keys[i]
}

// value returns the value of an annotation, whatever it is about.
func (p *ParsedPod) value(name string) string { return p.Metadata.Annotations[name] }

// lists returns the lists that decisions rest on, by their keys.
func (p *ParsedPod) lists() map[string][]policy.Item {
	var out map[string][]policy.Item
	for i := range p.Keys {
		if k := &p.Keys[i]; k.Suffix == kubeovn.PortVIPs || k.Name == kubeovn.AAPs {
			if out == nil {
				out = make(map[string][]policy.Item)
			}
			out[k.Name] = k.Items
		}
	}
	return out
}

// parse reads the value. left is how many items the pod may still list.
func (k *Key) parse(left int) {
	switch most := k.maxValue(); {
	case len(k.Value) > most:
		k.Excess = fmt.Sprintf("%d bytes, and the limit is %d", len(k.Value), most)
		return
	case left < 0:
		k.Excess = fmt.Sprintf(
			"with this value, the annotations of the pod list more than the limit of %d items",
			maxItems,
		)
		return
	}
	most := k.maxItems()
	switch {
	case k.Class == kubeovn.NetworkKey, k.Value == "":
		return
	case k.Suffix == kubeovn.IPPool:
		k.parsePool()
	case k.Suffix == kubeovn.IPAddress, k.Suffix == kubeovn.PortVIPs:
		k.Items, k.count = policy.List(k.Value, most, policy.AddressItem)
	case k.Suffix == kubeovn.MACAddress:
		_, err := policy.StationMAC(k.Value)
		k.Items, k.count = []policy.Item{{Text: k.Value, Err: err}}, 1
	case k.Class == kubeovn.GrantKey && k.Suffix != kubeovn.VIP:
		k.Items, k.count = policy.List(k.Value, most, policy.NameItem)
	case k.Class == kubeovn.IdentityKey, k.Class == kubeovn.GroupKey:
		k.Items, k.count = policy.List(k.Value, most, func(text string) policy.Item { return policy.Item{Text: text} })
	default:
		k.Items = []policy.Item{{Text: k.Value}}
	}
	if k.count > most {
		k.Excess = fmt.Sprintf("it lists %d items, and the limit is %d", k.count, most)
	}
}

// parsePool reads a list of addresses to choose from, with commas or semicolons, or the name of an IPPool.
func (k *Key) parsePool() {
	parts := strings.FieldsFuncSeq(k.Value, func(r rune) bool { return r == ',' || r == ';' })
	size := 1 + strings.Count(k.Value, ",") + strings.Count(k.Value, ";")
	k.Items, k.count = policy.Distinct(parts, size, k.maxItems(), policy.AddressItem)
	if k.count == 1 && isName(k.Items[0].Text) {
		k.Items[0].Err = nil
	}
}

// pool returns the name of the IPPool that the value is; ok is false where it lists addresses.
func (k *Key) pool() (name string, ok bool) {
	if len(k.Items) != 1 || k.Items[0].Err != nil || k.Items[0].Address.IsValid() {
		return "", false
	}
	return k.Items[0].Text, true
}
