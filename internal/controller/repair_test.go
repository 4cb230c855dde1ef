package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// Changes that wait for a human lead to a warning in the program's namespace; the end of the wait is no warning.
func TestHeldNotice(t *testing.T) {
	waits, goes := heldNotice("ns", "repair holds 7 ports"), heldNotice("ns", "")
	if waits.Good || waits.Reason != events.ReasonRepairHeld || waits.Text != "repair holds 7 ports" ||
		waits.Namespace != "ns" {
		t.Errorf("%+v", waits)
	}
	if !goes.Good || goes.Reason != events.ReasonRepairGoesOn || goes.Text == "" {
		t.Errorf("%+v", goes)
	}
}

// A change of repair is described by the findings that the port had, and by the values before and after. The record of
// the decision is left out.
func TestRepairOf(t *testing.T) {
	const own, key = "0a:00:00:00:00:01 10.16.0.5", "ovn.kubernetes.io/port_security"
	columns := func(values ...string) *[]string { return &values }
	port := inventory.Port{
		Name: "p.ns", Provider: kubeovn.DefaultProvider, NICKnown: true,
		Pod: &inventory.Pod{
			PodKey: inventory.PodKey{Namespace: "ns", Name: "p"}, UID: "u",
			Annotations: map[string]string{"ovn.kubernetes.io/allocated": "true"},
		},
		Record:   &inventory.Record{Name: "p.ns", MAC: "0a:00:00:00:00:01", IPs: []string{"10.16.0.5"}},
		Decision: policy.Decision{Policy: "repaired"},
		Row: &inventory.Row{
			UUID: "r", Name: "p.ns", Addresses: []string{own},
			ExternalIDs: map[string]string{"vendor": "kube-ovn", "pod": "ns/p"},
		},
	}
	cases := map[string]struct {
		change journal.Entry
		want   events.Repair
	}{
		"a row": {
			journal.Entry{
				Before: journal.Values{PortSecurity: columns(), Addresses: columns(own, "unknown")},
				After:  journal.Values{PortSecurity: columns(own), Addresses: columns(own)},
			},
			events.Repair{
				Rules: []string{"OVG001"}, Wrote: "row",
				Text: `ovnguard changed port_security from [] to ["` + own + `"], addresses from ["` + own +
					`" "unknown"] to ["` + own + `"], as decided by PortSecurityPolicy repaired`,
			},
		},
		"an annotation": {
			journal.Entry{
				Before: journal.Values{Annotations: map[string]string{key: "", policy.RecordAnnotation: ""}},
				After:  journal.Values{Annotations: map[string]string{key: "true", policy.RecordAnnotation: "{}"}},
			},
			events.Repair{
				Rules: []string{"OVG001"},
				Wrote: "annotation",
				Text:  "ovnguard changed annotation " + key + ` from none to "true", as decided by PortSecurityPolicy repaired`,
			},
		},
	}
	for name, c := range cases {
		if diff := cmp.Diff(c.want, repairOf(&port, portsec.Eras(), &c.change)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	if f := aboutPort(&port); f.Port != "p.ns" || f.Namespace != "ns" || f.Pod != "p" || f.Provider != "ovn" {
		t.Errorf("%+v", f)
	}
}
