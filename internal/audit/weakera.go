package audit

import (
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/portsec"
)

// weakEra tells of chassis whose OVN checks IPv6 neighbour discovery less than later ones do (docs/port-security.md,
// neighbour discovery). It is not about a single port.
var weakEra = Rule{
	ID:       "OVG022",
	Name:     "weak-era",
	Severity: Info,
	Summary:  "the chassis' release of OVN leaves gaps in the check of IPv6 neighbour discovery",
}

// EvaluateChassis judges what enforces on a chassis: eras are those that may, and ports is how many ports with IPv6
// addresses are bound to it.
func EvaluateChassis(c inventory.Chassis, eras []portsec.Era, ports int) Result {
	result := Result{State: OutOfScope, Why: "it is a chassis"}
	whole := func(e portsec.Era) bool { return e.Has(portsec.SolicitationDrop) && e.Has(portsec.DiscoverySource) }
	without := func(f portsec.Feature) bool {
		return slices.ContainsFunc(eras, func(e portsec.Era) bool { return !e.Has(f) })
	}
	if ports == 0 || len(eras) == 0 || slices.ContainsFunc(eras, whole) {
		return result // what may be checked as a whole is not said to have gaps
	}
	gap := "neighbour solicitations and advertisements may claim the MACs that other entries of the port list"
	if without(portsec.SolicitationDrop) {
		gap = "neighbour solicitations pass with any claim"
	}
	if without(portsec.AdvertisementLimit) {
		gap += ", and no port can answer for its link-local address"
	}
	f := Finding{
		Rule: weakEra,
		Message: fmt.Sprintf(
			"chassis %s, with %d ports that have IPv6 addresses, checks like %s: %s; an upgrade of OVN closes "+
				"this gap",
			c.Name,
			ports,
			eras[0].Releases(),
			gap,
		),
	}
	f.Evidence.Chassis = []string{c.Name}
	for _, e := range eras {
		f.Evidence.Eras = append(f.Evidence.Eras, e.String())
	}
	result.Findings = []Finding{f}
	return result
}
