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
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// makeKubeOVNObject makes an object of Kube-OVN, as its administrator, that is deleted at the end of the test.
func makeKubeOVNObject(t *testing.T, resource, kind, name string, spec map[string]any) {
	t.Helper()
	const path = "/apis/kubeovn.io/v1/"
	object := map[string]any{
		"apiVersion": "kubeovn.io/v1",
		"kind":       kind,
		"metadata":   map[string]any{"name": name},
		"spec":       spec,
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, path+resource, object); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, path+resource+"/"+name, nil); err != nil {
			t.Error(err)
		}
	})
}

// awaitRefusal waits until the tenant's request is refused with these words, which shows that the program has read the
// objects behind the refusal.
func awaitRefusal(t *testing.T, annotations map[string]string, words string) {
	t.Helper()
	eventually(t, "the program to know why "+words, func() (bool, error) {
		_, err := tenant(t).dryRun(t.Context(), tenantNamespace, annotations)
		return err != nil && strings.Contains(err.Error(), words), nil
	})
}

// A subnet that selects namespaces by labels, or in a VPC for some namespaces, is for no others; and nobody may label a
// namespace into it.
func TestThreatT09SubnetBySelector(t *testing.T) {
	p, name := tenant(t), unique("vault")
	theirs, key := namespace(t, nil), kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)
	label := map[string]string{"team-" + name: "bank"}
	makeKubeOVNObject(t, "vpcs", "Vpc", name, map[string]any{"namespaces": []string{theirs}})
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		name+"-vpc",
		map[string]any{"cidrBlock": "10.78.0.0/24", "gateway": "10.78.0.1", "vpc": name},
	)
	makeKubeOVNObject(t, "subnets", "Subnet", name, map[string]any{
		"cidrBlock":          "10.79.0.0/24",
		"gateway":            "10.79.0.1",
		"namespaceSelectors": []any{map[string]any{"matchLabels": label}},
	})
	for _, subnet := range []string{name, name + "-vpc"} {
		awaitRefusal(t, map[string]string{key: subnet}, "subnet "+subnet+" is for other namespaces")
		wish{name: subnet, annotations: map[string]string{key: subnet}, refused: key}.try(t, p)
		_, author := granted(t, vipRights)
		vip := vipFor(tenantNamespace)
		vip["spec"] = map[string]any{"subnet": subnet, "namespace": tenantNamespace}
		_, err := author.do(t.Context(), http.MethodPost, vipsPath, vip)
		mustRefuse(t, "a Vip on "+subnet, err, "spec.subnet")
	}
	if _, err := admin(t).dryRun(t.Context(), theirs, map[string]string{key: name + "-vpc"}); err != nil {
		t.Errorf("a pod of the VPC's namespace: %v", err)
	}

	user, owner := granted(t, namespaceRights)
	labels := map[string]any{"metadata": map[string]any{"labels": label}}
	for _, sub := range []string{"", "/status"} {
		_, err := owner.do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+tenantNamespace+sub, labels)
		mustRefuse(t, "the label by namespaces"+sub, err, "subnet "+name)
		mustRefuse(t, "the label by namespaces"+sub, err, user)
	}
	_, err := owner.CoreV1().
		Namespaces().
		Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique("e2e"), Labels: label}},
			metav1.CreateOptions{})
	mustRefuse(t, "a new namespace with the label", err, "subnet "+name)
	after, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), tenantNamespace, metav1.GetOptions{})
	if err != nil || after.Labels["team-"+name] != "" || strings.Contains(after.Annotations[key], name) {
		t.Errorf("the namespace was changed: %v %v, %v", after.Labels, after.Annotations, err)
	}

	// A user with the right binds the namespace; Kube-OVN puts its pods there then, and they may name it.
	if _, err := admin(t).do(t.Context(), http.MethodPatch, "/api/v1/namespaces/"+theirs, labels); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Kube-OVN to bind the namespace", func() (bool, error) {
		ns, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), theirs, metav1.GetOptions{})
		return err == nil && ns.Annotations[key] == name, err
	})
	eventually(t, "a pod of the namespace to be let in", func() (bool, error) {
		_, err := admin(t).dryRun(t.Context(), theirs, map[string]string{key: name})
		return err == nil, nil
	})
}

