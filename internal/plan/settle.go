package plan

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/portsec"
)

// settleLimit is how many steps repair takes at most: the annotation, then the row.
const settleLimit = 4

// settled returns the port as repair, and Kube-OVN after it, leave it while its pod runs. why says what keeps repair
// from making it as was decided; "" where nothing does.
func (c *comparison) settled(on *inventory.State, p inventory.Port, now time.Time) (out inventory.Port, why string) {
	for range settleLimit {
		switch a := repair.Plan(p, c.Eras, repair.History{}, now); {
		case a.Kind == repair.Nothing:
			return p, notRepaired(&p)
		case a.Log:
			return p, notRepaired(&p)
		case a.Kind == repair.Annotate:
			p = annotated(on, p, a.Annotations)
		case a.Kind == repair.Write:
			return written(p, &a), "" // both columns at once, so that nothing is left to do
		default:
			return p, a.Why
		}
	}
	return p, "another writer changes it again each time" // which this simulation does not do
}

// notRepaired says why repair writes no port that is decided like this; "" where it does.
func notRepaired(p *inventory.Port) string {
	d := &p.Decision
	by := "policy " + d.Policy
	if d.Policy == "" {
		by = "the built-in default"
	}
	switch {
	case d.Mode != policy.Enforce:
		return fmt.Sprintf("%s has mode %s, so nothing is changed", by, d.Mode)
	case d.Repair != policy.RepairOn:
		return fmt.Sprintf("%s has repair %s, so ports of pods that run stay as they are", by, d.Repair)
	}
	return ""
}

// annotated returns the port once Kube-OVN has followed annotations of its pod.
func annotated(on *inventory.State, p inventory.Port, set map[string]string) inventory.Port {
	pod, row := *p.Pod, *p.Row
	pod.Annotations = maps.Clone(pod.Annotations)
	if pod.Annotations == nil {
		pod.Annotations = make(map[string]string)
	}
	maps.Copy(pod.Annotations, set)
	p.Pod, p.Row = &pod, &row
	row.PortSecurity = byKubeOVN(on, &p)
	return p
}

// written returns the port with the row that repair writes.
func written(p inventory.Port, a *repair.Action) inventory.Port {
	row := *p.Row
	if a.PortSecurity != nil {
		row.PortSecurity = a.PortSecurity
	}
	if a.Addresses != nil {
		row.Addresses = a.Addresses
	}
	if a.ExternalIDs != nil {
		row.ExternalIDs = a.ExternalIDs
	}
	p.Row = &row
	return p
}

// byKubeOVN returns port_security as Kube-OVN writes it for the pod's annotations: nothing, or the identity with the
// addresses that port_vips and aaps name.
func byKubeOVN(on *inventory.State, p *inventory.Port) []string {
	a := p.Pod.Annotations
	if a[p.Provider.Key(kubeovn.PortSecurity)] != kubeovn.True {
		return nil
	}
	words := []string{identityWords(p)}
	for _, vip := range vipsOf(on, p) {
		words = append(words, vip.address.String())
	}
	return []string{strings.Join(words, " ")}
}

// identityWords returns the MAC and the addresses of the port as Kube-OVN writes them into a row.
func identityWords(p *inventory.Port) string {
	mac, ips := identityOf(p)
	return strings.TrimSpace(strings.Join(append([]string{mac}, ips...), " "))
}

// identityOf returns the MAC and the addresses that Kube-OVN gave the port, as written. Kube-OVN's record has them, and
// the pod's annotations where there is none.
func identityOf(p *inventory.Port) (mac string, ips []string) {
	if p.Record != nil && p.Record.MAC != "" {
		return p.Record.MAC, p.Record.IPs
	}
	a := p.Pod.Annotations
	if text := a[p.Provider.Key(kubeovn.IPAddress)]; text != "" {
		ips = strings.Split(text, ",")
	}
	return a[p.Provider.Key(kubeovn.MACAddress)], ips
}

