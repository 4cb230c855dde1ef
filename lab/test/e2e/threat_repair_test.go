//go:build integration

package e2e

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// A pod that is deleted with a grace period of a year goes on sending. Its grant ends when the exception does, on the
// wire as well, and it gets no new grant.
func TestThreatT34GrantEndsWhileTerminating(t *testing.T) {
	applyDual(t)
	ns, _ := repairNamespace(t)
	from, to := openActor(t, ns), openActor(t, ns)
	narrow := portSecurityOf(t, from.Port)
	forwards := func(when, address string, want bool) {
		t.Helper()
		settle(t)
		p, err := scene.Forwarded(from, to, netip.MustParseAddr(address))
		if err != nil {
			t.Fatal(err)
		}
		if passed, err := p.Send(t.Context(), from, to); err != nil || passed != want {
			t.Errorf("%s, %s: passed %v, want %v, %v", when, p.Name, passed, want, err)
		}
	}
	grant := func(prefix string) (remove func()) {
		return grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Class = v1alpha1.ClassRouter
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: prefix}}
		})
	}
	remove := grant("10.20.0.0/24")
	eventually(t, "the grant to reach the port", func() (bool, error) {
		return strings.Contains(portSecurityOf(t, from.Port), " 10.20.0.0/24"), nil
	})
	// The pod's processes do not end: no agent ends them, and nobody reports their end.
	stopComponent(t, from.Pod.Spec.NodeName+"-agent")
	grace := int64(365 * 24 * 60 * 60)
	if err := admin(
		t,
	).CoreV1().
		Pods(ns).
		Delete(t.Context(), from.Pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &grace}); err != nil {
		t.Fatal(err)
	}
	forwards("while it lasts", "10.20.0.9", true)

	end := endSoon(t, ns, 4*time.Second)
	eventually(t, "the grant to end", func() (bool, error) { return portSecurityOf(t, from.Port) == narrow, nil })
	t.Logf("taken away %s after its end", time.Since(end).Round(time.Millisecond))
	forwards("after its end", "10.20.0.9", false)

	nbctl(t, "lsp-set-port-security", from.Port)
	eventually(
		t,
		"the port that somebody opened to be narrow again",
		func() (bool, error) { return portSecurityOf(t, from.Port) == narrow, nil },
	)

	remove()
	grant("10.30.0.0/24")
	eventually(t, "the other port to be granted it", func() (bool, error) {
		return strings.Contains(portSecurityOf(t, to.Port), " 10.30.0.0/24"), nil
	})
	if now := portSecurityOf(t, from.Port); now != narrow {
		t.Errorf("a pod that is being deleted is granted %s", now)
	}
	forwards("granted while it is being deleted", "10.30.0.9", false)
}

// An exception that is made and deleted again and again reaches the port each time at once, and nobody is accused of
// overwriting it.
func TestThreat44GrantMadeAndDeletedOften(t *testing.T) {
	ns, _ := repairNamespace(t)
	port := portOf(run(t, ns, nil))
	narrow := portSecurityOf(t, port)
	before := standing(t, "OVG023")
	for round := range 8 {
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "192.0.2.0/28"}}
		})
		eventually(
			t,
			"the grant to reach the port",
			func() (bool, error) { return portSecurityOf(t, port) != narrow, nil },
		)
		remove()
		took := eventually(
			t,
			"the deleted grant to be gone",
			func() (bool, error) { return portSecurityOf(t, port) == narrow, nil },
		)
		t.Logf("round %d: gone after %s", round, took.Round(time.Millisecond))
	}
	if n := standing(t, "OVG023"); n > before {
		t.Errorf("%d findings OVG023, %d before: nobody else wrote the row", n, before)
	}
}

// A port that is opened together with a change of everything that identifies its row is as before afterwards, even if
// the program was dead meanwhile.
func TestThreatT37OpenedAndDisguised(t *testing.T) {
	ns, _ := repairNamespace(t)
	port := portOf(run(t, ns, nil))
	before := northboundRows(t)
	disguise := func() {
		nbctl(t, "lsp-set-port-security", port, "--", "lsp-set-addresses", port, "unknown", "--",
			"remove", "logical_switch_port", port, "external_ids", "vendor", "pod")
	}
	disguise()
	t.Logf("remembered: as before after %s", awaitUnchanged(t, before).Round(time.Millisecond))
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	disguise()
	if err := guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("after a start: as before after %s", awaitUnchanged(t, before).Round(time.Millisecond))
	awaitWebhook(t)
}

