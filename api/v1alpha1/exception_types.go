package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Class names what people need an exception for. Each is the narrowest that works, on layer 2 and on layer 3 together.
//
// +kubebuilder:validation:Enum=router;vpn;vrrp;nat-gateway;nested-virtualization
type Class string

// Classes.
const (
	// ClassRouter forwards for the networks that the pairs name, from its own MAC.
	ClassRouter Class = "router"
	// ClassVPN sends from the addresses of its clients, which the pairs name, from its own MAC.
	ClassVPN Class = "vpn"
	// ClassVRRP shares single addresses with other ports, with or without the virtual MACs of VRRP.
	ClassVRRP Class = "vrrp"
	// ClassNATGateway forwards answers from anywhere, from its own MAC.
	ClassNATGateway Class = "nat-gateway"
	// ClassNestedVirtualization carries machines with MACs of their own, which the pairs name.
	ClassNestedVirtualization Class = "nested-virtualization"
)

// PortSecurityException lets some ports of its namespace send from more than their own MAC and addresses, for a time.
// It is honoured only where a PortSecurityPolicy names its namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,shortName=oge
// +kubebuilder:printcolumn:name="Class",type=string,JSONPath=`.spec.class`
// +kubebuilder:printcolumn:name="Owner",type=string,JSONPath=`.spec.owner`
// +kubebuilder:printcolumn:name="In effect",type=string,JSONPath=`.status.conditions[?(@.type=="InEffect")].status`
// +kubebuilder:printcolumn:name="Why",type=string,JSONPath=`.status.conditions[?(@.type=="InEffect")].reason`
// +kubebuilder:printcolumn:name="Ports",type=integer,JSONPath=`.status.matchedPorts`
// +kubebuilder:printcolumn:name="Expires",type=string,JSONPath=`.spec.expiresAt`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.spec.reason`
type PortSecurityException struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec PortSecurityExceptionSpec `json:"spec"`
	// +optional
	Status PortSecurityExceptionStatus `json:"status,omitzero"`
}

// PortSecurityExceptionSpec is what an exception says.
//
// +kubebuilder:validation:XValidation:rule="!has(self.notBefore) || self.notBefore < self.expiresAt",message="notBefore must be earlier than expiresAt"
// +kubebuilder:validation:XValidation:rule="has(self.grant.pairs) && size(self.grant.pairs) > 0 || has(self.grant.layer2Forward) && self.grant.layer2Forward == 'Allow' || has(self.grant.level) || has(self.class) && self.class == 'nat-gateway'",message="grant something: address pairs, layer2Forward: Allow, or a level"
type PortSecurityExceptionSpec struct {
	// target says for which ports of this namespace the exception is.
	// +required
	Target Target `json:"target"`
	// class names what it is for: router, vpn, vrrp, nat-gateway or nested-virtualization. A class fills in what of the
	// grant is left out, and refuses what works against it in layer 2 or layer 3. Left out, the grant is taken as it
	// is.
	// +optional
	Class Class `json:"class,omitempty"`
	// grant says what the ports may do beyond what policy says.
	// +required
	Grant Grant `json:"grant"`
	// reason says, for people, why it is needed, such as "forwards for the branch offices".
	// +required
	// +kubebuilder:validation:MinLength=8
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
	// owner is the person or team to ask, such as an address or a name that people of the cluster know.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=253
	Owner string `json:"owner"`
	// ticket refers to where it was discussed, such as "NET-1234". Policy may demand one of a certain form; it may
	// be left out otherwise.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Ticket string `json:"ticket,omitempty"`
	// notBefore is when it begins, such as "2026-12-01T08:00:00Z". Left out, it begins at once.
	// +optional
	NotBefore *metav1.Time `json:"notBefore,omitempty"`
	// expiresAt is when it ends, such as "2026-12-31T00:00:00Z"; its ports are what policy says from then on, running
	// ones too where policy repairs. Policy limits how far away it may be.
	// +required
	ExpiresAt metav1.Time `json:"expiresAt"`
	// requestedBy is the user who last changed what is asked for. Admission writes it; what is given here is replaced.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	RequestedBy string `json:"requestedBy,omitempty"`
	// requestedAt is when that was. Admission writes it.
	// +optional
	RequestedAt *metav1.Time `json:"requestedAt,omitempty"`
	// requestID is a digest of what is asked for: target, class, grant, reason, owner, ticket and times. Admission
	// writes it.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	RequestID string `json:"requestID,omitempty"`
	// approvedBy is the user who approved it: everybody can only give their own name, needs the verb "approve" on
	// portsecurityexceptions for it, and cannot approve what they asked for. A ServiceAccount of this namespace
	// approves nothing. Changing what is asked for takes it away.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	ApprovedBy string `json:"approvedBy,omitempty"`
	// sharedBy are the owners of what the pairs share with others (sharedWith), each with the user who had the verb
	// "share" on it and wrote or approved what is asked for. Admission writes it; changing what is asked for takes it
	// away.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	SharedBy []Share `json:"sharedBy,omitempty"`
	// approvedRequest is the requestID of what whoever gives approvedBy has looked at, and goes with it: what was
	// changed meanwhile has another one, and is not approved. Changing what is asked for takes it away.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	ApprovedRequest string `json:"approvedRequest,omitempty"`
}