// Releases of Kube-OVN look for the subnet of an attachment that is listed twice in different places, and take the
// requested address on whichever they find.
func TestThreatT09NetworkListedTwice(t *testing.T) {
	p, name, elsewhere := tenant(t), unique("theirs"), namespace(t, nil)
	provider := kubeovn.AttachmentProvider(elsewhere, name)
	makeKubeOVNObject(t, "subnets", "Subnet", name, map[string]any{
		"cidrBlock":  "10.80.0.0/24",
		"gateway":    "10.80.0.1",
		"provider":   string(provider),
		"namespaces": []string{elsewhere},
	})
	const entry = `{"name":"NAME","namespace":"SPACE","interface":"net`
	twice := strings.NewReplacer("NAME", name, "SPACE", elsewhere).Replace("[" + entry + `1"},` + entry + `2"}]`)
	plain := provider.Key(kubeovn.LogicalSwitch)
	first, second := (provider + ".net1").Key(kubeovn.LogicalSwitch), (provider + ".net2").Key(kubeovn.LogicalSwitch)
	awaitRefusal(t, map[string]string{kubeovn.Networks: twice}, "for other namespaces")
	for what, annotations := range map[string]map[string]string{
		"the plain provider's switch": {plain: "ovn-default"}, "an interface's switch": {first: "ovn-default"},
		"the switches of both interfaces": {first: "ovn-default", second: "ovn-default"},
		"all but one":                     {plain: "ovn-default", second: "ovn-default"},
	} {
		annotations[kubeovn.Networks] = twice
		wish{name: what, annotations: annotations, refused: "subnet " + name}.tryPod(t, p)
	}
	wish{
		name:        "through workloads",
		annotations: map[string]string{kubeovn.Networks: twice, plain: "ovn-default"},
		refused:     "subnet " + name,
	}.try(
		t,
		p,
	)
	if _, err := p.dryRun(
		t.Context(),
		tenantNamespace,
		map[string]string{kubeovn.Networks: twice, plain: "ovn-default", first: "ovn-default", second: "ovn-default"},
	); err != nil {
		t.Errorf("with a switch of its own under each name: %v", err)
	}

	// A key of another VPC for a provider that only some releases know does not hide the owner of the address.
	island := unique("island")
	makeKubeOVNObject(t, "vpcs", "Vpc", island, map[string]any{})
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		island,
		map[string]any{"cidrBlock": "10.16.0.0/16", "gateway": "10.16.0.1", "vpc": island},
	)
	victim := allocatedPod(t, p, nil)
	asking := strings.NewReplacer("NAME", "blue", "SPACE", tenantNamespace).
		Replace("[" + entry + `1","ips":["` + victim.Annotations[ipAddress] + `"]},` + entry + `2"}]`)
	blue := kubeovn.AttachmentProvider(tenantNamespace, "blue")
	wish{
		name:    "an address, with a plain switch",
		refused: victim.Name,
		annotations: map[string]string{
			kubeovn.Networks:                            asking,
			blue.Key(kubeovn.LogicalSwitch):             "ovn-default",
			(blue + ".net1").Key(kubeovn.LogicalSwitch): island,
		},
	}.tryPod(t, p)
}

// The address that Kube-OVN chose for a Vip belongs, or will belong, to another pod on the networks of another VPC.
func TestThreat07VipOfAnotherVPC(t *testing.T) {
	p, name := tenant(t), unique("island")
	makeKubeOVNObject(t, "vpcs", "Vpc", name, map[string]any{})
	makeKubeOVNObject(
		t,
		"subnets",
		"Subnet",
		name,
		map[string]any{"cidrBlock": "10.16.230.0/29", "gateway": "10.16.230.1", "vpc": name},
	)
	pod := allocatedPod(t, p, nil)
	vip, address := makeVipOn(t, name, tenantNamespace)
	awaitRefusal(t, map[string]string{portVIPs: address}, "Vip "+vip)
	wish{
		name:        "of the default network",
		annotations: map[string]string{portVIPs: address},
		refused:     "Vip " + vip,
	}.try(
		t,
		p,
	)
	mustRefuse(t, "on a running pod", p.patch(t.Context(), pod, map[string]any{portVIPs: address}), "Vip "+vip)
	unchanged(t, pod)
	there := map[string]string{portVIPs: address, kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): name}
	if _, err := p.dryRun(t.Context(), tenantNamespace, there); err != nil {
		t.Errorf("on the Vip's own subnet: %v", err)
	}
}

