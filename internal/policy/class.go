package policy

// Class names what an exception is for. It is the narrowest grant that works for that purpose.
type Class string

// Classes.
const (
	Router               Class = "router"
	VPN                  Class = "vpn"
	VRRP                 Class = "vrrp"
	NATGateway           Class = "nat-gateway"
	NestedVirtualization Class = "nested-virtualization"
)
