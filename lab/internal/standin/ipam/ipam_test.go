package ipam

import (
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func plain(t *testing.T, cidrs, exclude []string) *IPAM {
	t.Helper()
	m := New()
	if err := m.SetSubnet("s", cidrs, exclude, nil); err != nil {
		t.Fatal(err)
	}
	return m
}

func addresses(t *testing.T, m *IPAM, req Request) string {
	t.Helper()
	req.Subnet = "s"
	l, err := m.Acquire(req)
	if err != nil {
		t.Fatalf("%+v: %v", req, err)
	}
	if _, err := net.ParseMAC(l.MAC); !req.NoMAC && err != nil {
		t.Errorf("%+v: MAC %q: %v", req, l.MAC, err)
	}
	return l.Addresses()
}

func TestRandomInOrder(t *testing.T) {
	m := plain(t, []string{"10.0.0.0/29", "fd00::/125"}, []string{"10.0.0.1", "fd00::1", "10.0.0.3..10.0.0.4"})
	for i, want := range []string{"10.0.0.2,fd00::2", "10.0.0.5,fd00::3", "10.0.0.6,fd00::4"} {
		if got := addresses(t, m, Request{NIC: strconv.Itoa(i)}); got != want {
			t.Errorf("lease %d is %s, want %s", i, got, want)
		}
	}
	if l, err := m.Acquire(Request{Subnet: "s", NIC: "more"}); !errors.Is(err, ErrNoAvailable) {
		t.Errorf("full subnet gave %+v, %v", l, err)
	}
	m.Release("s", "1")
	if got := addresses(t, m, Request{NIC: "again"}); got != "10.0.0.5,fd00::5" {
		t.Errorf("released address was not given again: %s", got)
	}
}

func TestSameNICKeepsItsLease(t *testing.T) {
	m := plain(t, []string{"10.0.0.0/24"}, nil)
	first, err := m.Acquire(Request{Subnet: "s", NIC: "a"})
	if err != nil {
		t.Fatal(err)
	}
	second, err := m.Acquire(Request{Subnet: "s", NIC: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
}

func TestStatic(t *testing.T) {
	m := New()
	exclude := []string{"10.0.0.1", "10.0.0.7", "10.0.0.10..10.0.0.20"}
	if err := m.SetSubnet("s", []string{"10.0.0.0/24"}, exclude, []string{"10.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	addresses(t, m, Request{NIC: "other", Static: []string{"10.0.0.5"}, MAC: "00-00-00-00-00-05"})
	cases := map[string]struct {
		req  Request
		want string
		err  error
	}{
		"free":              {req: Request{Static: []string{"10.0.0.6"}}, want: "10.0.0.6"},
		"in excluded range": {req: Request{Static: []string{"10.0.0.11"}}, want: "10.0.0.11"},
		"excluded alone":    {req: Request{Static: []string{"10.0.0.7"}}, want: "10.0.0.7"},
		"taken":             {req: Request{Static: []string{"10.0.0.5"}}, err: ErrConflict},
		"taken, allowed":    {req: Request{Static: []string{"10.0.0.5"}, AllowConflict: true}, want: "10.0.0.5"},
		"gateway":           {req: Request{Static: []string{"10.0.0.1"}}, err: ErrConflict},
		"network":           {req: Request{Static: []string{"10.0.0.0"}}, err: ErrOutOfRange},
		"broadcast":         {req: Request{Static: []string{"10.0.0.255"}}, err: ErrOutOfRange},
		"any but excluded":  {want: "10.0.0.2"},
		"outside":           {req: Request{Static: []string{"10.0.1.1"}}, err: ErrOutOfRange},
		"MAC taken":         {req: Request{MAC: "00:00:00:00:00:05"}, err: ErrConflict},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			c.req.Subnet, c.req.NIC = "s", "me"
			defer m.Release("s", "me")
			l, err := m.Acquire(c.req)
			if !errors.Is(err, c.err) || l.Addresses() != c.want {
				t.Errorf("got %q, %v; want %q, %v", l.Addresses(), err, c.want, c.err)
			}
		})
	}
	if owner, ok := m.Owner("s", "10.0.0.5"); !ok || owner != "other" {
		t.Errorf("10.0.0.5 belongs to %q", owner)
	}
	if _, err := m.Acquire(
		Request{Subnet: "s", NIC: "me", Static: []string{"10.0.0.9/24"}},
	); err == nil ||
		err.Error() != "failed to parse IP 10.0.0.9/24" {
		t.Errorf("prefix as address: %v", err)
	}
}

func TestTextOfStaticAddresses(t *testing.T) {
	single := plain(t, []string{"fd00::/64"}, nil)
	if got := addresses(t, single, Request{NIC: "a", Static: []string{"FD00::00AA"}}); got != "FD00::00AA" {
		t.Errorf("single stack: %s, want the text as typed", got)
	}
	dual := plain(t, []string{"10.0.0.0/24", "fd00::/64"}, []string{"fd00::1"})
	if got := addresses(
		t,
		dual,
		Request{NIC: "a", Static: []string{"FD00::00AA", "10.0.0.9"}},
	); got != "10.0.0.9,fd00::aa" {
		t.Errorf("dual stack: %s, want the canonical text", got)
	}
	if got := addresses(t, dual, Request{NIC: "b", Static: []string{"10.0.0.10"}}); got != "10.0.0.10,fd00::2" {
		t.Errorf("half static: %s", got)
	}
	if got := addresses(t, dual, Request{NIC: "c", Family: OnlyIPv6}); got != "fd00::3" {
		t.Errorf("only IPv6: %s", got)
	}
}

func TestPoolIsKeptBack(t *testing.T) {
	m := plain(t, []string{"10.0.0.0/24"}, nil)
	if err := m.SetPool("s", "p", []string{"10.0.0.1..10.0.0.2"}); err != nil {
		t.Fatal(err)
	}
	if got := addresses(t, m, Request{NIC: "a"}); got != "10.0.0.3" {
		t.Errorf("random request got %s out of the pool", got)
	}
	if got := addresses(t, m, Request{NIC: "b", Pool: "p"}); got != "10.0.0.1" {
		t.Errorf("pool request got %s", got)
	}
}

func TestMACOnlySubnet(t *testing.T) {
	m := plain(t, nil, nil)
	l, err := m.Acquire(Request{Subnet: "s", NIC: "a"})
	if err != nil || l.Addresses() != "" || l.MAC == "" {
		t.Errorf("got %+v, %v", l, err)
	}
}

func TestBadSubnetNamesTheField(t *testing.T) {
	m := New()
	cases := map[string]error{
		"subnet s: spec.cidrBlock":  m.SetSubnet("s", []string{"10.0.0.0"}, nil, nil),
		"subnet s: spec.excludeIps": m.SetSubnet("s", nil, []string{"x"}, nil),
		"subnet s: spec.gateway":    m.SetSubnet("s", nil, nil, []string{"x"}),
	}
	for want, err := range cases {
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want it to begin with %q", err, want)
		}
	}
}
