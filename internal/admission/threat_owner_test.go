package admission

import (
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestThreatT10MachineKey(t *testing.T) {
	// Not even KubeVirt writes it: it copies what the machine's owner put into the template.
	for _, user := range []string{tenant, virtualize} {
		_, refused := create(t, newScene(), user, pod("ovn.kubernetes.io/virtualmachine", "vm1"))
		mustRefuse(t, refused, "virtualmachine")
	}
	old, p := running(), running("ovn.kubernetes.io/virtualmachine", "vm1")
	mustAllow(t, update(t, newScene(), kubeOVN, "", &old, &p))
}

func TestThreatT11MigrationKey(t *testing.T) {
	for _, user := range []string{tenant, replicas} {
		_, refused := create(t, newScene(), user, pod(kubeovn.MigrationJob, "job"))
		mustRefuse(t, refused, kubeovn.MigrationJob)
	}
	_, refused := create(t, newScene(), virtualize, pod(kubeovn.MigrationJob, "job"))
	mustAllow(t, refused)
}

func TestThreat22FakeOwner(t *testing.T) {
	for kind, apiVersion := range map[string]string{
		"VirtualMachineInstance": "kubevirt.io/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "Job": "batch/v1", "ReplicationController": "v1",
	} {
		owned := pod()
		owned.Metadata.Owners = []OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "vm1", UID: "1", Controller: true}}
		_, refused := create(t, newScene(), tenant, owned)
		mustRefuse(t, refused, "metadata.ownerReferences", kind)
		_, refused = create(t, newScene(), "system:kube-controller-manager", owned)
		if kind == "VirtualMachineInstance" {
			mustRefuse(t, refused, "metadata.ownerReferences", kind)
			_, refused = create(t, newScene(), virtualize, owned)
		}
		mustAllow(t, refused)
		old := running()
		adopted := running()
		adopted.Metadata.Owners = owned.Metadata.Owners
		// What is granted to the owner may be granted later than the owner is written.
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &adopted), "metadata.ownerReferences", kind)
		mustAllow(t, update(t, newScene(), tenant, "", &adopted, &old))
		if kind != "VirtualMachineInstance" {
			mustAllow(t, update(t, newScene(), "system:kube-controller-manager", "", &old, &adopted))
		}
	}
	// Operators of other kinds make pods themselves, and it need not be the controlling owner for Kube-OVN to believe it.
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "kruise.io/v1", Kind: "StatefulSet", Name: "x", UID: "1", Controller: true}}
	_, refused := create(t, newScene(), "system:serviceaccount:kruise:manager", owned)
	mustAllow(t, refused)
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "1"}}
	_, refused = create(t, newScene(), tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences")
	// Kube-OVN looks only at how the group begins, which anybody can invent.
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "kubevirt.io.example.org/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "1"}}
	_, refused = create(t, newScene(), tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences", "vm1")
	// A plain pod named like a stopped machine would take its port.
	named := pod()
	named.Metadata.Name = "vm1"
	_, refused = create(t, newScene(), tenant, named)
	mustRefuse(t, refused, "metadata.name", "virtual machine")
}

// An exception for the pods of an owner counts for those that the owner's controller makes.
func TestThreat37OwnerByForgery(t *testing.T) {
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7"}
	s := newScene().exception(func(e *policy.Exception) { e.Pods, e.Owner, e.Pairs, e.Level = nil, &owner, nil, policy.Open })
	s.inventory.SetOwner(owner, nil)
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7", Controller: true}}
	stored, refused := create(t, s, replicas, owned)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "false" {
		t.Errorf("the exception's own pod has port_security %q", got)
	}
	_, refused = create(t, s, tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences", "replicaset-controller")
	// Nor can a running pod become one of the owner's, whoever adopts it.
	old, adopted := running(), running()
	adopted.Metadata.Owners = owned.Metadata.Owners
	for user, why := range map[string]string{tenant: "replicaset-controller", replicas: "looser"} {
		mustRefuse(t, update(t, s, user, "", &old, &adopted), "metadata.ownerReferences", why)
	}
}

// Labels that an exception selects are the pod's from its beginning or not at all.
func TestThreat37LabelsAfterwards(t *testing.T) {
	s := newScene().exception(func(*policy.Exception) {})
	old, p := running(), running()
	p.Metadata.Labels = map[string]string{"app": "router"}
	for _, path := range []string{"", "status", "binding"} {
		mustRefuse(t, update(t, s, tenant, path, &old, &p), "metadata.labels", "looser")
	}
	mustAllow(t, update(t, s, tenant, "", &p, &old)) // and may be given up
}

// What is only warned of on one NIC hides nothing that is enforced on another, nor do networks that cannot be read.
func TestThreat37LabelsBesideAWarning(t *testing.T) {
	const blue = "blue.t.ovn"
	s := newScene().exception(func(*policy.Exception) {})
	s.inventory.SetPolicy(policy.Policy{Name: "blue", Priority: 9, Providers: policy.Providers{blue}, Mode: policy.Warn})
	key := kubeovn.Provider(blue).Key(kubeovn.PortSecurity)
	old, p := running(networks, "blue", key, "true"), running(networks, "blue", key, "false")
	mustAllow(t, update(t, s, tenant, "", &old, &p))
	p.Metadata.Labels = map[string]string{"app": "router"}
	mustRefuse(t, update(t, s, tenant, "", &old, &p), "metadata.labels", "looser")

	old, p = running(networks, "[{"), running(networks, "[{")
	p.Metadata.Labels = map[string]string{"app": "router"}
	mustRefuse(t, update(t, s, tenant, "", &old, &p), "metadata.labels", "looser")
}

// A policy that only warns for the default NIC does not count for what Kube-OVN reads for every NIC.
func TestThreatT07KeysForEveryNIC(t *testing.T) {
	s := newScene()
	s.inventory.SetPolicy(policy.Policy{Name: "default", Priority: 9, Providers: policy.Providers{"ovn"}, Mode: policy.Warn})
	for _, key := range []string{kubeovn.AAPs, "ovn.kubernetes.io/vip", kubeovn.MigrationJob} {
		alone, beside := pod(ps, "true", key, "foreign"), pod(ps, "true", key, "foreign", networks, "blue")
		mustAllow(t, guard(t, s, tenant, &alone))
		_, refused := create(t, s, tenant, beside)
		mustRefuse(t, refused, key)
	}
}

func TestThreatT20GatewayByLabel(t *testing.T) {
	p := pod(ps, "false", "ovn.kubernetes.io/vpc_nat_gw", "gw")
	p.Metadata.Labels = map[string]string{"ovn.kubernetes.io/vpc-nat-gw": "true", "ovn.kubernetes.io/vpc-egress-gateway": "true"}
	stored, refused := create(t, newScene(), tenant, p)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
}
