package upstream

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// Link has the two ends of the connection between a logical switch and its router.
type Link struct {
	Switch nb.LogicalSwitchPort
	Router nb.LogicalRouterPort
}

// RouterPortName returns the name of the router's end of a subnet's link.
func RouterPortName(s *crd.Subnet) string { return s.Spec.Vpc + "-" + s.Name }

// RouterLink returns the link between a subnet and its router, or nil if it has none: an underlay subnet's gateway is
// outside, unless it asks for a logical one. mac is for the router's end.
func RouterLink(s *crd.Subnet, mac string) *Link {
	if s.Spec.Vpc == "" || len(s.CIDRs()) == 0 || s.Spec.Vlan != "" && !s.Spec.LogicalGateway {
		return nil
	}
	var networks []string
	for _, cidr := range s.CIDRs() {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			continue // the subnet was refused before
		}
		for _, gateway := range s.Gateways() {
			if a, err := netip.ParseAddr(gateway); err == nil && p.Contains(a) {
				networks = append(networks, fmt.Sprintf("%s/%d", a, p.Bits()))
			}
		}
	}
	vendor := map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor}
	return &Link{
		Switch: nb.LogicalSwitchPort{
			Name: s.Name + "-" + s.Spec.Vpc, Type: nb.TypeRouter, Addresses: []string{"router"},
			Options:     map[string]string{"router-port": RouterPortName(s)},
			ExternalIDs: onSwitch(s.Name),
		},
		Router: nb.LogicalRouterPort{Name: RouterPortName(s), MAC: mac, Networks: networks, ExternalIDs: vendor},
	}
}

// Localnet returns the port between an underlay subnet and the network outside.
func Localnet(s *crd.Subnet, v *crd.Vlan) nb.LogicalSwitchPort {
	row := nb.LogicalSwitchPort{
		Name: "localnet." + s.Name, Type: nb.TypeLocalnet, Addresses: []string{kubeovn.AddressUnknown},
		Options:     map[string]string{"network_name": v.Spec.Provider},
		ExternalIDs: onSwitch(s.Name),
	}
	if v.Spec.ID > 0 {
		row.Tag = &v.Spec.ID
	}
	for _, cidr := range s.CIDRs() {
		if strings.Contains(cidr, ":") {
			row.ExternalIDs["ipv6_network"] = cidr
		} else {
			row.ExternalIDs["ipv4_network"] = cidr
		}
	}
	return row
}

// NodePort returns the port of a node on the nodes' subnet.
func NodePort(subnet, node, mac, addresses string) nb.LogicalSwitchPort {
	return nb.LogicalSwitchPort{
		Name:        NodePortName(node),
		Addresses:   []string{element(mac, addresses, nil)},
		ExternalIDs: onSwitch(subnet),
	}
}

// NodePortName returns the name of a node's port and of its IP resource.
func NodePortName(node string) string { return "node-" + node }

// DHCP returns the DHCP_Options of a subnet, one for each family. server is the MAC that answers.
func DHCP(s *crd.Subnet, server string) []nb.DHCPOptions {
	var rows []nb.DHCPOptions
	for i, cidr := range s.CIDRs() {
		row := nb.DHCPOptions{CIDR: cidr, ExternalIDs: onSwitch(s.Name)}
		if strings.Contains(cidr, ":") {
			row.ExternalIDs["protocol"] = "IPv6"
			row.Options = dhcpOptions(s.Spec.DHCPv6Options, map[string]string{"server_id": server})
		} else {
			row.ExternalIDs["protocol"] = "IPv4"
			gateway := ""
			if i < len(s.Gateways()) {
				gateway = s.Gateways()[i]
			}
			row.Options = dhcpOptions(s.Spec.DHCPv4Options, map[string]string{
				"lease_time": "3600", "router": gateway, "server_id": "169.254.0.254", "server_mac": server,
			})
		}
		rows = append(rows, row)
	}
	return rows
}

// dhcpOptions parses "key=value,key=value"; an empty text means the defaults.
func dhcpOptions(text string, defaults map[string]string) map[string]string {
	if text == "" {
		return defaults
	}
	options := map[string]string{}
	for _, pair := range trimmed(splitList(text)) {
		if key, value, ok := strings.Cut(pair, "="); ok {
			options[key] = value
		}
	}
	return options
}

// VipPort returns a Vip's own port, or nil. parents are the ports of pods that share a plain Vip.
func VipPort(v *crd.Vip, parents []string) *nb.LogicalSwitchPort {
	addresses := strings.Trim(v.Status.V4IP+","+v.Status.V6IP, ",")
	switch {
	case addresses == "" || v.Spec.Namespace == "":
		return nil
	case v.Spec.Type == crd.VipSwitchLB || v.Spec.Type == crd.VipHostVM:
		row := nb.LogicalSwitchPort{
			Name:        kubeovn.PortName(v.Name, v.Spec.Namespace, kubeovn.DefaultProvider),
			Addresses:   []string{element(v.Status.MAC, addresses, nil)},
			ExternalIDs: onSwitch(v.Spec.Subnet),
		}
		row.ExternalIDs[kubeovn.ExternalIDPod] = v.Spec.Namespace + "/" + v.Name
		if v.Spec.Type == crd.VipSwitchLB {
			row.Options = map[string]string{"arp_proxy": "true"}
		}
		return &row
	case v.Spec.Type != "":
		return nil
	}
	row := virtual(v.Name, v.Spec.Subnet, addresses, parents)
	return &row
}

// SubnetVip returns the virtual port of an address in Subnet.spec.vips.
func SubnetVip(subnet, address string, parents []string) nb.LogicalSwitchPort {
	return virtual(subnet+"-vip-"+address, subnet, address, parents)
}

func virtual(name, subnet, address string, parents []string) nb.LogicalSwitchPort {
	row := nb.LogicalSwitchPort{
		Name:        name,
		Type:        nb.TypeVirtual,
		Options:     map[string]string{OptionVirtualIP: address},
		ExternalIDs: onSwitch(subnet),
	}
	if len(parents) > 0 {
		row.Options[OptionVirtualParents] = strings.Join(parents, ",")
	}
	return row
}

// HasVIP reports whether a port may hold an address as one of its VIPs.
func HasVIP(row *nb.LogicalSwitchPort, subnet, address string) bool {
	if row.ExternalIDs[externalAttachVIPs] != attachVIPsOn || row.ExternalIDs[kubeovn.ExternalIDSwitch] != subnet {
		return false
	}
	return slices.Contains(splitList(row.ExternalIDs[kubeovn.ExternalIDVIPs]), address)
}

func onSwitch(name string) map[string]string {
	return map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDSwitch: name}
}
