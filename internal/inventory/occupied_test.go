package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// heldByScan returns the result of heldIn by a scan of every address with a holder.
func (inv *State) heldByScan(prefix netip.Prefix, near func(Holder) bool) (out []Held) {
	var all []netip.Addr
	for a := range inv.byAddress.first.Keys() {
		all = append(all, a)
	}
	for a := range inv.fixed.Keys() {
		all = append(all, a)
	}
	slices.SortFunc(all, netip.Addr.Compare)
	for _, a := range slices.Compact(all) {
		if !prefix.Contains(a) {
			continue
		}
		for _, h := range inv.Holders(a, near) {
			out = append(out, Held{a, h})
		}
	}
	return out
}

// holderChanges draws changes of the holders of a few addresses, on a few subnets of two VPCs with overlapping
// addresses.
type holderChanges struct {
	addresses *rapid.Generator[netip.Addr]
	prefixes  *rapid.Generator[netip.Prefix]
	subnets   *rapid.Generator[string]
}

var drawnHolders = holderChanges{
	addresses: rapid.Custom(func(t *rapid.T) netip.Addr {
		last := rapid.Byte().Draw(t, "last")
		switch rapid.IntRange(0, 9).Draw(t, "family") {
		case 0: // at the end of all
			return netip.AddrFrom16(
				[16]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 - last%2},
			)
		case 1, 2, 3, 4:
			return netip.AddrFrom16([16]byte{0: 0xfd, 7: last % 2, 15: last % 16})
		}
		return netip.AddrFrom4([4]byte{10, 0, last % 2, last % 16})
	}),
	subnets: rapid.SampledFrom([]string{"", "a1", "a2", "b1", "gone"}),
}

func init() {
	drawnHolders.prefixes = rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := drawnHolders.addresses.Draw(t, "of")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	})
}

// change makes one random change.
func (c *holderChanges) change(t *rapid.T, inv *Inventory) {
	list := rapid.SliceOfN(c.addresses, 0, 3).Draw(t, "addresses")
	n := rapid.IntRange(0, 3).Draw(t, "n")
	switch rapid.IntRange(0, 7).Draw(t, "what") {
	case 0, 1, 2:
		r := &Record{
			Name:   fmt.Sprintf("p%d.ns", rapid.IntRange(0, 30).Draw(t, "port")),
			Subnet: c.subnets.Draw(t, "subnet"),
		}
		for _, a := range list {
			r.IPs = append(r.IPs, a.String())
		}
		inv.SetRecord(r)
	case 3:
		inv.DeleteRecord(fmt.Sprintf("p%d.ns", rapid.IntRange(0, 30).Draw(t, "port")))
	case 4:
		v := Vip{Name: fmt.Sprintf("v%d", n), Namespace: "ns", Subnet: c.subnets.Draw(t, "subnet"), Addresses: list}
		if rapid.Bool().Draw(t, "delete") {
			inv.DeleteVip(v.Name)
			return
		}
		inv.SetVip(v)
	case 5:
		s := Subnet{
			Name: c.subnets.Filter(func(s string) bool { return s != "" && s != "gone" }).Draw(t, "subnet"),
			UID:  "u",
		}
		if s.VPC = "a"; s.Name == "b1" {
			s.VPC = "b"
		}
		if len(list) > 0 {
			s.Gateways, s.Own = list[:1], list[1:]
		}
		s.CIDRs = rapid.SliceOfN(c.prefixes, 0, 2).Draw(t, "cidrs")
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			inv.DeleteSubnet(s.Name)
			return
		}
		inv.SetSubnet(s)
	default:
		kind := rapid.SampledFrom([]HolderKind{
			HeldByNode, HeldByService, HeldByBalancer, HeldByExternal, HeldByEIP,
			HeldByFIPInside, HeldByRule,
		}).
			Draw(t, "kind")
		f := Fixed{Holder: Holder{kind, fmt.Sprintf("ns/s%d", n)}, Addresses: list}
		switch kind { //nolint:exhaustive // the others have theirs everywhere
		case HeldByEIP, HeldByRule:
			f.At.Subnet = c.subnets.Draw(t, "subnet")
		case HeldByFIPInside:
			f.At.VPC = "b"
		}
		if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
			inv.DeleteFixed(f.Holder)
			return
		}
		inv.SetFixed(f)
	}
}

