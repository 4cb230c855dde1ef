package admission

import (
	"errors"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestThreatT10MachineKey(t *testing.T) {
	// KubeVirt may not write it either: it copies what the machine's owner put into the template.
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
		"VirtualMachineInstance": "kubevirt.io/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1",
		"DaemonSet": "apps/v1", "Job": "batch/v1", "ReplicationController": "v1",
	} {
		owned := pod()
		owned.Metadata.Owners = []OwnerReference{
			{APIVersion: apiVersion, Kind: kind, Name: "vm1", UID: "1", Controller: true},
		}
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
		// An exception for the owner may come later than the owner reference.
		mustRefuse(t, update(t, newScene(), tenant, "", &old, &adopted), "metadata.ownerReferences", kind)
		mustAllow(t, update(t, newScene(), tenant, "", &adopted, &old))
		if kind != "VirtualMachineInstance" {
			mustAllow(t, update(t, newScene(), "system:kube-controller-manager", "", &old, &adopted))
		}
	}
	// Operators of other kinds make pods themselves, and Kube-OVN believes an owner that is not the controlling one.
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{
		{APIVersion: "kruise.io/v1", Kind: "StatefulSet", Name: "x", UID: "1", Controller: true},
	}
	_, refused := create(t, newScene(), "system:serviceaccount:kruise:manager", owned)
	mustAllow(t, refused)
	owned.Metadata.Owners = []OwnerReference{
		{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "1"},
	}
	_, refused = create(t, newScene(), tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences")
	// Kube-OVN looks only at the beginning of the group, and anybody can invent one.
	owned.Metadata.Owners = []OwnerReference{
		{APIVersion: "kubevirt.io.example.org/v1", Kind: "VirtualMachineInstance", Name: "vm1", UID: "1"},
	}
	_, refused = create(t, newScene(), tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences", "vm1")
	// A plain pod with the name of a stopped machine would take its port.
	named := pod()
	named.Metadata.Name = "vm1"
	_, refused = create(t, newScene(), tenant, named)
	mustRefuse(t, refused, "metadata.name", "virtual machine")
}

// An exception for the pods of an owner counts for the pods that the owner's controller makes.
func TestThreat37OwnerByForgery(t *testing.T) {
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7"}
	s := newScene().exception(func(e *policy.Exception) {
		e.Pods, e.Owner, e.Pairs, e.Level = nil, &owner, nil,
			policy.Open
	})
	s.inventory.SetOwner(owner, nil)
	owned := pod()
	owned.Metadata.Owners = []OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7", Controller: true},
	}
	stored, refused := create(t, s, replicas, owned)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "false" {
		t.Errorf("the exception's own pod has port_security %q", got)
	}
	_, refused = create(t, s, tenant, owned)
	mustRefuse(t, refused, "metadata.ownerReferences", "replicaset-controller")
	// A running pod cannot become one of the owner's either, whoever adopts it.
	old, adopted := running(), running()
	adopted.Metadata.Owners = owned.Metadata.Owners
	for user, why := range map[string]string{tenant: "replicaset-controller", replicas: "looser"} {
		mustRefuse(t, update(t, s, user, "", &old, &adopted), "metadata.ownerReferences", why)
	}
}

// An orphan that the owner's controller adopts is not one of the pods that the exception was asked for, also where the
// exception begins to count later; an adoption without an exception is allowed.
func TestThreat37AdoptionBeforeTheGrant(t *testing.T) {
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7"}
	config := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "router", UID: "8"}
	old, adopted := running(), running()
	adopted.Metadata.Owners = []OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7", Controller: true},
	}
	for name, c := range map[string]struct {
		change  func(*policy.Exception)
		unknown bool // the inventory has not heard of the ReplicaSet
		about   string
	}{
		"not yet": {
			func(e *policy.Exception) { e.NotBefore = now.Add(time.Minute) }, false, "PortSecurityException grant",
		},
		"lapsed": {
			func(e *policy.Exception) { e.Expires = now.Add(-time.Minute) }, false, "PortSecurityException grant",
		},
		"unreadable": {func(e *policy.Exception) { e.Err = errors.New("no") }, false, "PortSecurityException grant"},
		"by an owner": {
			func(e *policy.Exception) { e.NotBefore, e.Owner = now.Add(time.Minute), &config }, false,
			"PortSecurityException grant",
		},
		"unheard of": {
			func(e *policy.Exception) { e.NotBefore, e.Owner = now.Add(time.Minute), &config }, true,
			"not known to ovnguard yet",
		},
		"another's": {func(e *policy.Exception) {
			e.Owner = &policy.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "x", UID: "9"}
		}, false, ""},
		"by labels": {func(e *policy.Exception) {
			e.Owner, e.Pods = nil, func(map[string]string) bool { return true }
		}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene().exception(func(e *policy.Exception) {
				e.Pods, e.Owner = nil, &owner
				c.change(e)
			})
			if !c.unknown {
				s.inventory.SetOwner(owner, &config)
			}
			refused := update(t, s, replicas, "", &old, &adopted)
			if c.about == "" {
				mustAllow(t, refused)
				return
			}
			mustRefuse(t, refused, "metadata.ownerReferences", c.about)
		})
	}
	mustAllow(t, update(t, newScene(), replicas, "", &old, &adopted))
}

