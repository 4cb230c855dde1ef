package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Level says what a port may send from.
//
// +kubebuilder:validation:Enum=strict;mac;open
type Level string

// Levels, from the tightest to the loosest. What lies between strict and mac, the identity with some address pairs, is
// not asked for as a level but granted pair by pair.
const (
	// LevelStrict lets a port send from its own MAC and addresses only.
	LevelStrict Level = "strict"
	// LevelMAC lets a port send from its own MAC, with any address.
	LevelMAC Level = "mac"
	// LevelOpen puts no limit on what a port sends.
	LevelOpen Level = "open"
)

// Permission says whether something is allowed.
//
// +kubebuilder:validation:Enum=Forbid;Allow
type Permission string

// Permissions.
const (
	Forbid Permission = "Forbid"
	Allow  Permission = "Allow"
)

// Mode says what is done about a pod that wants more than it may have.
//
// +kubebuilder:validation:Enum=enforce;warn;audit
type Mode string

// Modes, as Pod Security Admission has them.
const (
	// ModeEnforce changes pods at admission, refuses what must not be, and lets ports be repaired.
	ModeEnforce Mode = "enforce"
	// ModeWarn changes nothing and tells the author of a request what enforcing would do.
	ModeWarn Mode = "warn"
	// ModeAudit changes nothing; the audit reports.
	ModeAudit Mode = "audit"
)

// Repair says what is done about a port that is not what it must be.
//
// +kubebuilder:validation:Enum=off;log;repair
type Repair string

// Values of Repair.
const (
	// RepairOff leaves ports as they are; findings are reported.
	RepairOff Repair = "off"
	// RepairLog also says what repair would write.
	RepairLog Repair = "log"
	// RepairOn puts ports right.
	RepairOn Repair = "repair"
)

// PortSecurityPolicy says what the ports of some namespaces may send from. For each port, the matching policy with the
// highest priority counts; without one, ports are strict, layer-2 forwarding is forbidden, nothing is repaired and no
// exception is honoured.
//
// A namespace may loosen what a policy says when whoever writes the namespace has the verb "exempt" on
// namespaces.ovnguard.io; a pod may only tighten; a PortSecurityException loosens single ports.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=ogp
// +kubebuilder:printcolumn:name="Priority",type=integer,JSONPath=`.spec.priority`
// +kubebuilder:printcolumn:name="Level",type=string,JSONPath=`.spec.level`
// +kubebuilder:printcolumn:name="Layer2Forward",type=string,JSONPath=`.spec.layer2Forward`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Repair",type=string,JSONPath=`.spec.repair`
// +kubebuilder:printcolumn:name="Ports",type=integer,JSONPath=`.status.matchedPorts`
// +kubebuilder:printcolumn:name="Violations",type=integer,JSONPath=`.status.violations`
// +kubebuilder:printcolumn:name="Accepted",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PortSecurityPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PortSecurityPolicySpec `json:"spec"`
	// +optional
	Status PortSecurityPolicyStatus `json:"status,omitzero"`
}

// PortSecurityPolicySpec is what a policy says.
type PortSecurityPolicySpec struct {
	// priority decides between policies that match the same port: the highest counts, and of equal ones the first by
	// name. By default 0; it may be negative.
	// +optional
	// +kubebuilder:default=0
	Priority int32 `json:"priority,omitempty"`
	// namespaceSelector picks namespaces by their labels. Left out, it picks all of them. The label
	// kubernetes.io/metadata.name holds the namespace's name, and nobody can change it.
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`
	// podSelector picks pods by their labels. Left out, it picks all of them. Whoever makes a pod chooses its labels;
	// therefore a policy with a podSelector can only tighten what the best policy without one says.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// providers picks NICs by provider: "ovn" is the default network, "<attachment>.<namespace>.ovn" an attachment. One
	// "*" at the beginning or the end stands for any text. An attachment that a pod lists more than once is picked
	// whatever interface stands behind its name. Left out, all NICs are picked.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*|\*?[-.a-z0-9]+|[-.a-z0-9]+\*)$`
	Providers []string `json:"providers,omitempty"`
	// level is what a port may send from: strict (its own MAC and addresses), mac (its own MAC with any address), or
	// open (anything, so that it can pose as any neighbour). By default strict.
	// +optional
	// +kubebuilder:default=strict
	Level Level `json:"level,omitempty"`
	// layer2Forward says whether pods may ask for layer-2 forwarding, with which a port also takes in frames for MACs
	// that nobody has: Forbid or Allow. Allow gives it to no pod that does not ask. By default Forbid.
	// +optional
	// +kubebuilder:default=Forbid
	Layer2Forward Permission `json:"layer2Forward,omitempty"`
	// externalAddresses says whether pods may take external addresses and routes by annotation: eip, snat and
	// north_gateway. Forbid refuses such pods, Allow leaves it to them. By default Forbid.
	// +optional
	// +kubebuilder:default=Forbid
	ExternalAddresses Permission `json:"externalAddresses,omitempty"`
	// otherNetworks says whether pods may have NICs that OVN does not make, such as macvlan, bridge or SR-IOV
	// attachments, where port security holds nothing: Allow or Forbid. With Forbid a pod is refused unless the
	// NetworkAttachmentDefinition of each network that it asks for is there and makes NICs on OVN alone, and no such
	// definition is changed into another under pods; pods that run stay as they are. providers pick such a network as
	// "<attachment>.<namespace>.ovn". Pods on their node's network (hostNetwork) are Pod Security admission's business
	// and not this field's. By default Allow: the audit names such pods (OVG024).
	// +optional
	// +kubebuilder:default=Allow
	OtherNetworks Permission `json:"otherNetworks,omitempty"`
	// inheritedKeys are keys of annotations that a namespace hands down to its pods, such as ovn.kubernetes.io/routes
	// for the default network or blue.lab.ovn.kubernetes.io/routes for attachment blue of namespace lab. A new pod that
	// does not carry the key gets the annotation of its namespace; one that carries it keeps its own value, an empty
	// one included. Only keys that have no effect on what a port may send or takes in can be listed (docs/keys.md). It
	// counts in every mode. Left out, nothing is handed down.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^([-a-z0-9]+[.][-.a-z0-9]+[.])?ovn[.]kubernetes[.]io/(bgp|default_route|dhcp-v4-options|dhcp-v6-options|egress_burst|egress_rate|ingress_burst|ingress_rate|jitter|latency|limit|loss|mirror|routes)$')",message="this key cannot be handed down to pods: it is guarded, or Kube-OVN does not read it of ordinary pods; list keys such as ovn.kubernetes.io/routes (docs/keys.md has all of them)"
	InheritedKeys []string `json:"inheritedKeys,omitempty"`
	// mode is enforce (change and refuse at admission, repair), warn (admission warnings only) or audit (findings
	// only). With warn and audit new pods get what they ask for. By default enforce.
	// +optional
	// +kubebuilder:default=enforce
	Mode Mode `json:"mode,omitempty"`
	// repair says what is done about ports that are not what they must be: off, log (say what would be written) or
	// repair. Nothing is written unless mode is enforce. By default log, since repair reaches running pods.
	// +optional
	// +kubebuilder:default=log
	Repair Repair `json:"repair,omitempty"`
	// limits bound what an exception may grant. An exception beyond one of them is refused, and has no effect if it is
	// there already.
	// +optional
	// +kubebuilder:default={}
	Limits Limits `json:"limits,omitzero"`
	// exceptions says where exceptions are honoured, and on what conditions. Left out, none is.
	// +optional
	Exceptions *ExceptionRules `json:"exceptions,omitempty"`
}

