//go:build integration

package e2e

import (
	"github.com/ovnguard/ovnguard/lab/wire"
)

// reachObjects are the objects of the test of what reaches whom, without the pods. NetworkPolicies of Kube-OVN also let
// ICMPv6 pass on the whole switch, and what a node sends to its pods.
const reachObjects = `
apiVersion: kubeovn.io/v1
kind: Subnet
metadata: {name: reach}
spec:
  protocol: Dual
  cidrBlock: 10.79.0.0/16,fd00:79::/112
  gateway: 10.79.0.1,fd00:79::1
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: partner, labels: {team: partner}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{protocol: TCP, port: 5432}, {protocol: TCP, port: metrics}]
  - from: [{namespaceSelector: {matchLabels: {team: partner}}}]
    ports: [{protocol: TCP, port: 8000, endPort: 8100}]
  - from:
    - ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.64/28]}
    - ipBlock: {cidr: "2001:db8::/32", except: ["2001:db8::/64"]}
    ports: [{protocol: UDP, port: 7000}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: client, namespace: shop}
spec:
  podSelector: {matchLabels: {app: client}}
  policyTypes: [Egress]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{protocol: TCP, port: 5432}]
  - ports: [{protocol: UDP, port: 53}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: lax
  namespace: shop
  annotations: {ovn.kubernetes.io/network_policy_enforcement: lax}
spec:
  podSelector: {matchLabels: {app: lax}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{protocol: TCP, port: 80}]
---
apiVersion: kubeovn.io/v1
kind: SecurityGroup
metadata: {name: vault}
spec:
  allowSameGroupTraffic: true
  ingressRules:
  - {ipVersion: ipv4, protocol: icmp, priority: 1, remoteType: address, remoteAddress: 10.79.0.0/16, policy: drop}
  - ipVersion: ipv4
    protocol: tcp
    priority: 2
    remoteType: address
    remoteAddress: 10.79.0.0/16
    portRangeMin: 443
    portRangeMax: 444
    policy: allow
  egressRules:
  - {ipVersion: ipv4, protocol: all, priority: 1, remoteType: address, remoteAddress: 10.79.0.0/16, policy: allow}
`

// reachPods are the pods, with the node of each. Those that are open may send from any address; the others only from
// their own.
var reachPods = []struct {
	namespace, name, node string
	open                  bool
	group                 string
}{
	{namespace: "shop", name: "db", node: "node1"},
	{namespace: "shop", name: "web", node: "node2"},
	{namespace: "shop", name: "client", node: "node1"},
	{namespace: "shop", name: "mallory", node: "node2", open: true},
	{namespace: "shop", name: "lax", node: "node2"},
	{namespace: "shop", name: "free", node: "node1"},
	{namespace: "partner", name: "partner", node: "node1"},
	{namespace: "shop", name: "vault", node: "node2", group: "vault"},
	{namespace: "shop", name: "member", node: "node1", group: "vault"},
}

// Sources that no pod has.
const (
	sourceNode  = "node"  // the address of the receiver's node
	sourceBlock = "block" // in a prefix that a policy allows
	sourceHole  = "hole"  // in what that policy excepts from the prefix
)

// The families of packets.
const (
	v4 = false
	v6 = true
)

// reached is one packet between two pods, and whether it is delivered.
type reached struct {
	from, to string
	// as names who has the packet's source address; empty for the sender.
	as       string
	v6       bool
	protocol wire.Protocol
	port     uint16
	segment  wire.Segment
	// answers means that the receiver has sent a packet from this port to the sender's port before.
	answers   uint16
	delivered bool
}

const (
	tcp  = wire.ProtocolTCP
	udp  = wire.ProtocolUDP
	icmp = wire.ProtocolICMP
	ack  = wire.SegmentACK
	both = wire.SegmentSYNACK
)

