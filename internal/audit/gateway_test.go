package audit

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// egressGateway returns an inventory with a pod of a VpcEgressGateway as Kube-OVN makes it; the pod's port on the
// external network has this port_security.
func egressGateway(portSecurity ...string) (inv *inventory.Inventory, port string, now time.Time) {
	now = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	made := now.Add(-time.Hour)
	set := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "veg-1", UID: "rs"}
	deployment := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "veg", UID: "d"}
	gateway := policy.Owner{APIVersion: "kubeovn.io/v1", Kind: kubeovn.KindEgressGateway, Name: "veg", UID: "g"}
	outer := kubeovn.Attachment{Namespace: "edge", Name: "ext"}
	port = "veg-1-a.edge.ext.edge.ovn"

	inv = inventory.New()
	inv.SetNamespace(policy.Namespace{Name: "edge"})
	inv.SetPolicy(policy.Policy{
		Name: "edge", ExceptionsIn: []string{"edge"}, Repair: policy.RepairOn,
		Limits: policy.Limits{Pairs: 8, Prefix4: 24, Prefix6: 64, Lifetime: policy.DefaultLifetime, Level: policy.MAC},
	})
	inv.SetAttachment(outer, kubeovn.KindOVN)
	inv.SetPod(&inventory.Pod{
		PodKey: inventory.PodKey{
			Namespace: "edge",
			Name:      "veg-1-a",
		},
		UID:         "p",
		Owner:       "veg-1-a",
		Controller:  &set,
		Attachments: []kubeovn.Attachment{outer},
	})
	inv.SetWorkload(inventory.Workload{Object: set, Namespace: "edge", Made: made, Parent: &deployment})
	inv.SetWorkload(inventory.Workload{Object: deployment, Namespace: "edge", Made: made, Parent: &gateway})
	inv.SetGateway(inventory.Gateway{
		Object:    gateway,
		Namespace: "edge",
		Workload:  "veg",
		Made:      made,
		Prefixes:  []netip.Prefix{netip.MustParsePrefix("10.30.0.0/24")},
	})
	inv.SetRecord(
		&inventory.Record{
			Name:   port,
			MAC:    mac,
			IPs:    []string{"10.16.0.5"},
			Subnet: "outer",
			Of:     inventory.PodKey{Namespace: "edge", Name: "veg-1-a"},
		},
	)
	inv.SetRow(&inventory.Row{
		UUID: "r", Name: port, Switch: "outer", Addresses: []string{own}, PortSecurity: portSecurity,
		ExternalIDs: map[string]string{"vendor": "kube-ovn", "pod": "edge/veg-1-a"},
	})
	return inv, port, now
}

// The fix of a finding about a gateway's port cuts nothing off: it is an exception for the addresses that the gateway
// forwards. With the exception in effect, and the port written for it, there are no findings left.
func TestGatewayFix(t *testing.T) {
	for name, c := range map[string]struct {
		portSecurity []string
		rule         string
	}{
		"open":   {rule: "OVG001"},
		"wider":  {portSecurity: []string{mac}, rule: "OVG003"},
		"strict": {portSecurity: []string{own}, rule: "OVG028"},
	} {
		t.Run(name, func(t *testing.T) {
			inv, port, now := egressGateway(c.portSecurity...)
			p := inv.Port(port, now)
			result := Evaluate(p, portsec.Eras())
			if result.Class != ClassEgressGateway || len(result.Findings) != 1 || result.Findings[0].Rule.ID != c.rule {
				t.Fatalf("class %s, findings %+v", result.Class, result.Findings)
			}
			f := result.Findings[0]
			for _, word := range []string{"VpcEgressGateway edge/veg", "10.30.0.0/24", "PortSecurityException"} {
				if !strings.Contains(f.Message, word) {
					t.Errorf("the message lacks %q: %s", word, f.Message)
				}
			}
			const want = `printf %s '{"apiVersion":"ovnguard.io/v1alpha1","kind":"PortSecurityException",` +
				`"metadata":{"name":"veg.ext.edge.ovn","namespace":"edge"},` +
				`"spec":{"target":{"owner":{"apiVersion":"kubeovn.io/v1","kind":"VpcEgressGateway","name":"veg"},"providers":["ext.edge.ovn"]},` +
				`"class":"router","grant":{"pairs":[{"prefix":"10.30.0.0/24"}]},"reason":"VpcEgressGateway edge/veg forwards what others send",` +
				`"owner":"administrators of the cluster network","expiresAt":"2026-06-03T00:00:00Z"}}' | kubectl apply -f -`
			if f.Fix != want {
				t.Errorf("the fix is\n%s\nwant\n%s", f.Fix, want)
			}

			inv.SetException(p.Passing.Exception)
			p = inv.Port(port, now)
			expected, err := ExpectedOf(p)
			if err != nil || !slices.Equal(expected.PortSecurity, []string{own + " 10.30.0.0/24"}) {
				t.Fatalf("with the exception, port_security must be %q: %v", expected.PortSecurity, err)
			}
			row := *p.Row
			row.PortSecurity = expected.PortSecurity
			inv.SetRow(&row)
			if result := Evaluate(
				inv.Port(port, now),
				portsec.Eras(),
			); result.State != Compliant ||
				len(result.Findings) > 0 {
				t.Errorf("with the exception: %s, %+v", result.State, result.Findings)
			}
		})
	}
}

// Where the exception would not count, the finding names what has to be settled first.
func TestGatewayHindrance(t *testing.T) {
	inv, port, now := egressGateway()
	inv.DeletePolicy("edge")
	f := Evaluate(inv.Port(port, now), portsec.Eras()).Findings[0]
	if !strings.Contains(f.Message, "does not name namespace edge") || f.Fix == "" {
		t.Errorf("%s; fix %q", f.Message, f.Fix)
	}
}
