package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// widerThanIdentity finds ports that are checked, but may send more than their own identity and what was granted beside
// it.
var widerThanIdentity = check{
	rule: Rule{
		ID:       "OVG003",
		Name:     "wider-than-identity",
		Severity: High,
		Summary:  "port_security allows more than the port's own MAC and addresses and its grants",
	},
	find: func(s *subject) (found, bool) {
		return s.compare(
			func(r portsec.Reading) []portsec.Pair { return r.Excess },
			func(pairs []portsec.Pair, eras string) found {
				return found{
					message: fmt.Sprintf("may also send from %s%s; its own is %s", joined(pairs), eras, s.due()),
					fix:     s.fixColumn(), excess: pairs,
				}
			},
		)
	},
}

// compare looks, in every plausible era, for pairs in which the enforced set differs from the identity. It returns
// those of all eras, each once.
func (s *subject) compare(
	difference func(portsec.Reading) []portsec.Pair,
	say func(pairs []portsec.Pair, eras string) found,
) (found, bool) {
	if !s.mustBeChecked() || s.identityErr != nil || s.stated != nil { // of the latter identityMismatch tells
		return found{}, false
	}
	var pairs []portsec.Pair
	var eras []portsec.Era
	seen := make(map[string]bool)
	for _, r := range s.column.Readings {
		if r.Open() {
			continue // that is the business of openPort and unusableEntry
		}
		d := difference(r)
		if len(d) > 0 {
			eras = append(eras, r.Era)
		}
		for _, p := range d {
			if text := p.String(); !seen[text] {
				seen[text] = true
				pairs = append(pairs, p)
			}
		}
	}
	if len(eras) == 0 {
		return found{}, false
	}
	return say(pairs, s.inEras(eras)), true
}

// pairLimit bounds how many pairs a message lists; the evidence has them all.
const pairLimit = 3

func joined(pairs []portsec.Pair) string {
	words := texts(pairs[:min(len(pairs), pairLimit)])
	if more := len(pairs) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("%d more", more))
	}
	return strings.Join(words, ", ")
}

// due words what the port may send from: its identity, and what was granted besides it.
func (s *subject) due() string {
	text := identityText(base(s.identity, s.Decision))
	if s.Decision.Level == policy.MAC {
		text += " with any address"
	}
	var grants strings.Builder
	for _, p := range s.Decision.Pairs {
		grants.WriteString(",")
		if p.MAC != (portsec.MAC{}) {
			grants.WriteString(" " + p.MAC.String())
		}
		grants.WriteString(" " + p.Prefix.String())
	}
	return text + grants.String()
}