// KubeVirt's own object makes repair wait while a machine migrates, and only for a bounded time: a migration that hangs
// is named, and the port is repaired.
func TestThreatT35MigrationThatHangs(t *testing.T) {
	define(t, "kubevirt.io", "Namespaced", map[string]string{
		"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance",
		"virtualmachineinstancemigrations": "VirtualMachineInstanceMigration",
	})
	eventually(
		t,
		"the program to know that KubeVirt is served",
		func() (bool, error) { return tryLauncher(t) == nil, nil },
	)
	ns, _ := repairNamespace(t)
	api, machine, move := "/apis/kubevirt.io/v1/namespaces/"+ns+"/", unique("vm"), unique("move")
	object := func(kind, name string, fields map[string]any) map[string]any {
		o := map[string]any{"apiVersion": "kubevirt.io/v1", "kind": kind, "metadata": map[string]any{"name": name}}
		maps.Copy(o, fields)
		return o
	}
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPost, api+"virtualmachineinstances", object("VirtualMachineInstance", machine,
		nil)); err != nil {
		t.Fatal(err)
	}
	var vmi metav1.PartialObjectMetadata
	if !get(t, api+"virtualmachineinstances/"+machine, &vmi) {
		t.Fatal("the machine is not there")
	}
	kubeVirt, yes := as(t, "system:serviceaccount:kubevirt:kubevirt-controller", "system:masters"), true
	pod, err := kubeVirt.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name:      unique("virt-launcher"),
		Namespace: ns,
		OwnerReferences: []metav1.OwnerReference{
			{
				APIVersion: "kubevirt.io/v1",
				Kind:       "VirtualMachineInstance",
				Name:       machine,
				UID:        vmi.UID,
				Controller: &yes,
			},
		},
	}, Spec: podSpec()}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deletePod(t, pod) })
	port, narrow := machine+"."+ns, ""
	eventually(t, "the machine's port to be made", func() (bool, error) {
		out, err := world.Nbctl(
			t.Context(),
			"--bare",
			"--columns=port_security",
			"find",
			"logical_switch_port",
			"name="+port,
		)
		narrow = strings.TrimSpace(out)
		return err == nil && narrow != "", nil
	})
	narrow = portSecurityOf(t, port)
	nbctl(t, "lsp-set-port-security", port)
	eventually(t, "the port to be put right", func() (bool, error) { return portSecurityOf(t, port) == narrow, nil })

	status := func(began time.Time) map[string]any {
		return map[string]any{"status": map[string]any{"phase": "Running", "phaseTransitionTimestamps": []any{
			map[string]any{"phase": "Scheduling", "phaseTransitionTimestamp": began.UTC().Format(time.RFC3339)},
		}}}
	}
	migration := status(time.Now())
	migration["spec"] = map[string]any{"vmiName": machine}
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPost, api+"virtualmachineinstancemigrations",
		object("VirtualMachineInstanceMigration", move, migration)); err != nil {
		t.Fatal(err)
	}
	frozen := func() float64 { return metrics(t)[`ovnguard_repair_plans_total{action="frozen",mode="repair"}`] }
	before := frozen()
	eventually(t, "repair to wait for the migration", func() (bool, error) {
		nbctl(t, "lsp-set-port-security", port)
		time.Sleep(200 * time.Millisecond)
		return frozen() > before && portSecurityOf(t, port) == "[]", nil
	})
	count := standing(t, "OVG027")
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, api+"virtualmachineinstancemigrations/"+move,
		status(time.Now().Add(-time.Hour))); err != nil {
		t.Fatal(err)
	}
	eventually(
		t,
		"the port to be put right although the migration goes on",
		func() (bool, error) { return portSecurityOf(t, port) == narrow, nil },
	)
	eventually(t, "OVG027 in the metrics", func() (bool, error) { return standing(t, "OVG027") > count, nil })
}

// A tenant fills the annotations of a pod from before, so that nothing can be written there: its port becomes strict
// all the same, and the journal does not fill with failures.
func TestThreat44FullAnnotations(t *testing.T) {
	ns, policyName := unenforcedNamespace(t, v1alpha1.ModeAudit)
	pod := run(t, ns, nil)
	awaitColumn(t, portOf(pod), "[]")
	_, mallory := granted(
		t,
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "patch"}},
	)
	now, err := mallory.CoreV1().Pods(ns).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	size := len("x") + 1
	for key, value := range now.Annotations {
		size += len(key) + len(value)
	}
	mallory.annotate(t, pod, map[string]string{"x": strings.Repeat("x", 256<<10-size)})
	enforced := map[string]any{"spec": map[string]any{"mode": v1alpha1.ModeEnforce, "repair": v1alpha1.RepairOn}}
	if _, err := admin(t).do(t.Context(), http.MethodPatch, policiesPath+"/"+policyName, enforced); err != nil {
		t.Fatal(err)
	}
	took := eventually(
		t,
		"the port to be strict",
		func() (bool, error) { return portSecurityOf(t, portOf(pod)) != "[]", nil },
	)
	time.Sleep(10 * time.Second)
	failed := 0
	for _, e := range changes(t, portOf(pod)) {
		if e.Outcome == journal.Failed {
			failed++
		}
	}
	if took > 10*time.Second { // the row is written as soon as the annotation has failed once
		t.Errorf("the port was strict after %s", took)
	}
	t.Logf("strict after %s; %d changes failed", took.Round(time.Millisecond), failed)
	if failed == 0 || failed > 12 {
		t.Errorf("%d changes failed and are in the journal, want some, and 12 at most", failed)
	}
	if got := portSecurityOf(t, portOf(pod)); got == "[]" {
		t.Error("the port is open again")
	}
}
