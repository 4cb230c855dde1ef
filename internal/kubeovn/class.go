package kubeovn

import (
	"slices"
	"strings"
)

// KeyClass says what an annotation key can do to a port, and so who may write it.
type KeyClass int

// Classes of keys.
const (
	// Harmless keys have no effect on what a port may send or take in.
	Harmless KeyClass = iota
	// LevelKey turns protection on and off: port_security and layer2_forward.
	LevelKey
	// GrantKey adds addresses to a port: port_vips, aaps and vip.
	GrantKey
	// IdentityKey chooses a port's addresses, MAC or switch. Kube-OVN reads it again whenever it rebuilds the port,
	// without asking its own address management.
	IdentityKey
	// OwnKey is Kube-OVN's own note about a port, such as allocated, or the machine whose port a launcher pod uses.
	// Kube-OVN believes it whoever wrote it.
	OwnKey
	// MachineKey makes a pod the target of a live migration of a KubeVirt machine: Kube-OVN then lets it have addresses
	// that others have.
	MachineKey
	// EgressKey takes an external address, or steers the pod's traffic elsewhere.
	EgressKey
	// GroupKey puts a port into security groups, whose address sets are computed from port_security.
	GroupKey
	// NetworkKey says which networks a pod is attached to, and so which NICs it has.
	NetworkKey
	// WishKey is what people may ask for when the pod is made, and Kube-OVN's own afterwards.
	WishKey
	// UnknownKey is a key of Kube-OVN's form that KeyRules lack: of a later release, or misspelt.
	UnknownKey
)

// VIP is the suffix of the annotation that names a Vip whose address and MAC the pod takes for its own.
const VIP Suffix = "vip"

// IPPool is the suffix of the annotation that names a pool, or lists addresses, to take the pod's from.
const IPPool Suffix = "ip_pool"

// AllowLiveMigration is the suffix of the annotation by which people ask Kube-OVN up to 1.12, on the template of a
// KubeVirt machine, to let the machine's pods share an address while it migrates.
const AllowLiveMigration Suffix = "allow_live_migration"

// classes are the classes of keys by suffix. Where a suffix exists on the default provider only, it counts for all:
// nothing harmless has these names.
var classes = func() map[Suffix]KeyClass {
	out := make(map[Suffix]KeyClass, len(KeyRules))
	for _, r := range KeyRules {
		out[r.Suffix] = r.Class
	}
	return out
}()

// ClassOf returns the class of an annotation key on a pod. It knows the per-interface forms too, such as
// "<attachment>.<namespace>.kubernetes.io/ip_address.<interface>" (Kube-OVN 1.16 and later).
func ClassOf(key string) KeyClass {
	switch key {
	case Networks, DefaultNetwork:
		return NetworkKey
	case MigrationJob:
		return MachineKey
	}
	provider, suffix, ok := SplitKey(key)
	if !ok {
		return Harmless
	}
	if base, _, cut := strings.Cut(string(suffix), "."); cut {
		suffix = Suffix(base)
	}
	class, known := classes[suffix]
	if !known && provider.OnOVN() {
		return UnknownKey // what others than Kube-OVN call so has no such provider, as kubectl.kubernetes.io/restartedAt
	}
	return class
}

// Present reports whether Kube-OVN asks whether the key is there, and not for its value: an empty one does all that
// another would.
func Present(key string) bool { return key == DefaultNetwork || ClassOf(key) == MachineKey }

// WritesSecurity reports whether a change of the key, where it is AAPs or of one of the pod's NICs, has Kube-OVN write
// port_security of all the pod's NICs again, from the addresses and MACs that its annotations say then, even where they
// say none yet.
func WritesSecurity(key string) bool {
	_, suffix, _ := SplitKey(key)
	return key == AAPs || suffix == PortSecurity || suffix == SecurityGroups || suffix == PortVIPs
}

// Outside reports whether a key of the class is read for a NIC that OVN does not make and whose addresses Kube-OVN
// manages: it has the provider of its attachment without ".ovn", and no port that could be protected or granted
// anything.
func (c KeyClass) Outside() bool { return c == IdentityKey || c == OwnKey || c == MachineKey }

// IsRead reports whether an annotation of a pod says something about its ports to whoever judges them: what is wished
// for and granted, the identity, whether Kube-OVN has given one, and what admission might refuse if the pod were made
// again. Others need not be kept.
func IsRead(key string) bool {
	switch ClassOf(key) { //nolint:exhaustive // nothing is decided by the others
	case LevelKey, GrantKey, IdentityKey, EgressKey, GroupKey, MachineKey:
		return true
	case OwnKey:
		return BaseSuffix(key) == Allocated
	}
	// Routes show for whom a port forwards.
	return key == NATGateway || BaseSuffix(key) == Routes
}

// BaseSuffix returns the suffix of a key without an interface's name; "" where the key has no provider.
func BaseSuffix(key string) Suffix {
	_, suffix, _ := SplitKey(key)
	base, _, _ := strings.Cut(string(suffix), ".")
	return Suffix(base)
}

// Suffixes returns the suffixes of the keys of these classes, in order. Networks and MachineKey have keys without a
// suffix, too.
func Suffixes(of ...KeyClass) []Suffix {
	var out []Suffix
	for suffix, class := range classes {
		if slices.Contains(of, class) {
			out = append(out, suffix)
		}
	}
	slices.Sort(out)
	return out
}

// ProviderOf returns the provider of the NIC that a key is about. Keys without a provider, and those that Kube-OVN
// reads for the default network alone, are about that. The form for one interface of an attachment that is listed more
// than once, "<attachment>.<namespace>.kubernetes.io/ip_address.<interface>", lacks the ".ovn" of the provider.
func ProviderOf(key string) Provider {
	p, suffix, ok := SplitKey(key)
	if !ok {
		return DefaultProvider
	}
	if _, name, cut := strings.Cut(string(suffix), "."); cut && p != DefaultProvider {
		return p + ".ovn." + Provider(name)
	}
	return p
}
