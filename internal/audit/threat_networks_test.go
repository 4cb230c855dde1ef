package audit

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// No port of a pod with unread networks is compliant, and none of its ports counts as left over.
func TestThreatT41PodReadInPart(t *testing.T) {
	const unread = "annotation k8s.v1.cni.cncf.io/networks: asks for 16300 networks"
	row := func(name string) *inventory.Row {
		return &inventory.Row{
			UUID:         "u",
			Name:         name,
			Switch:       "s",
			Addresses:    []string{"0a:00:00:00:00:01 10.0.0.1"},
			PortSecurity: []string{"0a:00:00:00:00:01 10.0.0.1"},
			ExternalIDs:  map[string]string{"vendor": "kube-ovn", "pod": "ns/p"},
		}
	}
	claimed := inventory.Port{
		Name:     "p.ns",
		Provider: "ovn",
		Pod:      &inventory.Pod{PodKey: inventory.PodKey{Namespace: "ns", Name: "p"}, Owner: "p"},
		Claims:   1,
		NICKnown: true,
		Record: &inventory.Record{
			Name:   "p.ns",
			MAC:    "0a:00:00:00:00:01",
			IPs:    []string{"10.0.0.1"},
			Subnet: "s",
		},
		Row:      row("p.ns"),
		Decision: policy.Decision{Level: policy.Strict},
	}
	if got := Evaluate(claimed, nil); got.State != Compliant {
		t.Fatalf("a port as it must be is %s: %+v", got.State, got)
	}
	part := *claimed.Pod
	part.Unread = unread
	claimed.Pod = &part
	if got := Evaluate(claimed, nil); got.State != Unknown || !strings.Contains(got.Why, "16300") {
		t.Errorf("its port is %s: %+v", got.State, got)
	}
	claimed.Row.PortSecurity = nil
	if got := Evaluate(claimed, nil); got.State != Violation {
		t.Errorf("its open port is %s: %+v", got.State, got)
	}
	other := inventory.Port{Name: "p.ns.n9.ns.ovn", Row: row("p.ns.n9.ns.ovn")}
	if got := Evaluate(other, nil); got.State != Violation {
		t.Errorf("a port of no pod is %s: %+v", got.State, got)
	}
	other.Unread = unread
	if got := Evaluate(other, nil); got.State != Unknown || len(got.Findings) > 0 {
		t.Errorf("a port that may be the pod's is %s: %+v", got.State, got)
	}
}
