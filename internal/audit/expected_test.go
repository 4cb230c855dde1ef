package audit

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/portsec"
)

// The column of a plain identity is, to the letter, the one that is built and checked for every era.
func TestPlainIdentityAsBuilt(t *testing.T) {
	plains := 0
	rapid.Check(t, func(r *rapid.T) {
		identity := portsec.Identity{MAC: portsec.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(r, "mac"))}
		if rapid.Bool().Draw(r, "IPv4") {
			identity.IPs = append(
				identity.IPs,
				netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(r, "4"))),
			)
		}
		if rapid.Bool().Draw(r, "IPv6") {
			identity.IPs = append(
				identity.IPs, netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "6"))),
			)
		}
		if !plain(identity) {
			return
		}
		plains++
		built, err := portsec.Build(identity, nil)
		if err != nil || !slices.Equal(built, []string{identityText(identity)}) {
			r.Fatalf("%q, and it is built as %q: %v", identityText(identity), built, err)
		}
	})
	if plains < 20 {
		t.Errorf("%d identities were plain: the draw shows nothing", plains)
	}
}
