package reach

import (
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
)

// TestIdentityForgesNothing holds the short way for columns that are the identity to the letter to what each era reads.
func TestIdentityForgesNothing(t *testing.T) {
	w := newWorld(t)
	w.pod("shop", "four", "", "10.16.0.9", strict)
	w.pod("shop", "six", "", "fd00::9", strict)
	c := w.cluster()
	if !idle(w.inv.Snapshot()) || idle(shop(t, open).inv.Snapshot()) {
		t.Error("a cluster without policies and ACLs is idle, and no other one")
	}
	for i := range c.ports {
		p := &c.ports[i]
		if !isIdentity(p.column, &p.Own) {
			t.Fatalf("%s: %q is not taken for %v", p.Name, p.column, p.Own)
		}
		for _, era := range portsec.Eras() {
			if f := forgeryOf(
				portsec.ParseAll([]portsec.Era{era}, p.column),
				p.Own,
				false,
			); !f.none() ||
				len(f.claims) > 0 {
				t.Errorf("%s under %s: %+v", p.Name, era, f)
			}
		}
	}
}
