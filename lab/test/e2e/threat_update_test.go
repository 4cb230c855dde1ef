//go:build integration

package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// laterEdits are edits of a running pod's annotations that must be refused, by their threat. A nil value removes the
// annotation.
var laterEdits = map[string]map[string]any{
	"T02 off":               {portSecurity: "false"},
	"T02 look-alike":        {portSecurity: "True"},
	"T02 taken away":        {portSecurity: nil},
	"T03 address":           {ipAddress: "0.0.0.0/0"},
	"T03 another's address": {ipAddress: "10.16.0.1"},
	"T03 MAC":               {macAddress: "0a:00:00:00:00:01"},
	"T04 allocated":         {kubeovn.DefaultProvider.Key(kubeovn.Allocated): nil},
	"T04 routed":            {kubeovn.DefaultProvider.Key(kubeovn.Routed): "false"},
	"T05 forwarding":        {layer2Forward: "true"},
	"T06 VIPs":              {portVIPs: "10.16.0.1"},
	"T07 Vips":              {kubeovn.AAPs: "someones-vip"},
	"T09 switch":            {kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "other"},
	"T09 networks":          {kubeovn.Networks: "blue"},
	"T09 default network":   {kubeovn.DefaultNetwork: "tenant/blue"},
	"T10 virtual machine":   {kubeovn.DefaultProvider.Key("virtualmachine"): "db"},
	"T11 migration":         {kubeovn.MigrationJob: "job-1"},
	"T16 external address":  {kubeovn.DefaultProvider.Key("eip"): "203.0.113.7"},
}

// tryLater tries every edit by a path and checks that OVN's rows have not changed.
func tryLater(t *testing.T, p person, subresources ...string) {
	t.Helper()
	pod := allocatedPod(t, tenant(t), nil)
	for name, annotations := range laterEdits {
		t.Run(name, func(t *testing.T) {
			for key := range annotations {
				mustRefuse(t, name, p.patch(t.Context(), pod, annotations, subresources...), key)
			}
		})
	}
	awaitKubeOVN(t)
	strictInOVN(t, pod.Namespace, pod.Name)
}

func TestThreat03UpdateAfterCreate(t *testing.T) { tryLater(t, tenant(t)) }

// mayWrite returns a user with a right in the tenant's namespace that people think harmless.
func mayWrite(t *testing.T, verb string, resources ...string) person {
	t.Helper()
	return mayDo(t, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: resources, Verbs: []string{verb, "get"}})
}

// mayDo returns a user with these rights in the tenant's namespace and no others.
func mayDo(t *testing.T, rules ...rbacv1.PolicyRule) person {
	t.Helper()
	user := unique("helper")
	allow(t, user, rules...)
	return as(t, user)
}

// allow grants a user these rights in the tenant's namespace until the test ends.
func allow(t *testing.T, user string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: unique("rights")}
	_, err := world.Kube.RbacV1().
		Roles(tenantNamespace).
		Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().
			Roles(tenantNamespace).
			Delete(cleanup(t), meta.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err = world.Kube.RbacV1().RoleBindings(tenantNamespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().
			RoleBindings(tenantNamespace).
			Delete(cleanup(t), meta.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

func TestThreat04Status(t *testing.T) { tryLater(t, mayWrite(t, "patch", "pods/status"), "status") }

func TestThreat05Binding(t *testing.T) {
	p, author := mayWrite(t, "create", "pods/binding"), tenant(t)
	for name, annotations := range laterEdits {
		t.Run(name, func(t *testing.T) {
			for key, value := range annotations {
				if value == nil {
					continue // a Binding adds annotations and cannot remove any
				}
				pod := allocatedPod(t, author, nil)
				err := p.CoreV1().Pods(tenantNamespace).Bind(t.Context(), &corev1.Binding{
					ObjectMeta: metav1.ObjectMeta{
						Name:        pod.Name,
						Annotations: map[string]string{key: fmt.Sprint(value)},
					},
					Target: corev1.ObjectReference{Kind: "Node", Name: "node1"},
				}, metav1.CreateOptions{})
				mustRefuse(t, name, err, key)
			}
		})
	}
}

// Nobody can change the annotations that Kube-OVN reads when it rebuilds a port, so a rebuild leads to the identity.
func TestThreat08AnnotationFedRebuild(t *testing.T) {
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	both := map[string]any{
		ipAddress:    "0.0.0.0/0",
		portSecurity: "true",
		kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups): "sg1",
	}
	mustRefuse(t, "an address and a security update at once", p.patch(t.Context(), pod, both), ipAddress)
	awaitKubeOVN(t)
	strictInOVN(t, pod.Namespace, pod.Name)
}

// Each further NIC on OVN has a key of its own, which is set whatever the tenant writes, and frozen like the first.
func TestThreat11SecondaryNIC(t *testing.T) {
	p, attached := tenant(t), newNetwork(t)
	name, provider := attached.name, attached.provider
	key, forward := provider.Key(kubeovn.PortSecurity), provider.Key(kubeovn.Layer2Forward)
	wish{
		name: "made", annotations: map[string]string{kubeovn.Networks: name, key: "false", forward: "true"},
		keeps: map[string]string{key: "true", forward: "", portSecurity: "true"},
	}.try(t, p)
	wish{
		name:        "a VIP",
		annotations: map[string]string{kubeovn.Networks: name, provider.Key(kubeovn.PortVIPs): "10.78.0.1"},
		refused:     provider.Key(kubeovn.PortVIPs),
	}.tryPod(
		t,
		p,
	)

	pod := allocatedPod(t, p, map[string]string{kubeovn.Networks: name})
	ofInterface := string(provider.Outside()) + ".kubernetes.io/"
	for key, value := range map[string]any{
		key: "false", forward: "true", provider.Key(kubeovn.IPAddress): "10.78.0.1",
		provider.Key(kubeovn.MACAddress): "0a:00:00:00:00:01",
		ofInterface + "ip_address.net1":  "10.78.0.1", ofInterface + "mac_address.net1": "0a:00:00:00:00:01",
	} {
		mustRefuse(t, key, p.patch(t.Context(), pod, map[string]any{key: value}), key)
	}
	strictInOVN(t, pod.Namespace, pod.Name, provider)
}

// secondSubnet is a network of the tenant, with its subnet.
const secondSubnet = `
apiVersion: kubeovn.io/v1
kind: Subnet
metadata: {name: NAME}
spec: {cidrBlock: 10.78.0.0/24, gateway: 10.78.0.1, provider: NAME.tenant.ovn}
---
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: NAME, namespace: tenant}
spec: {config: '{"cniVersion":"0.3.1","type":"kube-ovn","provider":"NAME.tenant.ovn"}'}
`
