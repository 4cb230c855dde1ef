package repair

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Columns are those of a row that are to be given back; nil leaves one as it is.
type Columns struct {
	PortSecurity, Addresses *[]string
	ExternalIDs             *map[string]string
}

// Restore says why the row of a pod's port must not be given columns back, whoever says that it had them, and which
// column that is, "" for the row as a whole; nil where it may. It is given nothing but what Kube-OVN would write for
// this pod, or less than it has. strict means that the pod's annotation asks for port security when all is given back.
// The port must have a pod and a row.
func Restore(p inventory.Port, strict bool, to Columns) (column string, err error) {
	if to.PortSecurity == nil && to.Addresses == nil && to.ExternalIDs == nil {
		return "", nil
	}
	if why := audit.Unproved(&p); why != "" {
		return "", fmt.Errorf("row %s is not proved to be the pod's: %s", p.Row.UUID, why)
	}
	if to.PortSecurity != nil {
		if err := restorePortSecurity(p, strict, *to.PortSecurity); err != nil {
			return "port_security", err
		}
	}
	if to.Addresses != nil {
		if err := restoreAddresses(p, *to.Addresses); err != nil {
			return "addresses", err
		}
	}
	if to.ExternalIDs != nil {
		if err := restoreExternalIDs(p, *to.ExternalIDs); err != nil {
			return "external_ids", err
		}
	}
	return "", nil
}

// restorePortSecurity says why the row must not be given the column: by some OVN the port could send from more than
// Kube-OVN lets it, and than it can now.
func restorePortSecurity(p inventory.Port, strict bool, column []string) error {
	if len(column) == 0 {
		if strict {
			return fmt.Errorf("it would be empty, but annotation %s asks for port security",
				p.Provider.Key(kubeovn.PortSecurity))
		}
		return nil
	}
	p.Decision = policy.Decision{Level: policy.Strict, Pairs: virtual(&p)}
	own, err := audit.ExpectedOf(p)
	if err != nil {
		return err
	}
	for _, era := range portsec.Eras() {
		given, may := portsec.Parse(era, column).Set(), portsec.Parse(era, own.PortSecurity).Set()
		if has := portsec.Parse(era, p.Row.PortSecurity).Set(); !has.Open() {
			may = may.Union(has)
		}
		if given.Open() {
			return fmt.Errorf("OVN could use nothing of %q as port security (%s)", column, era)
		}
		if excess := portsec.Excess(given, may); len(excess) > 0 {
			return fmt.Errorf(
				"%q would let the port send from %s, but its own identity is %q",
				column,
				excess[0],
				own.PortSecurity,
			)
		}
	}
	return nil
}

// virtual returns the addresses that Kube-OVN puts into port_security besides the identity, as the pod's annotation has
// them.
func virtual(p *inventory.Port) (pairs []portsec.AddressPair) {
	text := p.Pod.Annotations[p.Provider.Key(kubeovn.PortVIPs)]
	if text == "" {
		return nil
	}
	items, _ := policy.List(text, policy.ListLimit, policy.AddressItem)
	for _, item := range items {
		if a := item.Address; item.Err == nil {
			pairs = append(pairs, portsec.AddressPair{Prefix: netip.PrefixFrom(a, a.BitLen())})
		}
	}
	return pairs
}

// restoreAddresses says why the row must not be given the column: it is not the identity, or has "unknown" besides it
// where neither the pod's annotation asks for that nor the row has it.
func restoreAddresses(p inventory.Port, column []string) error {
	row := *p.Row
	p.Decision = policy.Decision{Level: policy.Strict, Forwarding: policy.Forbid}
	if p.Pod.Annotations[p.Provider.Key(kubeovn.Layer2Forward)] == kubeovn.True ||
		slices.Contains(row.Addresses, kubeovn.AddressUnknown) {
		p.Decision.Forwarding = policy.Allow
	}
	row.Addresses = column
	p.Row = &row
	expected, err := audit.ExpectedOf(p)
	if err != nil {
		return err
	}
	if expected.Addresses != nil {
		return fmt.Errorf("%q is not what Kube-OVN writes; it writes %q", column, expected.Addresses)
	}
	return nil
}

// restoreExternalIDs says why the row must not be given the column: repair writes nothing there but Kube-OVN's marks,
// and what it found can have been without them, but not another pod's.
func restoreExternalIDs(p inventory.Port, ids map[string]string) error {
	keys := maps.Clone(p.Row.ExternalIDs)
	if keys == nil {
		keys = make(map[string]string)
	}
	maps.Copy(keys, ids)
	marks := map[string]string{
		kubeovn.ExternalIDVendor: kubeovn.Vendor,
		kubeovn.ExternalIDPod:    p.Pod.Namespace + "/" + p.Pod.Owner,
		kubeovn.ExternalIDSwitch: p.Row.Switch,
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		has, had := p.Row.ExternalIDs[key]
		value, gets := ids[key]
		mark, isMark := marks[key]
		if has == value && had == gets || isMark && (!gets || value == mark) {
			continue
		}
		return fmt.Errorf("%q would be %q, and is %q; repair writes nothing but the marks of this pod", key, value, has)
	}
	return nil
}
