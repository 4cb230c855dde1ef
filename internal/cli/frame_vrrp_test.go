package cli

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/portsec"
)

// Virtual routers of IPv6 on the wire, as keepalived sends: the neighbour advertisement of the port's own link-local
// address with the virtual MAC, and advertisements from a link-local address that somebody chose
// (acassen/keepalived#2296, #1932).
func TestFrameOfVirtualRouters(t *testing.T) {
	const (
		mac, virtual = "1e:74:9f:29:58:71", "00:00:5e:00:02:01"
		own          = mac + " 192.0.2.45 2001:db8::45"
		chosen       = virtual + " 2001:db8::ffff fe80::cdef"
		allEras      = "E0 E1 E2 E3"
	)
	neighbour := strings.Fields(
		"--src-mac " + mac + " --src-ip fe80::1c74:9fff:fe29:5871 --nd na --nd-target fe80::1c74:9fff:fe29:5871 " +
			"--nd-lladdr 00:00:5e:00:02:68 --dst-ip fe80::1",
	)
	advert := strings.Fields(
		"--src-mac " + virtual + " --src-ip fe80::cdef --dst-ip ff02::12 --dst-mac 33:33:00:00:00:12 --proto 112 " +
			"--ttl 255",
	)
	for name, c := range map[string]struct {
		frame  []string
		column []string
		allow  string // the eras that let it pass
	}{
		"the virtual MAC by the own address": {neighbour, []string{own}, ""},
		"the virtual MAC by VRRPv3": {neighbour, []string{own, "VRRPv3 " + mac + " 00:00:5e:00:02:68 " +
			"2001:db8::100"}, "E3"},
		"a link-local address that is not listed": {advert, []string{own, virtual + " 2001:db8::ffff"}, ""},
		"a link-local address that is granted":    {advert, []string{own, chosen}, allEras},
	} {
		t.Run(name, func(t *testing.T) {
			for _, era := range []portsec.Era{portsec.E0, portsec.E1, portsec.E2, portsec.E3} {
				args := []string{"frame", "--era", era.String()}
				for _, element := range c.column {
					args = append(args, "--port-security", element)
				}
				want := "drop: "
				if strings.Contains(c.allow, era.String()) {
					want = "allow: "
				}
				code, out, errs := runMain(append(args, c.frame...)...)
				if code != exitOK || !strings.HasPrefix(out, want) {
					t.Errorf("%s: exit %d, %s%s, want %q", era, code, out, errs, want)
				}
			}
		})
	}
}