// Share is the consent of an owner to share addresses or MACs.
type Share struct {
	// resource is "namespaces" or "subnets".
	// +required
	// +kubebuilder:validation:Enum=namespaces;subnets
	Resource string `json:"resource"`
	// name of the Namespace or the Subnet.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of it: one that takes the name later has consented to nothing.
	// +required
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=128
	UID types.UID `json:"uid"`
	// user had the verb "share" on it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	User string `json:"user"`
}

// Target picks ports of the exception's namespace. All that is given must hold.
//
// +kubebuilder:validation:XValidation:rule="has(self.podSelector) || has(self.owner)",message="name an owner, or select pods by their labels; podSelector: {} selects every pod of the namespace"
type Target struct {
	// podSelector picks pods by their labels. Whoever may make pods in this namespace can give them such labels.
	// +optional
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// owner picks the pods of one object, such as a StatefulSet, a Deployment or a VirtualMachine.
	// +optional
	Owner *Owner `json:"owner,omitempty"`
	// providers picks NICs by provider, as in a policy. Left out, all NICs of the pods are picked.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*|\*?[-.a-z0-9]+|[-.a-z0-9]+\*)$`
	Providers []string `json:"providers,omitempty"`
}

// Owner is the object that made the pods, directly or through another.
type Owner struct {
	// apiVersion of the owner, such as "apps/v1".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=317
	APIVersion string `json:"apiVersion"`
	// kind of the owner, such as "StatefulSet".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`
	// name of the owner.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// uid of the owner. Left out, admission enters that of the object that has the name now: an object that takes the
	// name later is another one.
	// +optional
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=128
	UID types.UID `json:"uid,omitempty"`
}

// Grant is what ports may do beyond what policy says.
type Grant struct {
	// pairs are what the ports may also send from and receive for, besides their own MAC and addresses. Left out, level
	// or layer2Forward must grant something.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Pairs []AddressPair `json:"pairs,omitempty"`
	// layer2Forward: Allow also gives the ports frames for MACs that nobody has; the pod is made with it. Left out or
	// Forbid, it grants none.
	// +optional
	Layer2Forward Permission `json:"layer2Forward,omitempty"`
	// level lets the ports send from their own MAC with any address (mac), or from anything (open). Left out or strict,
	// the pairs are all that is granted.
	// +optional
	Level Level `json:"level,omitempty"`
}

// AddressPair is an address range, and the MAC that goes with it.
type AddressPair struct {
	// mac is six octets such as "00:00:5e:00:01:0a". Left out, it is the port's own.
	// +optional
	// +kubebuilder:validation:Pattern=`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`
	MAC string `json:"mac,omitempty"`
	// prefix is an address or a range such as "10.20.0.0/24" or "fd00:20::/64".
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) || isIP(self)",message="must be an address or a range, such as 10.20.0.7, 10.20.0.0/24 or fd00:20::/64"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/0')",message="every address there is cannot be granted as a range; for any address from the port's own MAC write grant.level: mac, without pairs"
	Prefix string `json:"prefix"`
	// sharedWith names whose address lies in the prefix, or whose MAC it is, where that is meant: a Subnet, for any of
	// its addresses; for a single address or a MAC a port by its IP resource ("pod.namespace"), a Vip or a Service
	// ("namespace/name"). Whoever writes or approves the exception needs the verb "share" on that Subnet
	// (subnets.ovnguard.io) or the holder's namespace (namespaces.ovnguard.io). Without it, a prefix must hold no
	// address of a Subnet or of anybody else. Addresses and MACs of gateways and nodes are never granted.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	SharedWith string `json:"sharedWith,omitempty"`
}

// ConditionInEffect says whether an exception counts now; its reason says why not.
const ConditionInEffect = "InEffect"

// ConditionUsed says whether an exception changes any port; since when it does not is its time.
const ConditionUsed = "Used"

// PortSecurityExceptionStatus is what became of an exception.
type PortSecurityExceptionStatus struct {
	// observedGeneration is the generation that the rest of the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// policy is the PortSecurityPolicy that honours it.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Policy string `json:"policy,omitempty"`
	// matchedPorts is how many ports it changes now.
	// +optional
	MatchedPorts int32 `json:"matchedPorts,omitempty"`
	// ports are the names of the first of them.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=1024
	Ports []string `json:"ports,omitempty"`
	// lastMatched is when it last changed a port.
	// +optional
	LastMatched *metav1.Time `json:"lastMatched,omitempty"`
	// conditions: InEffect says whether it counts now, and why not; Used says whether it changes any port.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// PortSecurityExceptionList is a list of exceptions.
//
// +kubebuilder:object:root=true
type PortSecurityExceptionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []PortSecurityException `json:"items"`
}
