package rows

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/acl"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
)

// ofFile returns an inventory with what a text or a file of the database says of ACLs.
func ofFile(t *testing.T, d *dbfile.Database) *inventory.State {
	t.Helper()
	inv := inventory.New()
	ports, _, err := Ports(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ports {
		inv.SetRow(Of(p))
	}
	inv.SetOptions(Options(d))
	if groups, sets, ok := Groups(d); ok {
		for _, g := range groups {
			inv.SetPortGroup(g)
		}
		for _, a := range sets {
			inv.SetAddressSet(a)
		}
	}
	if acls, switches, ok := ACLs(d); ok {
		inv.KnowACLs()
		for _, a := range acls {
			inv.SetACL(a)
		}
		for _, s := range switches {
			inv.SetSwitch(s)
		}
	}
	return inv.Snapshot()
}

// inOrder returns a database of ACLs with everything in order, to be compared.
func inOrder(db acl.Database) acl.Database {
	slices.SortFunc(db.ACLs, func(a, b acl.ACL) int {
		return cmp.Or(strings.Compare(a.UUID, b.UUID), strings.Compare(a.Group, b.Group))
	})
	for _, lists := range []map[string][]string{db.Groups, db.Sets, db.OnSwitch} {
		for name, list := range lists {
			if list = slices.Sorted(slices.Values(list)); list == nil {
				list = []string{}
			}
			lists[name] = list
		}
	}
	return db
}

func sameACLs(t *testing.T, what string, got, want acl.Database) {
	t.Helper()
	if diff := gocmp.Diff(inOrder(want), inOrder(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%.3000s", what, diff)
	}
}

// The ACLs of the recorded database are those that a real Kube-OVN wrote for policies and security groups.
func TestACLsOfARecordedFile(t *testing.T) {
	d := recorded(t)
	state := ofFile(t, d)
	db := state.ACLs()
	if !state.ACLsKnown() || len(db.ACLs) != len(d.Rows(aclTable)) || len(db.Sets) != len(d.Rows(setTable)) ||
		len(db.Groups) != len(d.Rows(groupTable)) || len(db.SwitchOf) != len(d.Rows(portTable)) || db.DropByDefault {
		t.Fatalf("%d ACLs, %d sets, %d groups, %d ports", len(db.ACLs), len(db.Sets), len(db.Groups), len(db.SwitchOf))
	}
	byName := make(map[string]acl.ACL)
	for _, a := range db.ACLs {
		byName[a.Name] = a
	}
	want := acl.ACL{
		UUID:      "a11e3cdc-f7aa-4667-8108-356db649478a",
		Name:      "np/client-egress.t-np-a/egress/IPv4/0",
		Tier:      2,
		Priority:  2001,
		Direction: acl.FromPort,
		Action:    acl.AllowRelated,
		AfterLB:   true,
		Group:     "client.egress.t.np.a",
		Match: "inport == @client.egress.t.np.a && ip && ip4.dst == $client.egress.t.np.a.egress.allow.IPv4.0 && " +
			"ip4.dst != $client.egress.t.np.a.egress.except.IPv4.0 && tcp.dst == 80",
		ExternalIDs: map[string]string{"parent": "client.egress.t.np.a", "vendor": "kube-ovn"},
	}
	if diff := gocmp.Diff(want, byName[want.Name]); diff != "" {
		t.Errorf("an ACL (-want +got):\n%s", diff)
	}
	if got := db.Groups["client.egress.t.np.a"]; len(got) != 1 || db.SwitchOf[got[0]] != "ovn-default" {
		t.Errorf("the ports of the group are %q, want one of ovn-default", got)
	}
	for name, list := range db.OnSwitch {
		if len(list) == 0 {
			t.Errorf("ACL %s is of no switch", name)
		}
	}
	if table := acl.New(db); len(table.BadSets) > 0 {
		t.Errorf("address sets: %q", table.BadSets)
	}
}

// Where a text lacks the ACLs, or what has them, they are not known.
func TestACLsUnknownOfTexts(t *testing.T) {
	for _, table := range []string{aclTable, groupTable, setTable} {
		d := recorded(t)
		delete(d.Tables, table)
		if state := ofFile(t, d); state.ACLsKnown() || len(state.ACLs().ACLs) > 0 {
			t.Errorf("without %s ACLs are known", table)
		}
	}
	for _, table := range []string{groupTable, switchTable} {
		d := recorded(t)
		delete(d.Tables[table].Columns, aclsColumn)
		if ofFile(t, d).ACLsKnown() {
			t.Errorf("without the column acls of %s, ACLs are known", table)
		}
	}
	d := recorded(t)
	delete(d.Tables[aclTable].Columns, tierColumn)
	tiers := make(map[int]bool)
	for _, a := range ofFile(t, d).ACLs().ACLs {
		tiers[a.Tier] = true
	}
	if !maps.Equal(tiers, map[int]bool{0: true}) {
		t.Errorf("tiers %v of a schema that has none", tiers)
	}
}
