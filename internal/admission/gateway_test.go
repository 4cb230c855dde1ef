package admission

import (
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// egressScene returns a cluster with a VpcEgressGateway in the namespace, and the ReplicaSet that makes its pods.
func egressScene() (s *scene, owner OwnerReference) {
	s = newScene()
	made := now.Add(-time.Hour)
	set := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "veg-1", UID: "rs"}
	deployment := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "veg", UID: "d"}
	gateway := policy.Owner{APIVersion: "kubeovn.io/v1", Kind: kubeovn.KindEgressGateway, Name: "veg", UID: "g"}
	s.inventory.SetWorkload(inventory.Workload{Object: set, Namespace: "t", Made: made, Parent: &deployment})
	s.inventory.SetWorkload(inventory.Workload{Object: deployment, Namespace: "t", Made: made, Parent: &gateway})
	s.inventory.SetGateway(inventory.Gateway{Object: gateway, Namespace: "t", Workload: "veg", Made: made})
	return s, OwnerReference{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "veg-1", UID: "rs", Controller: true}
}

// A pod of a VpcEgressGateway is strict, because anyone who may make a gateway chooses its image. The warning says that
// nothing goes through the gateway, and how to change that.
func TestThreatT46EgressGatewayIsStrict(t *testing.T) {
	s, owner := egressScene()
	p := pod()
	p.Metadata.Owners = []OwnerReference{owner}
	stored, refused := create(t, s, replicas, p)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security is %q", got)
	}
	req := request(replicas, admissionv1.Create, "")
	req.Object = raw(t, &p)
	said := strings.Join(ask(t, s, MutatePods, req).Warnings, "\n")
	for _, words := range []string{
		"VpcEgressGateway t/veg", "forwards nothing until there is a PortSecurityException", "the built-in default " +
			"does not name namespace t",
		`"owner":{"apiVersion":"kubeovn.io/v1","kind":"VpcEgressGateway","name":"veg"}`, `"class":"nat-gateway"`,
		"kubectl apply",
	} {
		if !strings.Contains(said, words) {
			t.Errorf("the warnings lack %q:\n%s", words, said)
		}
	}
}

// A pod does not become a gateway's pod when the gateway's controller adopts it: the gateway did not make it.
func TestThreatT46AdoptedByAGateway(t *testing.T) {
	s, owner := egressScene()
	old, adopted := running(), running()
	adopted.Metadata.Owners = []OwnerReference{owner}
	mustRefuse(t, update(t, s, replicas, "", &old, &adopted), "metadata.ownerReferences", "gateway")
	adopted.Metadata.Owners[0].Name, adopted.Metadata.Owners[0].UID = "veg-2", "rs-2"
	mustRefuse(t, update(t, s, replicas, "", &old, &adopted), "not known to ovnguard yet")
	mustAllow(t, update(t, newScene(), replicas, "", &old, &adopted))
	mustAllow(t, update(t, s, replicas, "", &adopted, &old))
}

// Until the gateways are known, no pod gets an owner that may belong to a gateway.
func TestThreatT46AdoptedBeforeGatewaysAreRead(t *testing.T) {
	_, owner := egressScene()
	s := newScene()
	s.inventory.Expect(inventory.EgressGateways)
	old, adopted := running(), running()
	adopted.Metadata.Owners = []OwnerReference{owner}
	mustRefuse(t, update(t, s, replicas, "", &old, &adopted), "has not read", string(inventory.EgressGateways))
	mustAllow(t, update(t, s, replicas, "", &adopted, &old))
}

// The record keeps what was decided for a NIC, whatever the policy: repair takes a gateway without a record for an old
// one, and anyone who may change a ReplicaSet can make the pod look like no gateway's pod for a moment.
func TestThreatT46RecordOfAGateway(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		s, owner := egressScene()
		s.policy(func(p *policy.Policy) { p.Mode = mode })
		for _, owners := range [][]OwnerReference{{owner}, nil} {
			old := running()
			old.Metadata.Owners = owners
			forgotten := without(old, policy.RecordAnnotation)
			mustRefuse(t, update(t, s, tenant, "", &old, &forgotten), policy.RecordAnnotation)
			mustAllow(t, update(t, s, kubeOVN, "", &old, &forgotten))
		}
	}
}

