package audit

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// Sources of an identity.
const (
	fromRecord     = "IP resource"
	fromAnnotation = "pod annotation"
)

var (
	errNoIdentity = errors.New("Kube-OVN has not recorded the port's MAC and addresses yet")
	errNoMAC      = errors.New("spec.macAddress is empty")
)

// IdentityOf returns the MAC and addresses that Kube-OVN assigned. The truth is the IP resource, which tenants cannot
// write; the pod's annotations are believed only where there is none.
func IdentityOf(p *inventory.Port) (identity portsec.Identity, from string, err error) {
	switch {
	case p.Record != nil && p.Record.MAC == "":
		return portsec.Identity{}, "", wrapIdentity(fromRecord, errNoMAC)
	case p.Record != nil:
		identity, err = parseIdentity(p.Record.MAC, p.Record.IPs)
		return identity, fromRecord, wrapIdentity(fromRecord, err)
	case p.Pod != nil && p.Pod.Annotations[p.Provider.Key(kubeovn.Allocated)] == kubeovn.True &&
		p.Pod.Annotations[p.Provider.Key(kubeovn.MACAddress)] != "": // before that, a MAC is what the pod asks for
		a := p.Pod.Annotations
		identity, err = parseIdentity(
			a[p.Provider.Key(kubeovn.MACAddress)],
			splitList(a[p.Provider.Key(kubeovn.IPAddress)]),
		)
		return identity, fromAnnotation, wrapIdentity(fromAnnotation, err)
	}
	return portsec.Identity{}, "", errNoIdentity
}

func wrapIdentity(from string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the identity in the %s cannot be read: %w", from, err)
}

func parseIdentity(mac string, ips []string) (portsec.Identity, error) {
	m, err := portsec.ParseMAC(mac)
	if err != nil {
		return portsec.Identity{}, err
	}
	identity := portsec.Identity{MAC: m}
	for _, text := range ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return portsec.Identity{}, fmt.Errorf("address %q: %w", text, err)
		}
		identity.IPs = append(identity.IPs, ip)
	}
	// What OVN cannot be told, such as a multicast MAC, is no identity: a port without it would be called compliant.
	if ordinary(identity) {
		return identity, nil
	}
	if _, err := portsec.GrantedSet(identity, nil); err != nil {
		return portsec.Identity{}, err
	}
	return identity, nil
}

// ordinary reports whether the identity is one that every OVN can be told as it is: the MAC of one station, and unicast
// addresses.
func ordinary(identity portsec.Identity) bool {
	if identity.MAC.Group() || identity.MAC == (portsec.MAC{}) || len(identity.IPs) == 0 {
		return false
	}
	for _, ip := range identity.IPs {
		if !ip.IsGlobalUnicast() || ip.Is4In6() || ip.Zone() != "" {
			return false
		}
	}
	return true
}

// appendIdentity writes an identity as identityText does, without asking for memory.
func appendIdentity(to []byte, identity portsec.Identity) []byte {
	const digits = "0123456789abcdef"
	for i, b := range identity.MAC {
		if i > 0 {
			to = append(to, ':')
		}
		to = append(to, digits[b>>4], digits[b&15])
	}
	for _, ip := range identity.IPs {
		to = ip.AppendTo(append(to, ' '))
	}
	return to
}

// identityText writes an identity as people know it from port_security.
func identityText(identity portsec.Identity) string { return string(appendIdentity(nil, identity)) }

func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
