// Package inventory joins what Kubernetes says with what OVN has, into one immutable picture for each port. It holds
// values only: whoever watches the API server and the Northbound database feeds it.
package inventory

import (
	"net/netip"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// PodKey names a pod.
type PodKey struct {
	Namespace string
	Name      string
}

// String returns "namespace/name".
func (k PodKey) String() string { return k.Namespace + "/" + k.Name }

// Pod is what is read of a pod. It is never changed once it is in the inventory.
type Pod struct {
	PodKey
	UID string
	// Owner is the name that Kube-OVN puts into the port's name: the pod's own, or that of the KubeVirt VM it runs.
	Owner string
	// HostNetwork means that the pod has no port.
	HostNetwork bool
	// Finished means that the pod has ended and will not be started again: Kube-OVN takes its port away.
	Finished bool
	// Terminating means that the pod is being deleted.
	Terminating bool
	Labels      map[string]string
	Annotations map[string]string
	// Controller is the object that the pod says made it; nil where it names none.
	Controller *policy.Owner
	// Lists are the lists in annotations that have been parsed, as policy.Pod has them; nil in pods that are followed.
	Lists map[string][]policy.Item
	// Inherited are the NICs whose port_security annotation admission wrote unasked.
	Inherited []kubeovn.Provider
	// Chosen are the annotations by which the pod's manifest asks for an address, a MAC or a subnet. They are nil where
	// the manifest is not known, and where it asks for none.
	Chosen map[string]string
	// Unread says why not all networks of the pod are among these; "" where they are.
	Unread string
	// DefaultNetwork and Attachments are the networks that the pod asks for.
	DefaultNetwork *kubeovn.Attachment
	Attachments    []kubeovn.Attachment
	// Ports are the ports of its containers that have a name, in the order of the manifest. Pods may share the list.
	Ports []NamedPort
}

// NamedPort is a port of a container, by the name that policies and Services may use.
type NamedPort struct {
	// Protocol is "TCP", "UDP" or "SCTP".
	Name, Protocol string
	Number         uint16
}

// Record is Kube-OVN's IP resource: what its address management gave to a port. It has the port's name.
type Record struct {
	Name string
	MAC  string
	// IPs holds the addresses as written, IPv4 first.
	IPs []string
	// Subnet is the subnet that it is on.
	Subnet string
	// Keeper is the kind of owner that keeps the port while no pod runs: "StatefulSet", "VirtualMachine" or "".
	Keeper string
	// Of is the pod, or the machine, whose port it is; of a node's port it has no namespace.
	Of PodKey
	// Reserved means that somebody made it, or has it kept, to reserve the address.
	Reserved bool
}

// Vip is Kube-OVN's Vip resource: addresses that pods share, or that one takes for its own.
type Vip struct {
	Name      string
	Namespace string
	Subnet    string
	// Type is kubeovn.VipSwitchLB or kubeovn.VipHostVM, for which Kube-OVN makes a port that is nobody's pod's; empty
	// where pods share the Vip.
	Type string
	// Pods picks those that share it, by their labels, as spec.selector says; nil picks all of the namespace.
	Pods policy.Selector
	// Addresses and MAC are those that it was given.
	Addresses []netip.Addr
	MAC       string
}

// Row is a Logical_Switch_Port as the Northbound database holds it. It is never changed once it is in the inventory.
type Row struct {
	UUID         string
	Name         string
	Switch       string
	Type         string
	Addresses    []string
	PortSecurity []string
	ExternalIDs  map[string]string
	// Disabled means that the column enabled is false: OVN drops every frame from and to the port.
	Disabled bool
}

// RowDoubt says what is not known of rows, where they were read from a text that has not all of a database.
type RowDoubt struct {
	// Lacks are the columns without which a row cannot be judged, as "port_security and type"; "" where all are known.
	Lacks string
	// Some means that there may be more rows than were read.
	Some bool
}

// Port is the picture of one port: everything that is needed to judge it. It is a value of its own; later changes do
// not reach it.
type Port struct {
	// Name is the name of the Logical_Switch_Port.
	Name string
	// Provider is the NIC's provider; empty where no pod claims the port.
	Provider kubeovn.Provider
	// Pod is the pod whose port this is; nil where none claims it. Where several launcher pods of one VM share a port,
	// it is the one that is decided tightest.
	Pod *Pod
	// Unread is that of the pod whose name the row carries, where no pod that is known claims the port: it may be the
	// pod's.
	Unread string
	// Claims is how many pods that still run claim the port: two launchers of a machine that migrates, or pods with the
	// same names.
	Claims int
	// Launchers is how many of them run the machine whose port it is, and which exists.
	Launchers int
	// Migration is the migration of that machine that goes on, as KubeVirt says; nil where there is none. Migrates
	// means that it has not lasted for too long to be believed.
	Migration *Migration
	Migrates  bool
	// NICKnown is false where the port is expected only because its attachment could not be read.
	NICKnown bool
	// NICSpelling is true where releases of Kube-OVN name the NIC differently, so that some never make a port of this
	// name.
	NICSpelling bool
	// Decision is what policy says; it means something only where Pod is set.
	Decision policy.Decision
	// Record is the IP resource of that name, nil where there is none.
	Record *Record
	// Row is what OVN has, nil where it has nothing.
	Row *Row
	// Vip means that a Vip resource accounts for the row.
	Vip bool
	// Owners are the objects that own the pod and exist, the nearest first.
	Owners []policy.Owner
	// Passing is what the port passes on for others, where the pod is proved to be a gateway's; nil otherwise.
	Passing *Passing
	// Node is the node whose address the row of no pod has; "" where it has none.
	Node string
	// Noted is what Kube-OVN noted on the node whose IP resource has the name of this port; its zero value is nothing.
	Noted NodeIdentity
	// Duplicates are the MACs and addresses of the row that other ports on its switch have too.
	Duplicates []Duplicate
	// Foreign are the addresses that the port has for its own, and others have or keep on its network.
	Foreign []Held
	// Overlaps are the first holders of addresses that were granted to the port besides its identity.
	Overlaps []Held
	// Unreserved are addresses that exceptions grant to the port and that Kube-OVN may give to another pod, with their
	// subnet.
	Unreserved []Held
	// Binding is what the Southbound database has; nil where it has nothing, or is not followed.
	Binding *Binding
	// Chassis are those that the port is bound to: two while a machine moves.
	Chassis []Chassis
	// Eras are the parsers of OVN that may enforce on these chassis, the oldest first; none where they are not known.
	Eras []portsec.Era
	// KubeOVN is what Kube-OVN was told; nil for its defaults.
	KubeOVN *kubeovn.Setup
	// NotChecking is the value of the Northbound option by which port security is checked nowhere, whatever the columns
	// say; "" where it is checked.
	NotChecking string
	// NoneMarked means that no row of the database bears Kube-OVN's mark: it is another's, or empty.
	NoneMarked bool
	// Doubt says what is not known of the rows of the database.
	Doubt RowDoubt
	// MachinesDoubted means that machines are not read: an owner of the pod that seems to be one may exist.
	MachinesDoubted bool
	// Groups are the security groups that the row is in as OVN has it, where GroupsKnown means that these are read.
	Groups      []Group
	GroupsKnown bool
	// Abandoned says why no pod will use the port again that the IP resource keeps, and Unused why an IP resource is left
	// over without pod and row; "" where that is not so, or not known.
	Abandoned, Unused string
	// Unowned means that a row on a subnet of Kube-OVN's is of nothing that exists.
	Unowned bool
	// Placement is where the port should be, where its row is on another switch; nil otherwise.
	Placement *Placement
	// Membership is how the groups that the pod names and those that OVN has the port in differ; nil where they do not.
	Membership *Membership
	// Radius is what the port could do with sources that are not its own; nil where that is nothing, or not known.
	Radius *Radius
	// Contested is how often the row was put right lately only for somebody to write something else.
	Contested int
}