// A user who takes back a change of repair at one NIC does not remove the record of another NIC.
func TestThreatT46RecordOfAnotherNIC(t *testing.T) {
	s, blue := newScene(), "blue.t.ovn.kubernetes.io/port_security"
	s.undoer = "carol"
	found := map[string]string{ps: "", policy.RecordAnnotation: ""}
	s.repaired = map[string]Repaired{"0001": {
		PodUID: "uid-1", Before: found, After: map[string]string{ps: "true", policy.RecordAnnotation: "{}"},
	}}
	both := `{"ovn":{"level":"strict"},"blue.t.ovn":{"level":"strict"}}`
	old := running(
		networks,
		"blue",
		blue,
		"true",
		"blue.t.ovn.kubernetes.io/allocated",
		"true",
		policy.RecordAnnotation,
		both,
	)
	old.Metadata.UID = "uid-1"
	now := with(without(old, ps), policy.UndoAnnotation, "0001")
	all := without(now, policy.RecordAnnotation)
	mustRefuse(t, update(t, s, "carol", "", &old, &all), policy.RecordAnnotation, "NIC blue.t.ovn")
	own := with(now, policy.RecordAnnotation, `{"blue.t.ovn":{"level":"strict"}}`)
	mustAllow(t, update(t, s, "carol", "", &old, &own))
}

// The labels identify an egress gateway's pod in Kube-OVN's namespace, before anybody has heard of the ReplicaSet that
// made it. In other namespaces the labels prove nothing.
func TestThreatT46EgressGatewayByLabels(t *testing.T) {
	for namespace, want := range map[string]string{"kube-system": "false", "t": "true"} {
		s := newScene()
		s.namespace.Name = namespace
		p := pod()
		p.Metadata.Labels = map[string]string{"app": "vpc-egress-gateway", kubeovn.EgressGatewayLabel: "east"}
		p.Metadata.Owners = []OwnerReference{
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "east-1", UID: "rs", Controller: true},
		}
		req := request(replicas, admissionv1.Create, "")
		req.Namespace, req.Object = namespace, raw(t, &p)
		response := ask(t, s, MutatePods, req)
		if got := patched(t, p.Metadata.Annotations, response)[ps]; got != want {
			t.Errorf("in %s port_security is %q, want %q", namespace, got, want)
		}
	}
}

// Kube-OVN makes a gateway of its own namespace as it would without us, and both webhooks allow it. The same labels
// bring nobody else anything.
func TestThreatT46ForgedNATGateway(t *testing.T) {
	for _, namespace := range []string{"kube-system", "t"} {
		s := newScene()
		s.namespace.Name = namespace
		p := pod(kubeovn.NATGateway, "east")
		p.Metadata.Name, p.Metadata.Labels = "vpc-nat-gw-east-0", map[string]string{
			"app":                   "vpc-nat-gw-east",
			kubeovn.NATGatewayLabel: "true",
		}
		p.Metadata.Owners = []OwnerReference{
			{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "vpc-nat-gw-east", UID: "s", Controller: true},
		}
		req := request("system:serviceaccount:kube-system:statefulset-controller", admissionv1.Create, "")
		req.Namespace, req.Object = namespace, raw(t, &p)
		response := ask(t, s, MutatePods, req)
		want := map[string]string{"kube-system": "false", "t": "true"}[namespace]
		p.Metadata.Annotations = patched(t, p.Metadata.Annotations, response)
		if got := p.Metadata.Annotations[ps]; got != want {
			t.Errorf("in %s port_security is %q, want %q", namespace, got, want)
		}
		req.Object = raw(t, &p)
		mustAllow(t, refusal(ask(t, s, GuardPods, req)))
		if namespace != "t" {
			continue
		}
		p.Metadata.Annotations[ps] = "false"
		req.Object = raw(t, &p)
		mustRefuse(t, refusal(ask(t, s, GuardPods, req)), ps)
	}
}
