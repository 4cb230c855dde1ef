//go:build integration

package e2e

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Keys that namespaces hand down in the tests.
var (
	routes  = kubeovn.DefaultProvider.Key("routes")
	limited = kubeovn.DefaultProvider.Key("egress_rate")
)

const someRoutes = `[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]`

// handingDown makes a namespace with the annotations and a policy over it that lists the keys.
func handingDown(t *testing.T, spec v1alpha1.PortSecurityPolicySpec, annotations map[string]string) (ns string) {
	t.Helper()
	ns = namespace(t, annotations)
	spec.Priority = 100
	policyOver(t, ns, spec)
	return ns
}

// New pods that do not carry the key get the annotation of their namespace: by the webhook alone, by the API server's
// policies before the webhook, and by these policies while there is no webhook. The result is the same.
func TestInheritedKeys(t *testing.T) {
	says := map[string]string{routes: someRoutes, limited: ""}
	spaces := make(map[v1alpha1.Mode]string)
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeEnforce, v1alpha1.ModeWarn, v1alpha1.ModeAudit} {
		spaces[mode] = handingDown(t, v1alpha1.PortSecurityPolicySpec{
			Mode: mode, InheritedKeys: []string{routes, limited},
		}, says)
	}
	other := namespace(t, says) // without a policy
	p := admin(t)
	const withoutDefault = "no default network"
	pods := map[string]struct {
		named       bool
		annotations map[string]string
		want        string // of routes
	}{
		"generated":           {false, nil, someRoutes},
		"named":               {true, nil, someRoutes},
		"asks to be strict":   {false, map[string]string{portSecurity: "true"}, someRoutes},
		"something else":      {false, map[string]string{"example.org/a": "b"}, someRoutes},
		"its own":             {false, map[string]string{routes: "[]"}, "[]"},
		"its own, and named":  {true, map[string]string{routes: "[]"}, "[]"},
		"none":                {false, map[string]string{routes: ""}, ""},
		"a record it brought": {false, map[string]string{policy.RecordAnnotation: "{}"}, someRoutes},
		// It has no NIC of the default network. Where policy enforces it is refused: there is no such network.
		withoutDefault: {false, map[string]string{kubeovn.DefaultNetwork: "nowhere/blue"}, ""},
	}
	made := func(t *testing.T, ns, what string) map[string]string {
		t.Helper()
		template := wish{annotations: pods[what].annotations}.template()
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		if pod.GenerateName = "web-"; pods[what].named {
			pod.Name, pod.GenerateName = unique("web"), ""
		}
		got, err := p.CoreV1().
			Pods(ns).
			Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil {
			t.Fatalf("%s in %s: %v", what, ns, err)
		}
		return got.Annotations
	}
	check := func(t *testing.T, modes ...v1alpha1.Mode) map[string]map[string]string {
		t.Helper()
		all := make(map[string]map[string]string)
		for _, mode := range modes {
			ns := spaces[mode]
			for what, pod := range pods {
				if what == withoutDefault && mode == v1alpha1.ModeEnforce {
					continue
				}
				got := made(t, ns, what)
				delete(got, policy.RecordAnnotation) // it names the policy only where the webhook decided
				if value, there := got[routes]; value != pod.want || there == (what == withoutDefault) {
					t.Errorf("mode %s, %s: routes %q, %t, want %q", mode, what, value, there, pod.want)
				}
				if value, there := got[limited]; there {
					t.Errorf("mode %s, %s: an empty value was handed down: %q", mode, what, value)
				}
				all[string(mode)+" "+what] = got
			}
		}
		if got := made(t, other, "generated"); got[routes] != "" {
			t.Errorf("without a policy: %v", got)
		}
		return all
	}
	every := []v1alpha1.Mode{v1alpha1.ModeEnforce, v1alpha1.ModeWarn, v1alpha1.ModeAudit}
	eventually(t, "the policies to be followed", func() (bool, error) {
		for _, ns := range spaces {
			if made(t, ns, "generated")[routes] == "" {
				return false, nil
			}
		}
		return true, nil
	})
	byWebhook := check(t, every...)

	withPolicies(t)
	eventually(t, "the API server to hand down", func() (bool, error) {
		before := reviews(t)
		got := made(t, spaces[v1alpha1.ModeEnforce], "generated")
		return got[routes] == someRoutes && maps.Equal(reviews(t), before), nil
	})
	byBoth := check(t, every...)
	for what, want := range byWebhook {
		if !maps.Equal(want, byBoth[what]) {
			t.Errorf("%s: by the webhook alone %v, with the API server's policies %v", what, want, byBoth[what])
		}
	}

	withoutWebhooks(t)
	check(t, every...)
}

