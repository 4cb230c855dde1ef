//go:build integration

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

const definitionsPath = "/apis/k8s.cni.cncf.io/v1/namespaces/" + tenantNamespace + "/network-attachment-definitions"

// mayDefine returns a user who may write definitions of networks in the tenant's namespace.
func mayDefine(t *testing.T) person {
	t.Helper()
	return mayDo(t, rbacv1.PolicyRule{
		APIGroups: []string{
			"k8s.cni.cncf.io",
		},
		Resources: []string{"network-attachment-definitions"},
		Verbs:     []string{"get", "create", "update", "patch", "delete"},
	})
}

// Configs of a network of the tenant: on OVN, outside it, and both in one.
func ovnConfig(name string) string {
	return `{"cniVersion":"0.3.1","type":"kube-ovn","provider":"` + name + "." + tenantNamespace + `.ovn"}`
}

func bothConfig(name string) string {
	return `{"cniVersion":"0.3.1","plugins":[` + ovnConfig(name) + `,{"type":"macvlan","master":"eth0"}]}`
}

const macvlanConfig = `{"cniVersion":"0.3.1","type":"macvlan","master":"eth0"}`

func definition(name, config string) any {
	return map[string]any{
		"apiVersion": "k8s.cni.cncf.io/v1",
		"kind":       "NetworkAttachmentDefinition",
		"metadata":   map[string]any{"name": name},
		"spec":       map[string]any{"config": config},
	}
}

// tenantNetwork makes a network of the tenant, which is deleted at the end of the test.
func tenantNetwork(t *testing.T, p person, name, config string) {
	t.Helper()
	if _, err := p.do(t.Context(), http.MethodPost, definitionsPath, definition(name, config)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, definitionsPath+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
}

// forbidsOthers makes a policy that forbids the tenant other networks than OVN's, waits until it is in force, and
// returns a function that allows them.
func forbidsOthers(t *testing.T, outside string) (allow func()) {
	t.Helper()
	name := unique("policy")
	policy := &v1alpha1.PortSecurityPolicy{
		TypeMeta: metav1.TypeMeta{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       "PortSecurityPolicy",
		},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: tenantNamespace},
			},
			OtherNetworks: v1alpha1.Forbid,
		},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, policy); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
	refused := func() bool {
		_, err := tenant(t).dryRun(t.Context(), tenantNamespace, map[string]string{kubeovn.Networks: outside})
		return err != nil
	}
	eventually(t, "the policy to be in force", func() (bool, error) { return refused(), nil })
	return func() {
		t.Helper()
		body := map[string]any{"spec": map[string]any{"otherNetworks": "Allow"}}
		if _, err := admin(t).do(t.Context(), http.MethodPatch, policiesPath+"/"+name, body); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the policy to allow it again", func() (bool, error) { return !refused(), nil })
	}
}

// A NIC that OVN does not make is refused where policy says so, whoever makes the pod and however the network is named,
// and allowed and reported elsewhere.
func TestThreat12ForbiddenNIC(t *testing.T) {
	p, outside, both, blue := tenant(t), unique("outside"), unique("both"), unique("blue")
	definer := mayDefine(t)
	tenantNetwork(t, definer, outside, macvlanConfig)
	tenantNetwork(t, definer, both, bothConfig(both))
	tenantNetwork(t, definer, blue, ovnConfig(blue))
	asks := func(text string) map[string]string { return map[string]string{kubeovn.Networks: text} }
	onBlue := wish{
		name:        "of OVN",
		annotations: asks(blue),
		keeps: map[string]string{
			kubeovn.AttachmentProvider(tenantNamespace, blue).Key(kubeovn.PortSecurity): "true",
		},
	}

	wish{name: "where nothing forbids it", annotations: asks(outside)}.try(t, p)
	allow := forbidsOthers(t, outside)
	onBlue.try(t, p)
	wish{
		name:        "outside",
		annotations: asks(outside),
		refused:     "network " + tenantNamespace + "/" + outside + " is not on OVN",
	}.try(
		t,
		p,
	)
	for name, annotations := range map[string]map[string]string{
		"with its namespace":  asks(tenantNamespace + "/" + outside),
		"in JSON":             asks(`[{"name":"` + outside + `","interface":"net7"}]`),
		"behind one of OVN":   asks(blue + "," + outside),
		"beside OVN":          asks(both),
		"not there":           asks(unique("nowhere")),
		"as the default":      {kubeovn.DefaultNetwork: tenantNamespace + "/" + outside},
		"a default of Multus": {kubeovn.DefaultNetwork: blue},
	} {
		wish{name: name, annotations: annotations, refused: "forbids NICs outside OVN"}.tryPod(t, p)
		wish{
			name:        name,
			annotations: annotations,
			refused:     "ask an administrator to allow it by spec.otherNetworks",
		}.tryPod(
			t,
			p,
		)
	}
	allow()
	pod := allocatedPod(t, p, asks(outside))
	eventually(t, "OVG024 to name the pod", func() (bool, error) {
		return slices.ContainsFunc(audit(t).Findings, func(f finding) bool {
			return f.Rule == "OVG024" && f.Namespace == tenantNamespace && f.Pod == pod.Name &&
				strings.Contains(f.Message, outside)
		}), nil
	})
}

// A pod gets the NIC that the definition of its network makes when it starts. A user who may write definitions cannot
// change one of OVN into another later, nor delete it and make it again.
func TestThreat12DefinitionChangedUnderPods(t *testing.T) {
	p, outside, blue := tenant(t), unique("outside"), unique("blue")
	definer := mayDefine(t)
	tenantNetwork(t, definer, outside, macvlanConfig)
	tenantNetwork(t, definer, blue, ovnConfig(blue))
	pod := allocatedPod(t, p, map[string]string{kubeovn.Networks: blue})
	turn := func(config string) error {
		_, err := definer.do(
			t.Context(),
			http.MethodPatch,
			definitionsPath+"/"+blue,
			map[string]any{"spec": map[string]any{"config": config}},
		)
		return err
	}
	allow := forbidsOthers(t, outside)
	for what, config := range map[string]string{
		"macvlan": macvlanConfig, "both": bothConfig(blue), "a file on the node": "",
	} {
		mustRefuse(t, "turned into "+what, turn(config), "with a new name")
	}
	if err := turn(`{"plugins":[` + ovnConfig(blue) + `,{"type":"portmap"}]}`); err != nil {
		t.Errorf("another configuration on OVN: %v", err)
	}
	if _, err := definer.do(t.Context(), http.MethodDelete, definitionsPath+"/"+blue, nil); err != nil {
		t.Fatal(err)
	}
	wish{
		name:        "while it is gone",
		annotations: map[string]string{kubeovn.Networks: blue},
		refused:     "has no NetworkAttachmentDefinition",
	}.tryPod(
		t,
		p,
	)
	for what, config := range map[string]string{"macvlan": macvlanConfig, "both": bothConfig(blue)} {
		_, err := definer.do(t.Context(), http.MethodPost, definitionsPath, definition(blue, config))
		mustRefuse(t, "made again as "+what, err, "pod "+tenantNamespace+"/"+pod.Name+" would get NICs outside OVN")
	}
	if _, err := definer.do(
		t.Context(),
		http.MethodPost,
		definitionsPath,
		definition(blue, ovnConfig(blue)),
	); err != nil {
		t.Fatalf("made again as it was: %v", err)
	}
	allow()
	if err := turn(macvlanConfig); err != nil {
		t.Errorf("where nothing forbids it: %v", err)
	}
}