// A StatefulSet of another namespace keeps its port while its pod is away.
func TestThreat21KeptPorts(t *testing.T) {
	p, elsewhere := tenant(t), namespace(t, nil)
	network := map[string]string{kubeovn.Networks: elsewhere + "/blue"}
	port := kubeovn.PortName("till-0."+elsewhere, tenantNamespace, kubeovn.AttachmentProvider(elsewhere, "blue"))
	makeKubeOVNObject(t, "ips", "IP", port, map[string]any{
		"podName": "till-0", "namespace": elsewhere, "podType": "StatefulSet", "nodeName": "", "subnet": "ovn-default",
		"ipAddress": "10.16.222.2", "v4IpAddress": "10.16.222.2", "v6IpAddress": "", "macAddress": "0a:00:00:16:22:02",
		"attachIps": []string{}, "attachMacs": []string{}, "attachSubnets": []string{}, "containerID": "",
	})
	eventually(t, "the program to know for whom the port is kept", func() (bool, error) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "till-0." + elsewhere, Annotations: network},
			Spec:       podSpec(),
		}
		_, err := p.CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil, nil
	})
	wish{
		name:        "its name",
		podName:     "till-0." + elsewhere,
		annotations: network,
		refused:     "that name is taken",
	}.tryPod(
		t,
		p,
	)
	if _, err := p.dryRun(t.Context(), tenantNamespace, network); err != nil {
		t.Errorf("another name: %v", err)
	}
}

// The pods of a machine have ports with its name, and KubeVirt makes them whatever the name.
func TestThreat22MachineNames(t *testing.T) {
	defineKubeVirt(t)
	p := mayDo(
		t,
		rbacv1.PolicyRule{
			APIGroups: []string{"kubevirt.io"},
			Resources: []string{"virtualmachines", "virtualmachineinstances"},
			Verbs:     []string{"get", "create", "delete"},
		},
	)
	const name = "x.shop.blue.lab.ovn"
	for resource, kind := range map[string]string{
		"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance",
	} {
		_, err := p.do(t.Context(), http.MethodPost, machines+"/"+resource, map[string]any{
			"apiVersion": "kubevirt.io/v1",
			"kind":       kind,
			"metadata":   map[string]any{"name": name},
			"spec":       map[string]any{},
		})
		mustRefuse(t, kind+" "+name, err, "without dots")
	}
	account := admission.DefaultAccounts().KubeVirt[0]
	allow(
		t,
		account,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}},
	)
	kubevirt := as(
		t,
		account,
		"system:serviceaccounts",
		"system:serviceaccounts:kubevirt",
	).CoreV1().
		Pods(tenantNamespace)
	victim := allocatedPod(t, tenant(t), nil)
	for machine, words := range map[string]string{
		name: "without dots", victim.Name: "pod " + tenantNamespace + "/" + victim.Name,
	} {
		template := wish{}.template()
		pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		pod.Name = unique("virt-launcher")
		pod.OwnerReferences = []metav1.OwnerReference{
			{
				APIVersion: "kubevirt.io/v1",
				Kind:       "VirtualMachineInstance",
				Name:       machine,
				UID:        "7b1f6d4e-0000-4000-8000-000000000002",
				Controller: new(true),
			},
		}
		_, err := kubevirt.Create(t.Context(), pod, metav1.CreateOptions{})
		mustRefuse(t, "a launcher of "+machine, err, words)
	}
	unchanged(t, victim)
}
