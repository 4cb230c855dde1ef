package audit

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// groupWidened finds ports whose port_security puts addresses that are not theirs into the address set of a security group: Kube-OVN
// computes these sets from the columns of the group's ports, so that every rule which refers to the group lets them pass as well.
var groupWidened = check{
	rule: Rule{ID: "OVG018", Name: "group-widened", Severity: Medium, Summary: "a security group's address set holds what the port may send from beside its own addresses"},
	find: func(s *subject) (found, bool) {
		if s.exact || !s.passes() || s.identityErr != nil || len(s.Row.PortSecurity) == 0 {
			return found{}, false
		}
		groups := s.Row.ExternalIDs[kubeovn.ExternalIDSecurityGroups]
		if groups == "" {
			return found{}, false
		}
		own := portsec.IdentitySet(s.identity)
		var pairs []portsec.Pair
		for _, r := range s.column.Readings {
			listed := false
			for _, e := range r.Column.Elements {
				listed = listed || e.Usable() && len(e.Addresses) > 0
			}
			if excess := portsec.Excess(r.Set, own); listed && len(excess) > len(pairs) && !r.Set.Open() {
				pairs = excess
			}
		}
		if len(pairs) == 0 {
			return found{}, false
		}
		names := strings.Split(groups, "/")
		return found{
			message: fmt.Sprintf("is in security group %s, whose address set therefore holds %s; rules that refer to it let that pass", strings.Join(names, ", "), joined(pairs)),
			excess:  pairs, others: names,
			fix: command("kubectl", "annotate", "pod", "-n", s.Pod.Namespace, s.Pod.Name, s.Provider.Key(kubeovn.SecurityGroups)+"-"),
		}, true
	},
}
