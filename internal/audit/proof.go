package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Unproved says why the row of a pod's port may be somebody else's, or "" where it is proved to be the pod's. The port
// must have a pod and a row.
//
// Two things prove it. One is what Kube-OVN wrote into the row: its marks, and the MAC and addresses of the IP
// resource. Whoever writes the database can take those away, so that the other rests on what they cannot write: the
// row has the port's name and is on the switch of the subnet that the IP resource names, and the IP resource names
// this pod. Either the row or the pod's annotations must agree with the IP resource on the MAC and addresses: where
// both say something else, the IP resource may be what is wrong, and the machine would be cut off.
func Unproved(p *inventory.Port) string {
	switch {
	case p.Row.Type != "":
		return fmt.Sprintf("the row is of type %s, which is not a pod's", p.Row.Type)
	case p.Record == nil:
		return "there is no IP resource, and the pod's annotations prove nothing"
	}
	identity, err := parseIdentity(p.Record.MAC, p.Record.IPs)
	if err != nil {
		return wrapIdentity(fromRecord, err).Error()
	}
	own := holdsOnly(p.Row.Addresses, identity)
	if own && len(lostMarks(p)) == 0 || named(p) && (own || annotated(p, identity)) {
		return ""
	}
	switch ids := p.Row.ExternalIDs; {
	case named(p):
		return "the row's addresses are not those of the IP resource, and the pod's annotations do not confirm " +
			"the IP resource"
	case ids[kubeovn.ExternalIDVendor] != kubeovn.Vendor:
		return "Kube-OVN did not make the row, and the IP resource does not name this pod"
	case ids[kubeovn.ExternalIDPod] != podMark(p):
		return fmt.Sprintf("the row names pod %q, and the IP resource does not name this pod",
			ids[kubeovn.ExternalIDPod])
	}
	return "the row's addresses are not those of the IP resource, and the IP resource does not name this pod"
}

// named reports whether the IP resource names this pod, and the switch that the row is on.
func named(p *inventory.Port) bool {
	of := p.Record.Of
	return of.Namespace == p.Pod.Namespace && (of.Name == p.Pod.Owner || of.Name == p.Pod.Name) &&
		p.Row.Switch != "" && p.Row.Switch == p.Record.Subnet
}

// annotated reports whether the pod's annotations, as Kube-OVN wrote them when it had made the port, give this
// identity.
func annotated(p *inventory.Port, identity portsec.Identity) bool {
	a := p.Pod.Annotations
	if a[p.Provider.Key(kubeovn.Allocated)] != kubeovn.True {
		return false
	}
	said, err := parseIdentity(a[p.Provider.Key(kubeovn.MACAddress)], splitList(a[p.Provider.Key(kubeovn.IPAddress)]))
	return err == nil && said.MAC == identity.MAC && sameAddresses(said.IPs, identity.IPs)
}

// podMark returns what Kube-OVN writes into external_ids:pod of the port.
func podMark(p *inventory.Port) string { return p.Pod.Namespace + "/" + p.Pod.Owner }

// lostMarks returns the marks of Kube-OVN that the row lacks, by which Kube-OVN itself finds it: external_ids vendor
// and pod.
func lostMarks(p *inventory.Port) map[string]string {
	var lost map[string]string
	for key, want := range map[string]string{
		kubeovn.ExternalIDVendor: kubeovn.Vendor, kubeovn.ExternalIDPod: podMark(p),
	} {
		if p.Row.ExternalIDs[key] != want {
			if lost == nil {
				lost = make(map[string]string)
			}
			lost[key] = want
		}
	}
	return lost
}

// Marks returns external_ids of the row with the marks of Kube-OVN that it lacks; nil where it lacks none.
func Marks(p *inventory.Port) map[string]string {
	lost := lostMarks(p)
	if len(lost) == 0 {
		return nil
	}
	if p.Row.Switch != "" && p.Row.ExternalIDs[kubeovn.ExternalIDSwitch] == "" {
		lost[kubeovn.ExternalIDSwitch] = p.Row.Switch
	}
	out := maps.Clone(p.Row.ExternalIDs)
	if out == nil {
		out = make(map[string]string)
	}
	maps.Copy(out, lost)
	return out
}

// notProved finds ports that repair should put right, and does not, because their rows are not proved to be the pods'.
var notProved = Rule{
	ID:       "OVG025",
	Name:     "not-proved",
	Severity: Medium,
	Settle:   settle,
	Summary: "the port is not as decided, but repair does not write its row, because nothing proves that the " +
		"row belongs to the pod",
}

// givenUp finds rows that repair would have to write but leaves alone. If the pod's annotations agree with the row,
// identityMismatch reports it.
func (s *subject) givenUp(r *Result) (found, bool) {
	if !s.passes() || s.Decision.Mode != policy.Enforce || s.Decision.Repair != policy.RepairOn || s.disputed() {
		return found{}, false
	}
	addresses := s.Record != nil && s.identityErr == nil && !s.holdsOwn()
	if !addresses && !r.Wide && !r.Narrow &&
		!slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Rule.Repaired }) {
		return found{}, false
	}
	why := Unproved(&s.Port)
	if why == "" {
		return found{}, false
	}
	return found{message: "repair does not write the row: " + why, fix: s.fixMarks()}, true
}

// fixMarks returns the command that writes Kube-OVN's marks back, after which repair knows the row; "" where that
// would not do.
func (s *subject) fixMarks() string {
	lost := lostMarks(&s.Port)
	if len(lost) == 0 || s.Record == nil || s.identityErr != nil || s.Row.Type != "" ||
		!holdsOnly(s.Row.Addresses, s.identity) {
		return ""
	}
	words := []string{"set", "logical_switch_port", s.Row.UUID}
	for _, key := range slices.Sorted(maps.Keys(lost)) {
		words = append(words, "external_ids:"+key+"="+quoteOVSDB(lost[key]))
	}
	return command("ovn-nbctl", words...)
}

// escapeOVSDB has the characters that mean something in a quoted text stand for themselves.
var escapeOVSDB = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// quoteOVSDB returns a text as ovn-nbctl reads it in a map.
func quoteOVSDB(text string) string { return `"` + escapeOVSDB.Replace(text) + `"` }
