package portsec

// Rule says what decided about a frame.
type Rule uint8

// Rules. Those of frames from the port come first, then those of frames to the port.
const (
	// NoFrame is a frame too short to be one.
	NoFrame Rule = iota
	PortDisabled
	VLANTag
	GroupSource
	NotChecked
	ColumnEmpty
	ColumnUnusable

	AnyAddress
	IP4Source
	DHCPRequest
	IP6Source
	IP6LinkLocal
	MLDReport
	DuplicateDetection
	ARPSender
	Solicitation
	Advertisement
	OtherProtocol

	UnlistedMAC
	UnlistedIP4
	UnlistedIP6
	UnlistedARPMAC
	UnlistedARPAddress
	ForeignSolicitation
	ForeignAdvertisement
	ProtocolDropped
	ARPUnusable
	DiscoveryUnusable

	GroupDestination
	IP4Destination
	IP6Destination
	MACDestination
	UnlistedDestinationIP
	UnlistedDestinationMAC
)

// ruleText holds the identifier and the sentence of a rule.
type ruleText struct{ id, text string }

var ruleTexts = [...]ruleText{
	NoFrame:      {"no-frame", "it is too short for an Ethernet frame"},
	PortDisabled: {"port-disabled", "the port is disabled"},
	VLANTag: {
		"vlan-tag",
		"it carries a VLAN tag, and the switch does not pass tags through; port security plays no part",
	},
	GroupSource:    {"group-source", "its source MAC has the group bit; port security plays no part"},
	NotChecked:     {"not-checked", "OVN does not check ports of this type, whatever port_security says"},
	ColumnEmpty:    {"column-empty", "port_security is empty, so nothing is checked"},
	ColumnUnusable: {"column-unusable", "nothing of port_security can be used, so nothing is checked"},

	AnyAddress:  {"any-address", "the source MAC is listed without addresses, so it may use any"},
	IP4Source:   {"ip4-source", "the source MAC and its IPv4 address are listed"},
	DHCPRequest: {"dhcp-request", "it is a DHCP request from a listed MAC that has IPv4 addresses"},
	IP6Source:   {"ip6-source", "the source MAC and its IPv6 address are listed"},
	IP6LinkLocal: {
		"ip6-link-local",
		"the source is the link-local address of a listed MAC that has IPv6 addresses",
	},
	MLDReport: {"mld-report", "it is an MLD report from :: of a listed MAC that has IPv6 addresses"},
	DuplicateDetection: {
		"duplicate-detection",
		"it is duplicate address detection from :: of a listed MAC that has IPv6 addresses",
	},
	ARPSender: {"arp-sender", "the ARP sender's MAC and address are listed"},
	Solicitation: {
		"neighbour-solicitation",
		"it is a neighbour solicitation that this era lets pass from an allowed source",
	},
	Advertisement: {"neighbour-advertisement", "it advertises a listed address for a listed MAC"},
	OtherProtocol: {
		"other-protocol",
		"the source MAC is listed, and this era lets protocols other than IP and ARP pass",
	},

	UnlistedMAC:        {"unlisted-mac", "the source MAC is not listed"},
	UnlistedIP4:        {"unlisted-ip4", "the source IPv4 address is not listed for the source MAC"},
	UnlistedIP6:        {"unlisted-ip6", "the source IPv6 address is not listed for the source MAC"},
	UnlistedARPMAC:     {"unlisted-arp-mac", "the ARP sender's MAC is not the listed source MAC of the frame"},
	UnlistedARPAddress: {"unlisted-arp-address", "the ARP sender's address is not listed for its MAC"},
	ForeignSolicitation: {
		"foreign-solicitation",
		"the neighbour solicitation gives a link-layer address that is not the sender's, or is malformed",
	},
	ForeignAdvertisement: {
		"foreign-advertisement",
		"the neighbour advertisement claims what is not listed for the sender, or this era lets none pass",
	},
	ProtocolDropped: {"protocol-dropped", "a MAC that is listed with addresses may send nothing but IP and ARP"},
	ARPUnusable: {
		"arp-unusable",
		"nothing of port_security can be used, and this era then drops all ARP from the port",
	},
	DiscoveryUnusable: {
		"discovery-unusable",
		"nothing of port_security can be used, and this era then drops all neighbour discovery from the port",
	},

	GroupDestination: {"group-destination", "broadcast and multicast frames reach every port unchecked"},
	IP4Destination: {
		"ip4-destination",
		"the destination MAC and IPv4 address are listed, or it is a broadcast or multicast address",
	},
	IP6Destination: {
		"ip6-destination",
		"the destination MAC and IPv6 address are listed, or it is link-local or multicast",
	},
	MACDestination: {
		"mac-destination",
		"the destination MAC is listed, and nothing more is tested of this frame",
	},
	UnlistedDestinationIP: {
		"unlisted-destination-ip",
		"the destination MAC is listed with addresses, of which this is none",
	},
	UnlistedDestinationMAC: {"unlisted-destination-mac", "the destination MAC is not listed"},
}

// String returns the rule's stable identifier, such as "unlisted-ip4".
func (r Rule) String() string {
	if int(r) < len(ruleTexts) {
		return ruleTexts[r].id
	}
	return "unknown"
}

// Text returns the rule as a sentence without its full stop.
func (r Rule) Text() string {
	if int(r) < len(ruleTexts) {
		return ruleTexts[r].text
	}
	return "unknown rule"
}
