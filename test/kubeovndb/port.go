// Package kubeovndb writes Northbound databases of any size as Kube-OVN fills them, for measurements and tests: pods'
// ports on subnets large and small, nodes' ports on the join switch, links to the router, port groups by node and
// subnet. The same size leads to the same bytes; the time of writing is fixed, too.
package kubeovndb

import (
	"fmt"
	"math/bits"
)

// Sizes of the objects that Kube-OVN makes in addition to the pods' ports.
const (
	perNamespace = 50
	perSubnet    = 250
	perNode      = 100
	// nodesOfTenant is the number of nodes that a tenant's pods run on.
	nodesOfTenant = 4
	// maxKey is the highest tunnel key of a port (ovn-sb(5), Port_Binding).
	maxKey = 32767
	// One port in defaultShare is on ovn-default, the subnet for pods of namespaces without a subnet of their own, as long
	// as its /16 has room.
	defaultShare = 4
	defaultLimit = 50_000
	// One port in openShare has no port_security.
	openShare = 4
)

// Database is a Northbound database of some size.
type Database struct {
	// Ports is the number of pods' ports.
	Ports int
	// Secured means that all of them have port_security; otherwise one in a few has none.
	Secured bool
}

// Port is the port of one pod.
type Port struct {
	UUID string
	// Name is "pod.namespace", as Kube-OVN names ports of the default network.
	Name string
	// Pod is "namespace/name".
	Pod    string
	Switch string
	// SwitchUUID is the UUID of the Logical_Switch.
	SwitchUUID string
	// Groups are the UUIDs of the Port_Groups that hold the port.
	Groups [2]string
	MAC    string
	// IPs are one IPv4 and one IPv6 address.
	IPs [2]string
	// Strict means that port_security holds the port's own addresses; otherwise it is empty.
	Strict bool
}

// Addresses returns the port's MAC and addresses as Kube-OVN writes them.
func (p Port) Addresses() string { return p.MAC + " " + p.IPs[0] + " " + p.IPs[1] }

// Port returns the n-th port, from 0. A port beyond Ports is not in the database, but could be added to it.
func (d Database) Port(n int) Port {
	h := mix(uint64(n) + 1)
	namespace := fmt.Sprintf("team-%d", n/perNamespace)
	pod := fmt.Sprintf("web-%d-%09x-%s", n/10%5, h>>28, letters(n))
	subnet := d.subnet(n)
	node := d.node(subnet, h)
	p := Port{
		UUID: id('p', n),
		Name: pod + "." + namespace,
		Pod:  namespace + "/" + pod,
		Switch: subnetName(
			subnet,
		),
		SwitchUUID: id('s', subnet),
		Groups:     [2]string{id('n', node), id('g', subnet*d.nodes()+node)},
		MAC: fmt.Sprintf(
			"%02x:%02x:%02x:%02x:%02x:%02x",
			byte(h>>8)&^1|2,
			byte(h>>16),
			byte(n>>24),
			byte(n>>16),
			byte(n>>8),
			byte(n),
		),
		IPs: [2]string{
			fmt.Sprintf("10.%d.%d.%d", 16+n>>16&0xff, byte(n>>8), byte(n)),
			fmt.Sprintf("fd00:10:16::%x:%x", n>>15+1, n&0x7fff+1),
		},
		Strict: d.Secured || n%openShare != 0,
	}
	return p
}

// subnet returns the number of the subnet that the n-th port is on; 0 is ovn-default.
func (d Database) subnet(n int) int {
	onDefault := min(d.Ports/defaultShare, defaultLimit)
	if n < onDefault {
		return 0
	}
	return 1 + (n-onDefault)/perSubnet
}

// Subnets returns the number of subnets, with ovn-default and without join.
func (d Database) Subnets() int { return d.subnet(d.Ports-1) + 1 }

// node returns the node of a pod: any of them for ovn-default, and a few for the small subnet of a tenant.
func (d Database) node(subnet int, h uint64) int {
	if subnet == 0 {
		return int(h % uint64(d.nodes()))
	}
	return (subnet*nodesOfTenant + int(h%nodesOfTenant)) % d.nodes()
}

func (d Database) nodes() int { return max(d.Ports/perNode, 2) }

func subnetName(n int) string {
	if n == 0 {
		return "ovn-default"
	}
	return fmt.Sprintf("tenant-%d", n)
}

// mix spreads the bits of n (the finalizer of splitmix64), so that names and UUIDs look random: servers and clients
// hash by them.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// id returns the UUID of the n-th object of a kind.
func id(kind byte, n int) string {
	h := mix(uint64(kind)<<56 + uint64(n))
	l := mix(h)
	return fmt.Sprintf(
		"%08x-%04x-4%03x-%04x-%012x",
		h>>32,
		uint16(h>>16),
		h&0xfff,
		uint16(l>>48)&0x3fff|0x8000,
		l&0xffffffffffff,
	)
}

// letters returns the five letters at the end of a generated pod name; no two of a million numbers have the same.
func letters(n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz"
	h := bits.RotateLeft32(uint32(n)*2654435761, 16)
	var out [5]byte
	for i := range out {
		out[i] = alphabet[h%uint32(len(alphabet))]
		h /= uint32(len(alphabet))
	}
	return string(out[:])
}
