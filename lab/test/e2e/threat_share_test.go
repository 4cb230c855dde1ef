//go:build integration

package e2e

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// shareRights allows consent to grants of addresses of a Subnet.
func shareRights(subnet string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups:     []string{"ovnguard.io"},
		Resources:     []string{"subnets"},
		ResourceNames: []string{subnet},
		Verbs:         []string{"share"},
	}
}

// Users who may only write exceptions cannot grant a range of free addresses of the pods' subnet: frames from it are
// dropped. With the right to share the Subnet they can, and frames pass.
func TestThreatT31GrantOverASubnet(t *testing.T) {
	const prefix, behind = "10.77.200.0/24", "10.77.200.9"
	applyDual(t)
	ns, _ := repairNamespace(t)
	from, to := openActor(t, ns), openActor(t, ns)
	narrow := portSecurityOf(t, from.Port)
	forwards := func(when string, want bool) {
		t.Helper()
		settle(t)
		p, err := scene.Forwarded(from, to, netip.MustParseAddr(behind))
		if err != nil {
			t.Fatal(err)
		}
		if passed, err := p.Send(t.Context(), from, to); err != nil || passed != want {
			t.Errorf("%s, %s: passed %v, want %v, %v", when, p.Name, passed, want, err)
		}
	}
	author, writer := granted(t, exceptionRights)
	_, sharer := granted(t, exceptionRights, shareRights("dual"))
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	asks := func(who person, pair v1alpha1.AddressPair, shares ...v1alpha1.Share) error {
		e := exceptionIn(ns)
		e.Spec.Target.PodSelector.MatchLabels = nil
		e.Spec.Class, e.Spec.Grant.Pairs, e.Spec.SharedBy = v1alpha1.ClassRouter, []v1alpha1.AddressPair{pair}, shares
		_, err := who.do(t.Context(), http.MethodPost, path, e)
		return err
	}
	named := v1alpha1.AddressPair{Prefix: prefix, SharedWith: "dual"}
	eventually(t, "the policy to be followed", func() (bool, error) {
		err := asks(writer, v1alpha1.AddressPair{Prefix: prefix})
		return err != nil && strings.Contains(err.Error(), "sharedWith: dual"), nil
	})
	mustRefuse(t, "a range of the subnet", asks(writer, named), `verb "share" on subnets.ovnguard.io dual`)
	forged := v1alpha1.Share{Resource: "subnets", Name: "dual", User: author}
	mustRefuse(
		t,
		"a consent that is written by hand",
		asks(writer, named, forged),
		`verb "share" on subnets.ovnguard.io dual`,
	)
	mustRefuse(
		t,
		"the gateway, by whoever may share",
		asks(sharer, v1alpha1.AddressPair{Prefix: "10.77.0.0/24", SharedWith: "dual"}),
		"never be granted",
	)
	forwards("refused", false)
	if now := portSecurityOf(t, from.Port); now != narrow {
		t.Errorf("what was refused is on the port: %s", now)
	}

	if err := asks(sharer, named); err != nil {
		t.Fatal(err)
	}
	eventually(
		t,
		"what is shared to reach the port",
		func() (bool, error) { return strings.Contains(portSecurityOf(t, from.Port), " "+prefix), nil },
	)
	forwards("shared", true)

	one := path + "/" + exceptionIn(ns).Name
	_, err := writer.do(
		t.Context(),
		http.MethodPatch,
		one,
		map[string]any{"spec": map[string]any{"grant": map[string]any{
			"pairs": []any{map[string]any{"prefix": "10.77.201.0/24", "sharedWith": "dual"}},
		}}},
	)
	mustRefuse(t, "another range than the one that is shared", err, "10.77.201.0/24 is not shared")
	if _, err := writer.do(t.Context(), http.MethodDelete, one, nil); err != nil {
		t.Fatal(err)
	}
	eventually(
		t,
		"the deleted grant to be gone",
		func() (bool, error) { return portSecurityOf(t, from.Port) == narrow, nil },
	)
	forwards("deleted", false)

	// An address that the pods' subnet shares with them needs nobody's consent: a Vip of the namespace.
	_, address := makeVip(t, ns)
	eventually(t, "the Vip to be known", func() (bool, error) {
		e := exceptionIn(ns)
		e.Spec.Class, e.Spec.Grant.Pairs = v1alpha1.ClassVRRP, []v1alpha1.AddressPair{{Prefix: address}}
		_, err := writer.do(t.Context(), http.MethodPost, path, e)
		return err == nil, nil
	})
}
