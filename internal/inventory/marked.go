package inventory

import "github.com/ovnguard/ovnguard/internal/kubeovn"

// NoneMarked reports whether no row bears Kube-OVN's mark: the database is that of another network plugin, or empty.
func (inv *State) NoneMarked() bool { return inv.marked == 0 }

// settleMarks counts the rows that bear Kube-OVN's mark where one replaces another, either of which may be nil. It
// returns the names of the ports that pods expect where the first such row comes or the last one goes.
func (inv *Inventory) settleMarks(was, is *Row) []string {
	ours := func(r *Row) int {
		// Up to 1.14, rows may lack the vendor, and name their switch.
		if r != nil &&
			(r.ExternalIDs[kubeovn.ExternalIDVendor] == kubeovn.Vendor || r.ExternalIDs[kubeovn.ExternalIDSwitch] != "") {
			return 1
		}
		return 0
	}
	before := inv.marked
	inv.marked += ours(is) - ours(was)
	if (before == 0) == (inv.marked == 0) {
		return nil
	}
	var touched []string
	inv.EachName(func(name string) {
		if inv.entry(name).row == nil {
			touched = append(touched, name)
		}
	})
	return touched
}