// Limits bound what an exception may grant.
type Limits struct {
	// maxPairs is how many address pairs one exception may grant. By default 8; with 0 exceptions grant no pairs.
	// +optional
	// +kubebuilder:default=8
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=256
	MaxPairs *int32 `json:"maxPairs,omitempty"`
	// minPrefixLengthIPv4 is the length of the widest IPv4 prefix that may be granted, in bits. A prefix of length 0 is
	// never granted. By default 24, which is 256 addresses.
	// +optional
	// +kubebuilder:default=24
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=32
	MinPrefixLengthIPv4 *int32 `json:"minPrefixLengthIPv4,omitempty"`
	// minPrefixLengthIPv6 is the length of the widest IPv6 prefix that may be granted, in bits. By default 64.
	// +optional
	// +kubebuilder:default=64
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	MinPrefixLengthIPv6 *int32 `json:"minPrefixLengthIPv6,omitempty"`
	// maxLifetime is the longest time from an exception's making, or last change, to its expiry, as hours, minutes and
	// seconds. By default "720h", which is 30 days.
	// +optional
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s')",message="must be longer than nothing"
	MaxLifetime *metav1.Duration `json:"maxLifetime,omitempty"`
	// maxLevel is the loosest level that an exception may grant: strict (pairs alone), mac or open. By default mac.
	// +optional
	// +kubebuilder:default=mac
	MaxLevel Level `json:"maxLevel,omitempty"`
	// requireOwner demands that an exception names the owner of its pods, with UID, and not labels alone, which
	// whoever makes pods in its namespace can write. Left out, labels are enough.
	// +optional
	RequireOwner bool `json:"requireOwner,omitempty"`
}

// ExceptionRules say where exceptions are honoured, and on what conditions.
type ExceptionRules struct {
	// namespaces are the names of the namespaces whose exceptions are honoured, such as [edge]. They are names and not
	// labels, since labels are in the hands of those who would like to be exempt. Left out, none is honoured.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespaces []string `json:"namespaces,omitempty"`
	// requireApproval demands that somebody other than its author, with the verb "approve" on portsecurityexceptions,
	// approves an exception before it has effect. Left out, an exception has effect when it is made.
	// +optional
	RequireApproval bool `json:"requireApproval,omitempty"`
	// ticketPattern is a regular expression (RE2) that the whole ticket of an exception must match, such as
	// "NET-[0-9]+". Left out, a ticket is not needed.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	TicketPattern string `json:"ticketPattern,omitempty"`
}

// ConditionAccepted says whether a policy can be read as a whole; its message says what cannot.
const ConditionAccepted = "Accepted"

// ConditionDecides says whether a policy without a podSelector decides about any NIC; its reason says why not, its
// message which policies come before it.
const ConditionDecides = "Decides"

// PortSecurityPolicyStatus is what became of a policy.
type PortSecurityPolicyStatus struct {
	// observedGeneration is the generation that the rest of the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// matchedPorts is how many ports this policy decides.
	// +optional
	MatchedPorts int32 `json:"matchedPorts,omitempty"`
	// matchedNamespaces is in how many namespaces those ports are.
	// +optional
	MatchedNamespaces int32 `json:"matchedNamespaces,omitempty"`
	// violations is how many of the ports are not what they must be.
	// +optional
	Violations int32 `json:"violations,omitempty"`
	// conditions: Accepted says whether the policy can be read as a whole.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PortSecurityPolicyList is a list of policies.
//
// +kubebuilder:object:root=true
type PortSecurityPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PortSecurityPolicy `json:"items"`
}
