//go:build integration

package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// nameOf returns the name of an object.
func nameOf(t *testing.T, body []byte) string {
	t.Helper()
	return fieldOf(t, body, "metadata", "name")
}

// fieldOf returns the text of a field of an object; "" if it is missing.
func fieldOf(t *testing.T, body []byte, path ...string) string {
	t.Helper()
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, name := range path {
		object, ok := at.(map[string]any)
		if !ok {
			return ""
		}
		at = object[name]
	}
	text, ok := at.(string)
	if !ok {
		return ""
	}
	return text
}

// Kube-OVN's CNI plugs a NIC by the provider in a definition's config; a provider with another definition's name would
// plug it into another pod's port.
func TestThreatT18AttachmentProviders(t *testing.T) {
	p, name := mayDefine(t), unique("net")
	const path = definitionsPath
	own := ovnConfig(name)
	foreign := map[string]string{
		"plain":     `{"cniVersion":"0.3.1","type":"kube-ovn","provider":"vault.bank.ovn"}`,
		"the pod's": `{"cniVersion":"0.3.1","type":"kube-ovn","provider":"ovn"}`,
		"in a list": `{"cniVersion":"0.3.1","plugins":[{"type":"tuning"},{"type":"kube-ovn","provider":"vault.bank.ovn"}]}`,
		"delegated": `{"type":"multus","delegates":[{"type":"kube-ovn","provider":"vault.bank.ovn"}]}`,
		"twice": `{"type":"kube-ovn","provider":"` + name + "." + tenantNamespace +
			`.ovn","Provider":"vault.bank.ovn"}`,
		"of IPAM":     `{"type":"macvlan","ipam":{"type":"kube-ovn","provider":"vault.bank"}}`,
		"not a CNI's": `type: kube-ovn`,
	}
	for what, config := range foreign {
		_, err := p.do(t.Context(), http.MethodPost, path, definition(name, config))
		mustRefuse(t, what+", made", err, "spec.config")
	}
	if _, err := p.do(t.Context(), http.MethodGet, path+"/"+name, nil); !apierrors.IsNotFound(err) {
		t.Errorf("a definition that was refused: %v", err)
	}
	if _, err := p.do(t.Context(), http.MethodPost, path, definition(name, own)); err != nil {
		t.Fatalf("its own: %v", err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, path+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
	for what, config := range foreign {
		_, err := p.do(
			t.Context(),
			http.MethodPatch,
			path+"/"+name,
			map[string]any{"spec": map[string]any{"config": config}},
		)
		mustRefuse(t, what+", changed", err, "spec.config")
	}
	body, err := p.do(t.Context(), http.MethodGet, path+"/"+name, nil)
	if err != nil || fieldOf(t, body, "spec", "config") != own {
		t.Errorf("the definition is %s, %v", body, err)
	}
}

const machines = "/apis/kubevirt.io/v1/namespaces/" + tenantNamespace

// define defines the resources of a group in the cluster, each with its kind and without a schema, until the test ends.
func define(t *testing.T, group, scope string, resources map[string]string) {
	t.Helper()
	const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
	for resource, kind := range resources {
		name := resource + "." + group
		_, err := admin(t).do(t.Context(), http.MethodPost, path, map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1",
			"kind":       "CustomResourceDefinition",
			"metadata":   map[string]any{"name": name},
			"spec": map[string]any{
				"group": group,
				"scope": scope,
				"names": map[string]any{"plural": resource, "singular": strings.ToLower(kind), "kind": kind},
				"versions": []any{
					map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
						"openAPIV3Schema": map[string]any{
							"type":                                 "object",
							"x-kubernetes-preserve-unknown-fields": true,
						},
					}},
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := admin(t).do(cleanup(t), http.MethodDelete, path+"/"+name, nil); err != nil {
				t.Error(err)
			}
			eventually(t, "the cluster to forget "+name, func() (bool, error) {
				_, err := admin(t).do(cleanup(t), http.MethodGet, path+"/"+name, nil)
				return apierrors.IsNotFound(err), nil
			})
		})
	}
	for resource := range resources {
		eventually(t, resource+" to be served", func() (bool, error) {
			_, err := admin(t).do(t.Context(), http.MethodGet, "/apis/"+group+"/v1/"+resource, nil)
			return err == nil, nil
		})
	}
}

// defineKubeVirt makes the API server serve KubeVirt's resources, and waits until the program believes KubeVirt's
// accounts.
func defineKubeVirt(t *testing.T) {
	t.Helper()
	define(t, "kubevirt.io", "Namespaced", map[string]string{
		"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance",
	})
	eventually(t, "the program to know that KubeVirt is served", func() (bool, error) {
		return tryLauncher(t) == nil, nil
	})
}

// tryLauncher tries to make a machine's pod with KubeVirt's account; none is kept.
func tryLauncher(t *testing.T) error {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: unique("virt-launcher"),
		OwnerReferences: []metav1.OwnerReference{
			{
				APIVersion: "kubevirt.io/v1",
				Kind:       "VirtualMachineInstance",
				Name:       "tried",
				UID:        "7b1f6d4e-0000-4000-8000-000000000003",
			},
		},
	}, Spec: podSpec()}
	pods := as(t, admission.DefaultAccounts().KubeVirt[0], "system:masters").CoreV1().Pods(tenantNamespace)
	_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	return err
}