// The holders of addresses in a prefix are found in the same order as by a scan, whatever was changed before; and a
// snapshot stays as it was.
func TestHeldInFindsWhatAScanFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := New()
		prefix := drawnHolders.prefixes.Draw(t, "prefix")
		vpcs := rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"c"}}).Draw(t, "vpcs")
		type kept struct {
			state *State
			want  []Held
		}
		var snapshots []kept
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			drawnHolders.change(t, inv)
			if rapid.Bool().Draw(t, "snapshot") {
				snapshots = append(snapshots, kept{inv.Snapshot(), inv.heldByScan(prefix, inv.meeting(vpcs))})
			}
		}
		snapshots = append(snapshots, kept{inv.Snapshot(), inv.heldByScan(prefix, inv.meeting(vpcs))})
		for i, k := range snapshots {
			got := slices.Collect(k.state.heldIn(prefix, k.state.meeting(vpcs), nil))
			if !slices.Equal(got, k.want) {
				t.Fatalf("snapshot %d of %d, %s in %q:\n got %v\nwant %v", i, len(snapshots), prefix, vpcs, got, k.want)
			}
			for h := range k.state.heldIn(prefix, k.state.meeting(vpcs), nil) {
				if h != k.want[0] {
					t.Fatalf("the first is %v, want %v", h, k.want[0])
				}
				break
			}
		}
	})
}

// The holders that are skipped because a subnet's owner consented are exactly those that have the consent.
func TestPassingOverFindsWhatAScanFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inv := New()
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			drawnHolders.change(t, inv)
		}
		e := policy.Exception{
			Namespace: "ns",
			Name:      "e",
			Shares: []policy.Share{
				{Resource: policy.Subnets, Name: drawnHolders.subnets.Draw(t, "consents"), UID: "u"},
			},
		}
		for range rapid.IntRange(1, 3).Draw(t, "pairs") {
			e.Pairs = append(e.Pairs, portsec.AddressPair{Prefix: drawnHolders.prefixes.Draw(t, "prefix")})
			e.SharedWith = append(
				e.SharedWith,
				rapid.OneOf(drawnHolders.subnets, rapid.SampledFrom([]string{"p1.ns", "v1", "ns/s1"})).
					Draw(t, "shared with"),
			)
		}
		inv.SetException(e)
		p := &Port{
			Name:     "p1.ns",
			Pod:      &Pod{PodKey: PodKey{"ns", "p1"}},
			Decision: policy.Decision{Exceptions: []string{"e"}, Pairs: e.Pairs},
		}
		vpc, known := inv.vpcOf(p.Name)
		near := func(h Holder) bool {
			other, confined := inv.NetworkOf(h)
			return !confined || other == "" || !known || other == vpc
		}
		var want []Held
		for _, pair := range e.Pairs {
			if pair.Prefix.Bits() == 0 {
				continue
			}
			for _, h := range inv.heldByScan(pair.Prefix, near) {
				switch s := inv.entry(h.Holder.Name); {
				case inv.consented(p, h),
					h.Holder.Kind == HeldByVip,
					h.Holder.OfService("ns"),
					h.Holder == Holder{HeldByPort, p.Name},
					s.isVip():
				default:
					want = append(want, h)
				}
			}
		}
		want = want[:min(len(want), overlapLimit)]
		if got := inv.overlaps(p); !slices.Equal(got, want) {
			t.Fatalf("%v:\n got %v\nwant %v", e, got, want)
		}

		c := claiming{inv: &inv.State, e: &e, vpcs: func() []string { return []string{"a"} }, limit: claimsInReview}
		for i := range e.Pairs {
			c.passing(i)
		}
		scan := claiming{inv: &inv.State, e: &e, vpcs: c.vpcs, limit: claimsInReview}
		for i, pair := range e.Pairs {
			for _, h := range inv.heldByScan(pair.Prefix, scan.near) {
				scan.passingOf(i, h)
			}
		}
		if got, want := fmt.Sprint(c.claims), fmt.Sprint(scan.claims); got != want {
			t.Fatalf("%v:\n got %v\nwant %v", e, got, want)
		}
	})
}
