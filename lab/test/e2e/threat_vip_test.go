//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
)

// A user who may write Vips, which belong to the cluster, cannot change or delete those of others, nor their pods and
// owners, and cannot take addresses of a subnet for no namespace.
func TestThreatT38VipsOfOthers(t *testing.T) {
	ns := namespace(t, nil)
	theirs, address := makeVip(t, ns)
	user, author := granted(t, vipRights)
	binding := roleBinding("edit", user)
	if _, err := world.Kube.RbacV1().
		RoleBindings(tenantNamespace).
		Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().
			RoleBindings(tenantNamespace).
			Delete(cleanup(t), binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	at := vipsPath + "/" + theirs
	for what, change := range map[string]map[string]any{
		"its pods":    {"spec": map[string]any{"selector": []string{"app:theirs"}}},
		"its subnets": {"spec": map[string]any{"attachSubnets": []string{"ovn-default"}}},
		"its owner": {
			"metadata": map[string]any{"labels": map[string]any{"ovn.kubernetes.io/ip_reserved": "web.x"}},
		},
		"with what it is": {
			"metadata": map[string]any{
				"ownerReferences": []map[string]any{
					{"apiVersion": "v1", "kind": "Node", "name": "gone", "uid": "7b1f6d4e-0000-4000-8000-000000000009"},
				},
			},
		},
	} {
		_, err := author.do(t.Context(), http.MethodPatch, at, change)
		mustRefuse(t, what, err, "may not create pods in namespace "+ns)
	}
	_, err := author.do(t.Context(), http.MethodDelete, at, nil)
	mustRefuse(t, "deleting it", err, "delete its Vip")
	if _, err := author.do(
		t.Context(),
		http.MethodPatch,
		at,
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"team": "x"}}},
	); err != nil {
		t.Errorf("a label that means nothing: %v", err)
	}
	body, err := admin(t).do(t.Context(), http.MethodGet, at, nil)
	if err != nil || fieldOf(t, body, "status", "v4ip") != address ||
		fieldOf(t, body, "metadata", "deletionTimestamp") != "" {
		t.Errorf("the Vip is now %s, %v", body, err)
	}

	nobodys := vipFor("")
	_, err = author.do(t.Context(), http.MethodPost, vipsPath, nobodys)
	mustRefuse(t, "a Vip without a namespace", err, "the right to update subnet")
	unknown := vipFor(tenantNamespace)
	unknown["spec"] = map[string]any{"subnet": "no-such-subnet", "namespace": tenantNamespace}
	_, err = author.do(t.Context(), http.MethodPost, vipsPath, unknown)
	mustRefuse(t, "a Vip on no subnet", err, `no subnet "no-such-subnet"`)

	_, owner := granted(t, vipRights, rbacv1.PolicyRule{
		APIGroups: []string{
			"kubeovn.io",
		},
		Resources:     []string{"subnets"},
		ResourceNames: []string{"ovn-default"},
		Verbs:         []string{"update"},
	})
	if body, err = owner.do(t.Context(), http.MethodPost, vipsPath, nobodys); err != nil {
		t.Fatalf("a Vip of no namespace, by who may change the subnet: %v", err)
	}
	name := nameOf(t, body)
	_, err = author.do(t.Context(), http.MethodDelete, vipsPath+"/"+name, nil)
	mustRefuse(t, "deleting the cluster's", err, "without a namespace")
	if _, err := owner.do(t.Context(), http.MethodDelete, vipsPath+"/"+name, nil); err != nil {
		t.Errorf("deleting it, by who may change the subnet: %v", err)
	}
	mine, _ := makeVip(t, tenantNamespace)
	if _, err := author.do(
		t.Context(),
		http.MethodPatch,
		vipsPath+"/"+mine,
		map[string]any{"spec": map[string]any{"selector": []string{"app:mine"}}},
	); err != nil {
		t.Errorf("the pods of one's own: %v", err)
	}
	if _, err := author.do(t.Context(), http.MethodDelete, vipsPath+"/"+mine+dryRun, nil); err != nil {
		t.Errorf("deleting one's own: %v", err)
	}
}

// Anyone who makes the namespace of an account that ovnguard believes has that account.
func TestThreatT39NamespaceOfAnExemptAccount(t *testing.T) {
	_, owner := granted(t, namespaceRights)
	account := admission.DefaultAccounts().KubeVirt[0]
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kubevirt"}}
	_, err := owner.CoreV1().Namespaces().Create(t.Context(), made, metav1.CreateOptions{})
	mustRefuse(t, "namespace kubevirt", err, account)
	_, exempt := granted(t, namespaceRights, rbacv1.PolicyRule{
		APIGroups: []string{
			"ovnguard.io",
		},
		Resources:     []string{"namespaces"},
		ResourceNames: []string{"kubevirt"},
		Verbs:         []string{"exempt"},
	})
	if _, err := exempt.CoreV1().
		Namespaces().
		Create(t.Context(), made, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err != nil {
		t.Errorf("namespace kubevirt, with the verb exempt: %v", err)
	}
}

// Where KubeVirt is not served, its accounts are not believed: anyone who has them makes no pods of machines.
func TestThreatT39KubeVirtIsServed(t *testing.T) {
	refused := func() bool {
		err := tryLauncher(t)
		return err != nil && strings.Contains(err.Error(), "VirtualMachineInstance")
	}
	// It may have been served until a moment ago.
	eventually(t, "KubeVirt's accounts to be nobody's", func() (bool, error) { return refused(), nil })
	t.Run("served", func(t *testing.T) { defineKubeVirt(t) }) // it ends with the subtest
	eventually(t, "KubeVirt's accounts to be nobody's again", func() (bool, error) { return refused(), nil })
}
