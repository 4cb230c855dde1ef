//go:build integration

package e2e

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// egressGateway makes a VpcEgressGateway that masquerades nothing of a prefix, with its Deployment, as Kube-OVN's
// controller makes it (reconcileVpcEgressGatewayWorkload in 1.14 to 1.16): with a plain owner reference. It returns the
// pod when it runs.
func egressGateway(t *testing.T, ns string, outer network, prefix string) *corev1.Pod {
	t.Helper()
	name := unique("veg")
	gateway := map[string]any{
		"apiVersion": kubeovn.Group + "/v1",
		"kind":       kubeovn.KindEgressGateway,
		"metadata":   map[string]any{"name": name},
		"spec": map[string]any{
			"externalSubnet": outer.name,
			"policies":       []any{map[string]any{"snat": false, "ipBlocks": []any{prefix}}},
		},
	}
	body, err := admin(
		t,
	).do(t.Context(), http.MethodPost, "/apis/kubeovn.io/v1/namespaces/"+ns+"/vpc-egress-gateways", gateway)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "vpc-egress-gateway", "ovn.kubernetes.io/vpc-egress-gateway": name}
	one := int32(1)
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Name:      name,
			Namespace: ns,
			Labels:    labels,
			OwnerReferences: []metav1.OwnerReference{
				{
					APIVersion: kubeovn.Group + "/v1",
					Kind:       kubeovn.KindEgressGateway,
					Name:       name,
					UID:        types.UID(fieldOf(t, body, "metadata", "uid")),
				},
			},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: &one, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{
					Labels:      labels,
					Annotations: map[string]string{kubeovn.Networks: tenantNamespace + "/" + outer.name},
				},
				Spec: podSpec(),
			},
		},
	}
	controller := as(t, kubeovn.ControllerAccount, "system:masters")
	if _, err := controller.AppsV1().
		Deployments(ns).
		Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var pod *corev1.Pod
	eventually(t, "the gateway's pod to run", func() (bool, error) {
		list, err := world.Kube.CoreV1().
			Pods(ns).
			List(t.Context(), metav1.ListOptions{LabelSelector: "app=vpc-egress-gateway"})
		if err != nil || len(list.Items) != 1 {
			return false, err
		}
		pod = &list.Items[0]
		return pod.Status.Phase == corev1.PodRunning, nil
	})
	return pod
}

// A gateway that forwarded before repair began goes on: repair leaves it alone, the audit prints the exceptions that it
// needs, and with them it forwards its own traffic and nothing else.
func TestGatewayIsNotCutOff(t *testing.T) {
	outer := newNetwork(t)
	ns, policyName := unenforcedNamespace(t, v1alpha1.ModeAudit)
	pod := egressGateway(t, ns, outer, "10.30.0.0/24")
	inside, outside := portOf(pod), kubeovn.PortName(pod.Name, ns, outer.provider)
	from, err := scene.OpenActor(pod, outer.provider, "net1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	peer := run(t, ns, map[string]string{kubeovn.Networks: tenantNamespace + "/" + outer.name})
	to, err := scene.OpenActor(peer, outer.provider, "net1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	forwards := func(when, source string, want bool) {
		t.Helper()
		p, err := scene.Forwarded(from, to, netip.MustParseAddr(source))
		if err != nil {
			t.Fatal(err)
		}
		if passed, err := p.Send(t.Context(), from, to); err != nil || passed != want {
			t.Errorf("%s, what %s sends: passed %v, %v", when, source, passed, err)
		}
	}
	settle(t)
	forwards("before", "10.30.0.9", true)

	spared := `ovnguard_repair_plans_total{action="gateway",mode="repair"}`
	before := metrics(t)[spared]
	enforce := map[string]any{"spec": v1alpha1.PortSecurityPolicySpec{
		NamespaceSelector: &metav1.LabelSelector{
			MatchLabels: map[string]string{corev1.LabelMetadataName: ns},
		},
		Mode:       v1alpha1.ModeEnforce,
		Repair:     v1alpha1.RepairOn,
		Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{ns}},
	}}
	if _, err := admin(t).do(t.Context(), http.MethodPatch, policiesPath+"/"+policyName, enforce); err != nil {
		t.Fatal(err)
	}
	eventually(t, "repair to look at both ports, and the other pod's to be put right", func() (bool, error) {
		return metrics(t)[spared] >= before+2 && portSecurityOf(t, portOf(peer)) != "[]", nil
	})
	settle(t)
	for _, port := range []string{inside, outside} {
		if got := portSecurityOf(t, port); got != "[]" {
			t.Errorf("port_security of %s has become %s", port, got)
		}
	}
	forwards("while repair leaves it alone", "10.30.0.9", true)

	report := audit(t)
	found := append(report.findingsOf(inside), report.findingsOf(outside)...)
	if len(found) != 2 {
		t.Fatalf("the audit finds %+v", found)
	}
	for _, f := range found {
		for _, words := range []string{kubeovn.KindEgressGateway + " " + ns + "/", "PortSecurityException"} {
			if !strings.Contains(f.Message, words) {
				t.Errorf("%s: the message lacks %q: %s", f.Port, words, f.Message)
			}
		}
		t.Log(f.Fix)
		shell(t, f.Fix)
	}
	took := eventually(t, "both ports to be as the exceptions say", func() (bool, error) {
		return strings.Contains(portSecurityOf(t, outside), " 10.30.0.0/24") &&
			strings.Count(portSecurityOf(t, inside), " ") == 0 &&
			portSecurityOf(t, inside) != "[]", nil
	})
	t.Logf("excepted and put right after %s", took.Round(time.Millisecond))
	settle(t)
	forwards("with its exception", "10.30.0.9", true)
	forwards("with its exception", "10.31.0.9", false)
	eventually(t, "the audit to find nothing of the gateway any more", func() (bool, error) {
		now := audit(t)
		return len(now.findingsOf(inside))+len(now.findingsOf(outside)) == 0, nil
	})

	shell(t, "kubectl -n "+ns+" delete portsecurityexceptions --all")
	eventually(t, "both ports to be strict, since they are not from before any more", func() (bool, error) {
		return strings.Contains(portSecurityOf(t, inside), " ") &&
			!strings.Contains(portSecurityOf(t, outside), " 10.30.0.0/24"), nil
	})
	settle(t)
	forwards("after its exception", "10.30.0.9", false)
}

