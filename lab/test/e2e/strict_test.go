//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/portsec"
)

// strictInOVN waits until the pod has its port of the default network, and those of the providers, and checks that OVN
// restricts each of its ports to the identity in Kube-OVN's own record, and sends none of them frames for others.
func strictInOVN(t *testing.T, namespace, name string, also ...kubeovn.Provider) {
	t.Helper()
	strictWhile(t, func() bool { return true }, namespace, name, also...)
}

// strictWhile is strictInOVN for a pod that may go meanwhile, as stays reports. It returns whether the pod stayed.
func strictWhile(t *testing.T, stays func() bool, namespace, name string, also ...kubeovn.Provider) bool {
	t.Helper()
	var rows []*ovn.Port
	eventually(t, "the ports of "+name, func() (bool, error) {
		if !stays() {
			return true, nil
		}
		var err error
		if rows, err = portsOf(t.Context(), namespace, name); err != nil {
			return false, err
		}
		for _, provider := range append([]kubeovn.Provider{kubeovn.DefaultProvider}, also...) {
			port := kubeovn.PortName(name, namespace, provider)
			if !slices.ContainsFunc(rows, func(row *ovn.Port) bool { return row.Name == port }) {
				return false, nil
			}
		}
		return true, nil
	})
	for _, row := range rows {
		record, err := recordOf(t.Context(), row.Name)
		if !stays() {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, looser := range excessOf(row, record) {
			t.Errorf("port %s, which is %s by its record: %s", row.Name, record, looser)
		}
	}
	return stays()
}

// portsOf returns the rows that name the pod in OVN.
func portsOf(ctx context.Context, namespace, name string) ([]*ovn.Port, error) {
	out, err := world.Nbctl(
		ctx,
		"--format=json",
		"--columns=name,type,enabled,addresses,port_security",
		"find",
		"logical_switch_port",
		fmt.Sprintf("external_ids:pod=%q", namespace+"/"+name),
	)
	if err != nil {
		return nil, err
	}
	var table struct {
		Data [][]any `json:"data"`
	}
	if err := json.Unmarshal([]byte(out), &table); err != nil {
		return nil, fmt.Errorf("ovn-nbctl find: %w: %s", err, out)
	}
	var rows []*ovn.Port
	for _, cells := range table.Data {
		row := &ovn.Port{
			Name:         fmt.Sprint(cells[0]),
			Type:         fmt.Sprint(cells[1]),
			Addresses:    texts(cells[3]),
			PortSecurity: texts(cells[4]),
		}
		if enabled, ok := cells[2].(bool); ok {
			row.Enabled = &enabled
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// texts returns the elements of a set in OVSDB's JSON: a set of one may be written as its element (RFC 7047, section
// 5.1).
func texts(cell any) []string {
	one, ok := cell.(string)
	if ok {
		return []string{one}
	}
	var out []string
	if set, ok := cell.([]any); ok && len(set) == 2 {
		if elements, ok := set[1].([]any); ok {
			for _, element := range elements {
				out = append(out, fmt.Sprint(element))
			}
		}
	}
	return out
}

// excessOf returns every right of a port in its row beyond, or different from, its identity; nothing if it is strict.
// Each era of OVN must read the row so.
func excessOf(row *ovn.Port, identity portsec.Identity) (out []string) {
	want := portsec.IdentitySet(identity)
	for _, era := range portsec.Eras() {
		if got := portsec.Parse(era, row.PortSecurity).Set(); !got.Equal(want) {
			out = append(out, fmt.Sprintf("port_security %q lets it send, by %s, %s", row.PortSecurity, era, got))
		}
	}
	if row.Type != "" {
		out = append(out, fmt.Sprintf("type %q, of which OVN does not check what it sends", row.Type))
	}
	// Like "unknown", an address of others would make OVN answer for it and send frames for them here.
	if len(row.Addresses) != 1 || !slices.Equal(strings.Fields(row.Addresses[0]), words(identity)) {
		out = append(out, fmt.Sprintf("addresses %q, want %q", row.Addresses, strings.Join(words(identity), " ")))
	}
	return out
}

// words returns an identity as Kube-OVN writes it into a row.
func words(identity portsec.Identity) []string {
	out := []string{identity.MAC.String()}
	for _, ip := range identity.IPs {
		out = append(out, ip.String())
	}
	return out
}

// recordOf waits for the port's IP resource and returns the identity in it.
func recordOf(ctx context.Context, port string) (identity portsec.Identity, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	err = scene.Wait(ctx, "the IP resource "+port, func() (bool, error) {
		raw, err := world.Kube.CoreV1().RESTClient().Get().AbsPath("/apis/kubeovn.io/v1/ips/" + port).DoRaw(ctx)
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		identity, err = identityOf(raw)
		return true, err
	})
	return identity, err
}

// identityOf parses the identity in an IP resource.
func identityOf(raw []byte) (identity portsec.Identity, err error) {
	var ip struct {
		Spec struct {
			MACAddress  string `json:"macAddress"`
			V4IPAddress string `json:"v4IpAddress"`
			V6IPAddress string `json:"v6IpAddress"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &ip); err != nil {
		return identity, err
	}
	return parseIdentity(ip.Spec.MACAddress, ip.Spec.V4IPAddress, ip.Spec.V6IPAddress)
}

// parseIdentity parses an identity; an empty address is none.
func parseIdentity(mac string, addresses ...string) (identity portsec.Identity, err error) {
	if identity.MAC, err = portsec.ParseMAC(mac); err != nil {
		return identity, err
	}
	for _, text := range addresses {
		if text == "" {
			continue
		}
		address, err := netip.ParseAddr(text)
		if err != nil {
			return identity, err
		}
		identity.IPs = append(identity.IPs, address)
	}
	return identity, nil
}

// The tests of threats accept only strict rows as strict, on any NIC.
func TestLoosenedIsSeen(t *testing.T) {
	identity := portsec.Identity{
		MAC: portsec.MAC{0x0a, 0, 0, 0, 0, 1},
		IPs: []netip.Addr{netip.MustParseAddr("10.16.0.9"), netip.MustParseAddr("fd00::9")},
	}
	const own = "0a:00:00:00:00:01 10.16.0.9 fd00::9"
	for name, c := range map[string]struct {
		row    ovn.Port
		strict bool
	}{
		"strict": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{own}}, true},
		"strict in other words": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{"0A:00:00:00:00:01 " +
			"fd00::9 10.16.0.9"}}, true},
		"off":         {ovn.Port{Addresses: []string{own}}, false},
		"a MAC alone": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{"0a:00:00:00:00:01"}}, false},
		"an address less": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{"0a:00:00:00:00:01 " +
			"10.16.0.9"}}, false},
		"an address more": {
			ovn.Port{Addresses: []string{own}, PortSecurity: []string{own + " 10.16.0.1"}}, false,
		},
		"another entry": {
			ovn.Port{Addresses: []string{own}, PortSecurity: []string{own, "0a:00:00:00:00:02 10.16.0.1"}}, false,
		},
		"a word that one era trips": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{own + " x"}}, false},
		"a virtual router": {ovn.Port{Addresses: []string{own}, PortSecurity: []string{own, "VRRPv3 " +
			"0a:00:00:00:00:01 00:00:5E:00:01:07 10.16.0.1"}}, false},
		"forwarding": {
			ovn.Port{Addresses: []string{own, "unknown"}, PortSecurity: []string{own}}, false,
		},
		"forwarding alone": {ovn.Port{Addresses: []string{"unknown"}, PortSecurity: []string{own}}, false},
		"an address that it attracts": {
			ovn.Port{Addresses: []string{own + " 10.16.0.1"}, PortSecurity: []string{own}}, false,
		},
		"no address": {ovn.Port{PortSecurity: []string{own}}, false},
		"of a type that is unchecked": {
			ovn.Port{Type: "localport", Addresses: []string{own}, PortSecurity: []string{own}}, false,
		},
	} {
		if got := excessOf(&c.row, identity); (len(got) == 0) != c.strict {
			t.Errorf("%s: %q", name, got)
		}
	}

	// If somebody loosened a pod's second NIC, or its forwarding, the rows show it.
	attached := newNetwork(t)
	pod := allocatedPod(t, tenant(t), map[string]string{kubeovn.Networks: attached.name})
	strictInOVN(t, pod.Namespace, pod.Name, attached.provider)
	port := kubeovn.PortName(pod.Name, pod.Namespace, attached.provider)
	record, err := recordOf(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	nbctl(
		t,
		"lsp-set-addresses",
		port,
		strings.Join(words(record), " "),
		"unknown",
		"--",
		"lsp-set-port-security",
		portOf(pod),
	)
	rows, err := portsOf(t.Context(), pod.Namespace, pod.Name)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d ports, %v, want two", len(rows), err)
	}
	for _, row := range rows {
		identity, err := recordOf(t.Context(), row.Name)
		if err != nil {
			t.Fatal(err)
		}
		if len(excessOf(row, identity)) == 0 {
			t.Errorf("%s passes for strict: addresses %q, port_security %q", row.Name, row.Addresses, row.PortSecurity)
		}
	}
}

// network is an attachment of the tenant's with its subnet.
type network struct {
	name     string
	provider kubeovn.Provider
}

// newNetwork makes a network, which is deleted at the end of the test.
func newNetwork(t *testing.T) network {
	t.Helper()
	const path = "/apis/k8s.cni.cncf.io/v1/namespaces/" + tenantNamespace + "/network-attachment-definitions"
	name := unique("nic")
	if err := world.Apply(t.Context(), []byte(strings.ReplaceAll(secondSubnet, "NAME", name))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, one := range []string{path + "/" + name, "/apis/kubeovn.io/v1/subnets/" + name} {
			if _, err := admin(t).do(cleanup(t), http.MethodDelete, one, nil); err != nil {
				t.Error(err)
			}
		}
	})
	return network{name, kubeovn.AttachmentProvider(tenantNamespace, name)}
}