// reachTable is what the policies mean, worked out by hand.
var reachTable = []reached{
	// The database admits web, by its address, at two ports of TCP.
	{from: "web", to: "db", protocol: tcp, port: 5432, delivered: true},
	{from: "web", to: "db", v6: v6, protocol: tcp, port: 5432, delivered: true},
	{from: "web", to: "db", protocol: tcp, port: 9100, delivered: true}, // by its name, metrics
	{from: "web", to: "db", protocol: tcp, port: 80},
	{from: "web", to: "db", protocol: udp, port: 5432},
	{from: "web", to: "db", protocol: icmp},
	{from: "free", to: "db", protocol: tcp, port: 5432},
	{from: "free", to: "db", v6: v6, protocol: tcp, port: 5432},
	{from: "free", to: "db", v6: v6, protocol: icmp, delivered: true}, // ICMPv6 passes on the switch
	// Open port and forged address: the policy admits whoever pretends to be web.
	{from: "mallory", to: "db", protocol: tcp, port: 5432},
	{from: "mallory", to: "db", as: "web", protocol: tcp, port: 5432, delivered: true},
	{from: "mallory", to: "db", as: "web", v6: v6, protocol: tcp, port: 5432, delivered: true},
	{from: "mallory", to: "db", as: "web", protocol: tcp, port: 22},
	{from: "mallory", to: "db", as: "free", protocol: tcp, port: 5432},
	{from: "mallory", to: "db", as: sourceNode, protocol: tcp, port: 22, delivered: true}, // a node reaches its pods
	{from: "mallory", to: "db", as: sourceNode, protocol: icmp, delivered: true},
	// Strict port and forged address: nothing leaves.
	{from: "free", to: "db", as: "web", protocol: tcp, port: 5432},
	{from: "free", to: "db", as: "web", v6: v6, protocol: tcp, port: 5432},
	{from: "free", to: "web", as: "db", protocol: udp, port: 9},
	{from: "free", to: "db", as: sourceNode, protocol: tcp, port: 22},
	// A namespace by its label, and a range of ports.
	{from: "partner", to: "db", protocol: tcp, port: 8000, delivered: true},
	{from: "partner", to: "db", v6: v6, protocol: tcp, port: 8100, delivered: true},
	{from: "partner", to: "db", protocol: tcp, port: 8101},
	{from: "partner", to: "db", protocol: tcp, port: 5432},
	{from: "mallory", to: "db", as: "partner", protocol: tcp, port: 8050, delivered: true},
	// A prefix, and what is excepted from it. Nobody honest has such an address.
	{from: "mallory", to: "db", as: sourceBlock, protocol: udp, port: 7000, delivered: true},
	{from: "mallory", to: "db", as: sourceHole, protocol: udp, port: 7000},
	{from: "mallory", to: "db", as: sourceBlock, v6: v6, protocol: udp, port: 7000, delivered: true},
	{from: "mallory", to: "db", as: sourceHole, v6: v6, protocol: udp, port: 7000},
	{from: "mallory", to: "db", as: sourceBlock, protocol: tcp, port: 7000},
	// What the client may reach: both its own policy and that of the other end decide.
	{from: "client", to: "db", protocol: tcp, port: 5432},
	{from: "client", to: "free", protocol: udp, port: 53, delivered: true},
	{from: "client", to: "free", v6: v6, protocol: udp, port: 53, delivered: true},
	{from: "client", to: "free", protocol: tcp, port: 53},
	{from: "client", to: "free", protocol: icmp},
	{from: "client", to: "free", v6: v6, protocol: icmp, delivered: true},
	{from: "client", to: "mallory", protocol: udp, port: 53, delivered: true},
	{from: "free", to: "client", protocol: tcp, port: 80, delivered: true}, // nothing restricts what reaches it
	// Connections: an answer passes where nothing else would, and a segment without its beginning where a first one would.
	// The answer of a connection that never began passes nowhere.
	{from: "web", to: "db", protocol: tcp, port: 5432, segment: ack, delivered: true},
	{from: "web", to: "db", protocol: tcp, port: 80, segment: ack},
	{from: "web", to: "db", protocol: tcp, port: 5432, segment: both},
	{from: "web", to: "free", protocol: tcp, port: 80, segment: both},
	{from: "mallory", to: "db", as: "web", protocol: tcp, port: 5432, segment: ack, delivered: true},
	{from: "web", to: "db", protocol: udp, port: 4444},
	{from: "web", to: "db", protocol: udp, port: 4445, answers: 53, delivered: true},
	{from: "web", to: "db", v6: v6, protocol: udp, port: 4446, answers: 53, delivered: true},
	{from: "mallory", to: "db", as: "web", protocol: udp, port: 4447, answers: 53, delivered: true},
	// Lax: TCP, UDP and SCTP only.
	{from: "web", to: "lax", protocol: tcp, port: 80, delivered: true},
	{from: "free", to: "lax", protocol: tcp, port: 80},
	{from: "free", to: "lax", protocol: udp, port: 80},
	{from: "free", to: "lax", protocol: icmp, delivered: true},
	{from: "mallory", to: "lax", as: "web", protocol: tcp, port: 80, delivered: true},
	// A security group.
	{from: "free", to: "vault", protocol: tcp, port: 443, delivered: true},
	{from: "free", to: "vault", protocol: tcp, port: 445},
	{from: "free", to: "vault", protocol: icmp},
	{from: "free", to: "vault", v6: v6, protocol: tcp, port: 443},
	{from: "free", to: "vault", v6: v6, protocol: icmp},
	{from: "member", to: "vault", protocol: tcp, port: 22, delivered: true},
	{from: "member", to: "vault", v6: v6, protocol: tcp, port: 22, delivered: true},
	{from: "member", to: "vault", protocol: icmp},
	{from: "mallory", to: "vault", as: "member", protocol: tcp, port: 22, delivered: true},
	{from: "mallory", to: "vault", as: "member", v6: v6, protocol: udp, port: 9, delivered: true},
	{from: "mallory", to: "vault", protocol: tcp, port: 22},
	{from: "vault", to: "free", protocol: udp, port: 9, delivered: true},
	{from: "vault", to: "free", v6: v6, protocol: udp, port: 9},
}
