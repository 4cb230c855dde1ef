package inventory

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
)

// The option counts for every port at once, where the release of ovn-northd knows it.
func TestOptionThatSwitchesOff(t *testing.T) {
	inv := New()
	inv.SetRow(&Row{UUID: "r1", Name: "a.ns"})
	inv.SetRow(&Row{UUID: "r2", Name: "b.ns"})
	inv.Affected()
	check := func(what string, touched []string, off string) {
		t.Helper()
		want, affected := []string{"a.ns", "b.ns"}, 1
		if touched == nil {
			want, affected = nil, 0
		}
		if !slices.Equal(touched, want) || len(inv.Affected()) != affected {
			t.Errorf("%s: touched %q", what, touched)
		}
		if got := inv.Port("a.ns", time.Time{}).NotChecking; got != off {
			t.Errorf("%s: the port says %q, want %q", what, got, off)
		}
		if got := inv.SubjectView(
			northboundOptions,
		).NotChecking; got != off ||
			(off == "") != inv.SubjectView(northboundOptions).Gone() {
			t.Errorf("%s: beside says %q, want %q", what, got, off)
		}
		if got := slices.Contains(inv.Subjects(), northboundOptions); got != (off != "") {
			t.Errorf("%s: there is to judge: %t", what, got)
		}
	}
	option := func(value string) map[string]string {
		return map[string]string{"version_compatibility": value, "northd_probe_interval": "5000"}
	}
	check("another option", inv.SetOptions(option("25.03")), "")
	check("during an upgrade", inv.SetOptions(option("22.03")), "22.03")
	check("by name", inv.SetOptions(option("21.06")), "21.06")
	check("an ovn-northd of E0", inv.SetOVN(portsec.OVN{Version: "22.03.1"}), "")
	check("the new one", inv.SetOVN(portsec.OVN{Version: "24.03.2"}), "21.06")
	if touched := inv.SetOVN(portsec.OVN{Version: ""}); touched != nil || inv.SetOptions(option("21.06")) != nil {
		t.Errorf("nothing changed, and %q are touched", touched)
	}
	check("the upgrade is over", inv.SetOptions(option("_21.06")), "")
	check("removed", inv.SetOptions(nil), "")
}