// addressesOf returns the addresses of the port that can be read.
func addressesOf(p *inventory.Port) (out []netip.Addr) {
	_, ips := identityOf(p)
	for _, text := range ips {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// sharedVIP is an address that a pod names by its annotations, with the Vip where that is how it is named.
type sharedVIP struct {
	name    string
	address netip.Addr
}

// vipsOf returns the addresses that Kube-OVN puts into port_security besides the identity, each once.
func vipsOf(on *inventory.State, p *inventory.Port) (out []sharedVIP) {
	add := func(name string, a netip.Addr) {
		if !slices.ContainsFunc(out, func(o sharedVIP) bool { return o.address == a }) {
			out = append(out, sharedVIP{name, a})
		}
	}
	listed := p.Pod.Annotations[p.Provider.Key(kubeovn.PortVIPs)]
	named := p.Pod.Annotations[kubeovn.AAPs]
	if listed == "" && named == "" {
		return nil
	}
	names, _ := policy.List(named, policy.ListLimit, policy.NameItem)
	for _, name := range names {
		if v, ok := on.Vip(name.Text); ok && v.Namespace == p.Pod.Namespace && v.Subnet == p.Row.Switch {
			for _, a := range v.Addresses {
				add(v.Name, a)
			}
		}
	}
	items, _ := policy.List(listed, policy.ListLimit, policy.AddressItem)
	for _, item := range items {
		if item.Err == nil {
			add("", item.Address)
		}
	}
	return out
}

// madeAgain returns the port as it is once its pod was made again with the same identity: with the annotations that
// admission writes, what Kube-OVN makes of them, and what repair adds. why is as for settled.
func (c *comparison) madeAgain(on *inventory.State, p inventory.Port, now time.Time) (out inventory.Port, why string) {
	pod, row := *p.Pod, *p.Row
	pod.Annotations = maps.Clone(pod.Annotations)
	if pod.Annotations == nil {
		pod.Annotations = make(map[string]string)
	}
	pod.Terminating, pod.Finished = false, false
	p.Pod, p.Row, p.Migration, p.Migrates = &pod, &row, nil, false
	d := &p.Decision
	secure, forward := p.Provider.Key(kubeovn.PortSecurity), p.Provider.Key(kubeovn.Layer2Forward)
	with := pod.Annotations[forward] == kubeovn.True
	if d.Mode == policy.Enforce {
		pod.Annotations[secure] = d.Value()
		with = d.Forwarding == policy.Require || with && d.Forwarding == policy.Allow
		if p.Passing != nil { // repair spares a gateway for which nothing was ever decided
			record := policy.ReadRecord(pod.Annotations)
			record[p.Provider] = policy.Recorded{Level: d.Level.String(), From: string(d.LevelFrom)}
			pod.Annotations[policy.RecordAnnotation] = policy.Record(record)
		}
	} else if slices.Contains(pod.Inherited, p.Provider) {
		// What admission wrote is not in the manifest, but what it wrote over is.
		pod.Annotations[secure] = policy.ReadRecord(pod.Annotations)[p.Provider].Overruled
	}
	row.PortSecurity = byKubeOVN(on, &p)
	row.Addresses = []string{identityWords(&p)}
	if with {
		row.Addresses = append(row.Addresses, kubeovn.AddressUnknown)
	}
	return c.settled(on, p, now)
}

// undetermined says why it cannot be told what the port would be; "" where it can.
func undetermined(p *inventory.Port) string {
	if mac, _ := identityOf(p); mac == "" {
		return "Kube-OVN has not recorded the port's MAC and addresses yet"
	}
	if _, err := audit.ExpectedOf(*p); err != nil {
		return err.Error()
	}
	return ""
}

// differences returns what a row lets the port send and the other one does not, by every parser that may enforce: lost
// is what the first one has alone.
func (c *comparison) differences(p *inventory.Port, before, after *inventory.Row) (lost, gained []portsec.Pair) {
	for _, era := range c.erasOf(p) {
		if !era.Checks(before.Type) {
			continue // nothing is checked before and after
		}
		was, is := portsec.Parse(era, before.PortSecurity).Set(), portsec.Parse(era, after.PortSecurity).Set()
		lost, gained = withPairs(lost, portsec.Loss(is, was)), withPairs(gained, portsec.Excess(is, was))
	}
	return lost, gained
}

// erasOf returns the parsers that may enforce on the port.
func (c *comparison) erasOf(p *inventory.Port) []portsec.Era {
	switch {
	case len(p.Eras) > 0:
		return p.Eras
	case len(c.Eras) > 0:
		return c.Eras
	}
	return portsec.Eras()
}

// withPairs adds pairs to a list, each once.
func withPairs(list, more []portsec.Pair) []portsec.Pair {
	for _, p := range more {
		if !slices.ContainsFunc(list, func(o portsec.Pair) bool { return o.String() == p.String() }) {
			list = append(list, p)
		}
	}
	return list
}