// KubeVirt copies the annotations of a machine's template to the pods that run it. Keys that bind a pod to a machine
// are refused in the template; the author gets a warning about the rest, and the pods are judged like any others.
func TestThreat23MachineTemplates(t *testing.T) {
	defineKubeVirt(t)
	p := mayDo(
		t,
		rbacv1.PolicyRule{
			APIGroups: []string{"kubevirt.io"},
			Resources: []string{"virtualmachines", "virtualmachineinstances"},
			Verbs:     []string{"get", "create", "update", "patch", "delete"},
		},
	)
	machine := func(name string, annotations map[string]string) map[string]any {
		return map[string]any{
			"apiVersion": "kubevirt.io/v1",
			"kind":       "VirtualMachine",
			"metadata":   map[string]any{"name": name},
			"spec": map[string]any{
				"template": map[string]any{
					"metadata": map[string]any{"annotations": annotations},
					"spec":     map[string]any{},
				},
			},
		}
	}
	instance := func(name string, annotations map[string]string) map[string]any {
		return map[string]any{
			"apiVersion": "kubevirt.io/v1",
			"kind":       "VirtualMachineInstance",
			"metadata":   map[string]any{"name": name, "annotations": annotations},
			"spec":       map[string]any{},
		}
	}
	vm, vmi := unique("vm"), unique("vmi")
	for _, key := range []string{kubeovn.MigrationJob, "ovn.kubernetes.io/activation_strategy"} {
		_, err := p.do(
			t.Context(),
			http.MethodPost,
			machines+"/virtualmachines",
			machine(vm, map[string]string{key: "x"}),
		)
		mustRefuse(t, "a machine with "+key, err, `spec.template.metadata.annotations["`+key+`"]`)
		_, err = p.do(
			t.Context(),
			http.MethodPost,
			machines+"/virtualmachineinstances",
			instance(vmi, map[string]string{key: "x"}),
		)
		mustRefuse(t, "an instance with "+key, err, `metadata.annotations["`+key+`"]`)
	}
	wished := map[string]string{portSecurity: "false", portVIPs: "10.16.0.1"}
	p.warnings.Take()
	if _, err := p.do(t.Context(), http.MethodPost, machines+"/virtualmachines", machine(vm, wished)); err != nil {
		t.Fatalf("a machine that wishes: %v", err)
	}
	if told := strings.Join(
		p.warnings.Take(),
		"\n",
	); !strings.Contains(told, portVIPs) ||
		!strings.Contains(told, portSecurity) {
		t.Errorf("the author was told %q", told)
	}
	_, err := p.do(
		t.Context(),
		http.MethodPatch,
		machines+"/virtualmachines/"+vm,
		machine(vm, map[string]string{kubeovn.MigrationJob: "x"}),
	)
	mustRefuse(t, "a machine that is changed", err, kubeovn.MigrationJob)
	body, err := p.do(t.Context(), http.MethodGet, machines+"/virtualmachines/"+vm, nil)
	if err != nil || strings.Contains(string(body), kubeovn.MigrationJob+`":"x"`) {
		t.Errorf("the machine is %s, %v", body, err)
	}
	body, err = p.do(t.Context(), http.MethodPost, machines+"/virtualmachineinstances", instance(vmi, wished))
	if err != nil {
		t.Fatalf("an instance that wishes: %v", err)
	}

	// The pods of the instance, as KubeVirt makes them.
	account := admission.DefaultAccounts().KubeVirt[0]
	allow(
		t,
		account,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}},
	)
	owner := metav1.OwnerReference{
		APIVersion: "kubevirt.io/v1",
		Kind:       "VirtualMachineInstance",
		Name:       vmi,
		UID:        types.UID(fieldOf(t, body, "metadata", "uid")),
		Controller: new(true),
	}
	launcher := func(annotations map[string]string) *corev1.Pod {
		template := wish{annotations: map[string]string{"kubevirt.io/domain": vmi}}.template()
		maps.Copy(template.Annotations, annotations)
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name, pod.OwnerReferences = unique("virt-launcher-"+vmi), []metav1.OwnerReference{owner}
		return pod
	}
	kubevirt := as(
		t,
		account,
		"system:serviceaccounts",
		"system:serviceaccounts:kubevirt",
	).CoreV1().
		Pods(tenantNamespace)
	_, err = kubevirt.Create(t.Context(), launcher(wished), metav1.CreateOptions{})
	mustRefuse(t, "a launcher with a VIP", err, portVIPs)
	_, err = tenant(t).CoreV1().Pods(tenantNamespace).Create(t.Context(), launcher(nil), metav1.CreateOptions{})
	mustRefuse(t, "a launcher by a tenant", err, "VirtualMachineInstance "+vmi)
	pod, err := kubevirt.Create(t.Context(), launcher(map[string]string{portSecurity: "false"}), metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a launcher: %v", err)
	}
	t.Cleanup(func() { deletePod(t, pod) })
	if got := pod.Annotations[portSecurity]; got != "true" {
		t.Errorf("the launcher has port_security %q", got)
	}
	strictInOVN(t, tenantNamespace, vmi) // machines keep their ports under their own name
	wish{name: "a pod named like the machine", podName: vmi, refused: "metadata.name"}.try(t, tenant(t))
}