// Somebody who may edit a namespace, and no pods, writes keys there that would open pods or choose their addresses.
// Pods do not get them: a policy cannot list them, and only listed keys are handed down.
func TestThreatT51NamespaceAnnotations(t *testing.T) {
	p := admin(t)
	for _, key := range []string{
		portSecurity, layer2Forward, portVIPs, ipAddress, macAddress, "ovn.kubernetes.io/vpc_nat_gw", kubeovn.Networks,
		"ovn.kubernetes.io/logical_switch", "ovn.kubernetes.io/eip", "ovn.kubernetes.io/allocated",
		"blue.lab.kubernetes.io/routes", "ovn.kubernetes.io/routes.net1",
	} {
		_, err := p.do(t.Context(), http.MethodPost, policiesPath+dryRun, &v1alpha1.PortSecurityPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
			ObjectMeta: metav1.ObjectMeta{Name: unique("tried")},
			Spec:       v1alpha1.PortSecurityPolicySpec{InheritedKeys: []string{routes, key}},
		})
		if err == nil || !strings.Contains(err.Error(), "spec.inheritedKeys[1]") ||
			!strings.Contains(err.Error(), "cannot be handed down to pods") {
			t.Errorf("a policy that lists %s: %v", key, err)
		}
	}
	ns := handingDown(t, v1alpha1.PortSecurityPolicySpec{InheritedKeys: []string{routes}}, nil)
	_, owner := granted(t, namespaceRights)
	write := func(annotations map[string]any) error {
		_, err := owner.do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+ns,
			map[string]any{"metadata": map[string]any{"annotations": annotations}})
		return err
	}
	mustRefuse(t, "port_security off", write(map[string]any{portSecurity: "false"}), "exempt")
	if err := write(map[string]any{
		routes: someRoutes, portVIPs: "10.16.0.1", ipAddress: "10.16.0.1", macAddress: "0a:00:00:00:00:01",
		"ovn.kubernetes.io/vpc_nat_gw": "gw", "ovn.kubernetes.io/allocated": "true",
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the routes to be handed down", func() (bool, error) {
		pod, err := p.dryRun(t.Context(), ns, nil)
		return err == nil && pod.Annotations[routes] == someRoutes, err
	})
	pod := run(t, ns, nil)
	if pod.Annotations[routes] != someRoutes || pod.Annotations[portVIPs] != "" ||
		pod.Annotations["ovn.kubernetes.io/vpc_nat_gw"] != "" || pod.Annotations[ipAddress] == "10.16.0.1" {
		t.Errorf("the pod has %v", pod.Annotations)
	}
	strictInOVN(t, ns, pod.Name)

	// A later change of the namespace is for later pods.
	if err := write(map[string]any{routes: "[]"}); err != nil {
		t.Fatal(err)
	}
	if err := p.patch(t.Context(), pod, map[string]any{"example.org/harmless": "1", routes: nil}); err != nil {
		t.Fatal(err)
	}
	now, err := world.Kube.CoreV1().Pods(ns).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if value, there := now.Annotations[routes]; there {
		t.Errorf("an update gave the pod its namespace's routes again: %q", value)
	}
	strictInOVN(t, ns, pod.Name)
}