// An owner stays with the pod when a policy that only warned begins to enforce.
func TestThreat37ForgedOwnerUnderEachMode(t *testing.T) {
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7"}
	forged := pod()
	forged.Metadata.Owners = []OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router", UID: "7", Controller: true},
	}
	old, adopted := running(), running()
	adopted.Metadata.Owners = forged.Metadata.Owners
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		s := newScene().exception(func(e *policy.Exception) {
			e.Pods, e.Owner, e.NotBefore = nil, &owner,
				now.Add(time.Minute)
		})
		s.policy(func(p *policy.Policy) { p.ExceptionsIn, p.Mode = []string{"t"}, mode })
		s.inventory.SetOwner(owner, nil)
		_, refused := create(t, s, tenant, forged)
		mustRefuse(t, refused, "metadata.ownerReferences", "replicaset-controller")
		for user, why := range map[string]string{tenant: "replicaset-controller", replicas: "PortSecurityException " +
			"grant"} {
			mustRefuse(t, update(t, s, user, "", &old, &adopted), "metadata.ownerReferences", why)
		}
		_, refused = create(t, s, replicas, forged)
		mustAllow(t, refused)
	}
}

// A pod has the labels that an exception selects from its beginning, or never.
func TestThreat37LabelsAfterwards(t *testing.T) {
	s := newScene().exception(func(*policy.Exception) {})
	old, p := running(), running()
	p.Metadata.Labels = map[string]string{"app": "router"}
	for _, path := range []string{"", "status", "binding"} {
		mustRefuse(t, update(t, s, tenant, path, &old, &p), "metadata.labels", "looser")
	}
	mustAllow(t, update(t, s, tenant, "", &p, &old)) // they may be given up
}

// A warning on one NIC hides nothing that is enforced on another, and neither do networks that cannot be read.
func TestThreat37LabelsBesideAWarning(t *testing.T) {
	const blue = "blue.t.ovn"
	s := newScene().exception(func(*policy.Exception) {})
	s.inventory.SetPolicy(
		policy.Policy{Name: "blue", Priority: 9, Providers: policy.Providers{blue}, Mode: policy.Warn},
	)
	key := kubeovn.Provider(blue).Key(kubeovn.PortSecurity)
	old, p := running(networks, "blue", key, "true"), running(networks, "blue", key, "false")
	mustAllow(t, update(t, s, tenant, "", &old, &p))
	p.Metadata.Labels = map[string]string{"app": "router"}
	mustRefuse(t, update(t, s, tenant, "", &old, &p), "metadata.labels", "looser")

	old, p = running(networks, "[{"), running(networks, "[{")
	p.Metadata.Labels = map[string]string{"app": "router"}
	mustRefuse(t, update(t, s, tenant, "", &old, &p), "metadata.labels", "looser")
}

// A policy that only warns for the default NIC does not count for keys that Kube-OVN reads for every NIC.
func TestThreatT07KeysForEveryNIC(t *testing.T) {
	s := newScene()
	s.inventory.SetPolicy(
		policy.Policy{Name: "default", Priority: 9, Providers: policy.Providers{"ovn"}, Mode: policy.Warn},
	)
	for _, key := range []string{kubeovn.AAPs, "ovn.kubernetes.io/vip", kubeovn.MigrationJob} {
		alone, beside := pod(ps, "true", key, "foreign"), pod(ps, "true", key, "foreign", networks, "blue")
		mustAllow(t, guard(t, s, tenant, &alone))
		_, refused := create(t, s, tenant, beside)
		mustRefuse(t, refused, key)
	}
}

func TestThreatT20GatewayByLabel(t *testing.T) {
	p := pod(ps, "false", "ovn.kubernetes.io/vpc_nat_gw", "gw")
	p.Metadata.Labels = map[string]string{
		"ovn.kubernetes.io/vpc-nat-gw":         "true",
		"ovn.kubernetes.io/vpc-egress-gateway": "true",
	}
	stored, refused := create(t, newScene(), tenant, p)
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
}

// Where KubeVirt is not served, anyone who made its namespace has its accounts: they may write nothing more than
// others.
func TestThreatT39KubeVirtIsServed(t *testing.T) {
	for _, without := range []bool{false, true} {
		try := func(do func(s *scene) string, words ...string) {
			t.Helper()
			s := newScene()
			s.withoutKubeVirt = without
			if refused := do(s); without {
				mustRefuse(t, refused, words...)
			} else {
				mustAllow(t, refused)
			}
		}
		try(func(s *scene) string {
			_, refused := create(t, s, virtualize, *launcher("vm1"))
			return refused
		}, "metadata.ownerReferences", "vm1")
		try(func(s *scene) string {
			_, refused := create(t, s, virtualize, pod("kubevirt.io/migrationJobName", "x"))
			return refused
		}, "migrationJobName")
		try(func(s *scene) string {
			old, p := running(), running(networks, "u/green", "green.u.ovn.kubernetes.io/port_security", "true")
			return update(t, s, virtualize, "", &old, &p)
		}, networks)
	}
}

// A Deployment makes no pods, so no controller's account vouches for a pod that names one: such a pod is not among the
// pods of an exception for it.
func TestThreat37PodOfTheDeploymentItself(t *testing.T) {
	s := newScene()
	owner := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "router", UID: "d"}
	s.inventory.SetWorkload(inventory.Workload{Object: owner, Namespace: "t", Made: now.Add(-time.Hour)})
	s.exception(func(e *policy.Exception) { e.Pods, e.Owner = nil, &owner })
	p := pod()
	p.Metadata.Owners = []OwnerReference{
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "router", UID: "d", Controller: true},
	}
	stored, refused := create(t, s, tenant, p)
	mustAllow(t, refused)
	running := &inventory.Pod{
		PodKey: inventory.PodKey{Namespace: "t", Name: "p"}, Owner: "p",
		Annotations: stored.Metadata.Annotations, Controller: &owner,
	}
	s.inventory.SetPod(running)
	if d := policy.Decide(s.inventory.Query(running, kubeovn.DefaultProvider, now)); len(d.Exceptions) > 0 {
		t.Errorf("decided %s by %v", d.Level, d.Exceptions)
	}
}
