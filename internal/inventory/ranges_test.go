package inventory

import (
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// The tree finds the same ranges as a scan of all, whatever was changed before; and an older copy of the set stays as
// it was.
func TestRangesFindWhatAScanFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		address := rapid.Custom(func(t *rapid.T) netip.Addr {
			a := netip.AddrFrom4([4]byte{10, 0, rapid.Byte().Draw(t, "third") % 3, rapid.Byte().Draw(t, "fourth")})
			if rapid.Bool().Draw(t, "v6") {
				return netip.AddrFrom16([16]byte{0: 0xfd, 15: a.As4()[3]})
			}
			return a
		})
		var set ranges
		var list []addressRange
		type kept struct {
			set  ranges
			list []addressRange
		}
		var snapshots []kept
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(list) > 0 && rapid.IntRange(0, 3).Draw(t, "remove") == 0 {
				i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				set = set.remove(list[i])
				list = slices.Delete(slices.Clone(list), i, i+1)
			} else {
				r := addressRange{
					address.Draw(t, "from"),
					address.Draw(t, "to"),
					Holder{HeldByPool, strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "name"))},
				}
				set = set.add(r)
				if r.from.BitLen() == r.to.BitLen() && !r.to.Less(r.from) && !slices.Contains(list, r) {
					list = append(slices.Clone(list), r)
				}
			}
			snapshots = append(snapshots, kept{set, list})
		}
		from := address.Draw(t, "asked from")
		to := from
		if rapid.Bool().Draw(t, "a range") {
			if to = address.Draw(t, "asked to"); to.Less(from) {
				from, to = to, from
			}
		}
		for _, k := range snapshots {
			var got []addressRange
			k.set.each(from, to, func(r addressRange) bool { got = append(got, r); return true })
			var want []addressRange
			for _, r := range k.list {
				if !r.to.Less(from) && !to.Less(r.from) {
					want = append(want, r)
				}
			}
			slices.SortFunc(want, addressRange.compare)
			if !slices.Equal(got, want) {
				t.Fatalf("from %s to %s of %v:\n got %v\nwant %v", from, to, k.list, got, want)
			}
		}
	})
}

// In whatever order the ranges come, the depth of the tree stays close to the logarithm of their number.
func TestRangesStayShallow(t *testing.T) {
	var set ranges
	const n = 1 << 12
	a := netip.MustParseAddr("10.0.0.0")
	for range n {
		set = set.add(addressRange{a, a, Holder{HeldByPool, "p"}})
		a = a.Next()
	}
	var depth func(*rangeNode) int
	depth = func(n *rangeNode) int {
		if n == nil {
			return 0
		}
		return 1 + max(depth(n.left), depth(n.right))
	}
	if got, limit := depth(set.root), 5*bits.Len(n); got > limit {
		t.Errorf("%d ranges in order make a tree %d deep, more than %d", n, got, limit)
	}
}

func TestEndsOfAPrefix(t *testing.T) {
	for text, want := range map[string][2]string{
		"10.0.0.7/24": {"10.0.0.0", "10.0.0.255"}, "10.0.0.7/32": {"10.0.0.7", "10.0.0.7"},
		"0.0.0.0/0":   {"0.0.0.0", "255.255.255.255"},
		"10.0.0.7/30": {"10.0.0.4", "10.0.0.7"}, "fd00::/57": {"fd00::", "fd00::7f:ffff:ffff:ffff:ffff"},
		"fd00::1/128": {"fd00::1", "fd00::1"},
	} {
		from, to := ends(netip.MustParsePrefix(text))
		if from.String() != want[0] || to.String() != want[1] {
			t.Errorf("%s is from %s to %s, want %v", text, from, to, want)
		}
	}
}