// Anyone who may make a VpcEgressGateway chooses its image, so its pods are strict like any other's, and a warning
// tells their author what is missing. An owner reference that somebody writes does not make a gateway.
func TestThreatT46EgressGatewayOfATenant(t *testing.T) {
	outer := newNetwork(t)
	ns, _ := repairNamespace(t)
	pod := egressGateway(t, ns, outer, "10.30.0.0/24")
	strictInOVN(t, ns, pod.Name, outer.provider)
	awaitEvent(t, pod, "PortSecurityFinding", "OVG028")
	nbctl(t, "lsp-set-port-security", portOf(pod))
	eventually(
		t,
		"the port that somebody opened to be strict again",
		func() (bool, error) { return portSecurityOf(t, portOf(pod)) != "[]", nil },
	)
	workloads := as(t, "mallory", "system:masters").AppsV1().Deployments(ns)
	list, err := workloads.List(t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("the gateway's workloads are %+v, %v", list, err)
	}
	forged := &list.Items[0]
	forged.Name, forged.ResourceVersion = "x-"+forged.Name, ""
	_, err = workloads.Create(t.Context(), forged, metav1.CreateOptions{})
	mustRefuse(t, "a workload of a gateway", err, "only Kube-OVN")
	owners := forged.OwnerReferences
	forged.OwnerReferences, forged.Spec.Replicas = nil, new(int32)
	if forged, err = workloads.Create(t.Context(), forged, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	claim, err := json.Marshal(map[string]any{"metadata": map[string]any{"ownerReferences": owners}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = workloads.Patch(t.Context(), forged.Name, types.MergePatchType, claim, metav1.PatchOptions{})
	mustRefuse(t, "a workload of a gateway", err, "only Kube-OVN")
}

// A NAT gateway that Kube-OVN makes in its own namespace forwards from its first moment on, if only the built-in
// default applies, and nothing is written to running ports.
func TestNATGatewayIsNotCutOff(t *testing.T) {
	name := unique("nat")
	makeKubeOVNObject(t, "vpc-nat-gateways", kubeovn.KindNATGateway, name, map[string]any{
		"vpc": "ovn-cluster", "subnet": "ovn-default", "lanIp": "", "externalSubnets": []any{"none"},
	})
	set := statefulSet("vpc-nat-gw-" + name)
	one := int32(1)
	set.Namespace, set.Spec.Replicas = kubeovn.DefaultNamespace, &one
	set.Spec.Template.Labels = map[string]string{"app": set.Name, kubeovn.NATGatewayLabel: "true"} // GenNatGwLabels
	set.Spec.Selector.MatchLabels = set.Spec.Template.Labels
	set.Spec.Template.Annotations = map[string]string{
		kubeovn.NATGateway: name,
		kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "ovn-default",
	}
	controller := as(t, kubeovn.ControllerAccount, "system:masters")
	if _, err := controller.AppsV1().
		StatefulSets(set.Namespace).
		Create(t.Context(), set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var pod *corev1.Pod
	t.Cleanup(func() { // the StatefulSet goes first: Kube-OVN keeps the port of a pod that it would make again
		if err := controller.AppsV1().
			StatefulSets(set.Namespace).
			Delete(cleanup(t), set.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		if pod != nil {
			deletePod(t, pod)
		}
	})
	eventually(t, "the gateway's pod to run", func() (bool, error) {
		var err error
		pod, err = world.Kube.CoreV1().Pods(set.Namespace).Get(t.Context(), set.Name+"-0", metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning, nil
	})
	if got := pod.Annotations[portSecurity]; got != "false" {
		t.Errorf("annotation port_security is %q", got)
	}
	from, err := scene.OpenActor(pod, kubeovn.DefaultProvider, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = from.Close() })
	to, err := scene.OpenActor(run(t, namespace(t, nil), nil), kubeovn.DefaultProvider, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	settle(t)
	p, err := scene.Forwarded(from, to, netip.MustParseAddr("192.0.2.9"))
	if err != nil {
		t.Fatal(err)
	}
	if passed, err := p.Send(t.Context(), from, to); err != nil || !passed {
		t.Errorf("an answer from outside: passed %v, %v", passed, err)
	}
	eventually(t, "the audit to know it", func() (bool, error) {
		found := audit(t).findingsOf(from.Port)
		if len(found) != 1 || found[0].Rule != "OVG001" ||
			!strings.Contains(found[0].Message, "the gateway asks for mac") {
			t.Logf("the audit finds %+v", found)
			return false, nil
		}
		shell(t, found[0].Fix)
		return true, nil
	})
	awaitColumn(t, from.Port, `["`+pod.Annotations[macAddress]+`"]`)
	settle(t)
	if passed, err := p.Send(t.Context(), from, to); err != nil || !passed {
		t.Errorf("an answer from outside, after the fix: passed %v, %v", passed, err)
	}
}
