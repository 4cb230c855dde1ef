//go:build integration

package e2e

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

const policiesPath = "/apis/ovnguard.io/v1alpha1/portsecuritypolicies"

// repairNamespace makes a namespace in which ports are repaired and exceptions count.
func repairNamespace(t *testing.T) (ns, policyName string) {
	t.Helper()
	ns, policyName = namespace(t, nil), unique("policy")
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: policyName},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Repair:            v1alpha1.RepairOn,
			Exceptions:        &v1alpha1.ExceptionRules{Namespaces: []string{ns}},
		},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(
			t,
		).do(cleanup(t), http.MethodDelete, policiesPath+"/"+policyName, nil); err != nil &&
			!apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return ns, policyName
}

// changes returns the journal entries of a port.
func changes(t *testing.T, port string) []journal.Entry {
	t.Helper()
	all, err := journal.Read(t.Context(), journalClient(t), "ovnguard-system")
	if err != nil {
		t.Fatal(err)
	}
	var out []journal.Entry
	for _, e := range all {
		if e.Port == port {
			out = append(out, e)
		}
	}
	return out
}

// journalClient returns a client that may read and write the journal.
func journalClient(t *testing.T) client.Client {
	t.Helper()
	config, err := world.Lab.Admin()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func portOf(pod *corev1.Pod) string {
	return kubeovn.PortName(pod.Name, pod.Namespace, kubeovn.DefaultProvider)
}

// A manual change of a row is reversed, on the wire as well, and the journal has the values from before.
func TestThreat18DirectEdit(t *testing.T) {
	applyDual(t)
	ns, _ := repairNamespace(t)
	from, to := openActor(t, ns), openActor(t, ns)
	own := portSecurityOf(t, from.Port)
	addresses, err := world.Nbctl(t.Context(), "get", "logical_switch_port", from.Port, "addresses")
	if err != nil {
		t.Fatal(err)
	}
	before := len(changes(t, from.Port))
	for _, spoil := range [][]string{
		{"lsp-set-port-security", from.Port},
		{"lsp-set-port-security", from.Port, "unknown"},
		{"lsp-set-port-security", from.Port, from.V4.MAC.String() + " 0.0.0.0/0"},
		{"lsp-set-port-security", from.Port, from.V4.MAC.String() + " 10.77.99.99"},
		{"add", "logical_switch_port", from.Port, "addresses", "unknown"},
	} {
		nbctl(t, spoil...)
		took := eventually(t, "the port to be as it was after "+strings.Join(spoil, " "), func() (bool, error) {
			now, err := world.Nbctl(t.Context(), "get", "logical_switch_port", from.Port, "addresses")
			return portSecurityOf(t, from.Port) == own && now == addresses, err
		})
		t.Logf("%s: put right and seen after %s", spoil, took.Round(time.Millisecond))
	}
	settle(t)
	probes, err := scene.Probes(from, to, to)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range probes {
		if passed, err := p.Send(t.Context(), from, to); err != nil || passed == p.Forged {
			t.Errorf("%s: passed %v, %v", p.Name, passed, err)
		}
	}
	eventually(t, "the journal to have every change with its outcome", func() (bool, error) {
		list := changes(t, from.Port)[before:]
		return len(list) == 5 && list[4].Outcome == journal.Written, nil
	})
	for i, e := range changes(t, from.Port)[before:] {
		if e.Outcome != journal.Written || e.Namespace != ns || e.Row == "" || e.Why == "" ||
			(e.After.PortSecurity == nil) != (i == 4) {
			t.Errorf("change %d: %+v", i, e)
		}
	}
}

// A gateway forwards what it was granted and nothing else, over IPv4 and IPv6: not before the grant, and not after it,
// and a write of Kube-OVN in between is widened again.
func TestThreat43GatewayForwardsWhatItWasGranted(t *testing.T) {
	applyDual(t)
	ns, _ := repairNamespace(t)
	from, to := openActor(t, ns), openActor(t, ns)
	narrow := portSecurityOf(t, from.Port)
	behind := map[string]bool{
		"10.20.0.9":  true,
		"fd00:20::9": true,
		"10.21.0.9":  false,
		"fd00:21::9": false,
		"10.77.0.1":  false,
	}
	forwards := func(when string, during bool) {
		t.Helper()
		settle(t)
		for address, granted := range behind {
			p, err := scene.Forwarded(from, to, netip.MustParseAddr(address))
			if err != nil {
				t.Fatal(err)
			}
			if passed, err := p.Send(t.Context(), from, to); err != nil || passed != (during && granted) {
				t.Errorf("%s, %s: passed %v, %v", when, p.Name, passed, err)
			}
		}
	}
	forwards("before", false)

	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class = v1alpha1.ClassRouter
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}, {Prefix: "fd00:20::/64"}}
	})
	isWide := func() (bool, error) {
		now := portSecurityOf(t, from.Port)
		return strings.Contains(now, " 10.20.0.0/24") && strings.Contains(now, " fd00:20::/64"), nil
	}
	t.Logf("granted after %s", eventually(t, "the grant to reach the port", isWide).Round(time.Millisecond))
	forwards("during", true)

	// Kube-OVN writes the narrow column when it has to look at the pod again.
	restart(t, up.KubeOVNComponent)
	nbctl(t, "lsp-set-port-security", from.Port, strings.Trim(narrow, `[]"`))
	t.Logf(
		"widened again after %s",
		eventually(t, "what Kube-OVN wrote to be widened again", isWide).Round(time.Millisecond),
	)

	end := endSoon(t, ns, 4*time.Second)
	eventually(t, "the grant to end", func() (bool, error) { return portSecurityOf(t, from.Port) == narrow, nil })
	if early := time.Until(end); early > 0 {
		t.Errorf("the grant ended %s too early", early)
	}
	forwards("after", false)
}

// Changes while the program is dead are repaired when it is back; a pod without its annotation gets it back, and
// Kube-OVN writes its port.
func TestThreatT24ChangedWhileDown(t *testing.T) {
	ns, _ := repairNamespace(t)
	one, two := run(t, ns, nil), run(t, ns, nil)
	own, other := portSecurityOf(t, portOf(one)), portSecurityOf(t, portOf(two))
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	nbctl(t, "lsp-set-port-security", portOf(one))
	nbctl(t, "lsp-set-port-security", portOf(two), "unknown")
	if err := guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both ports to be as they were", func() (bool, error) {
		return portSecurityOf(t, portOf(one)) == own && portSecurityOf(t, portOf(two)) == other, nil
	})
	awaitWebhook(t)
}

// Repair answers somebody who keeps writing something else less and less often, and wins in the end.
func TestThreat44Contested(t *testing.T) {
	ns, _ := repairNamespace(t)
	pod := run(t, ns, nil)
	own := portSecurityOf(t, portOf(pod))
	before := metrics(t)[`ovnguard_repair_changes_total{action="write",outcome="written"}`]
	for range 40 {
		nbctl(t, "lsp-set-port-security", portOf(pod))
		time.Sleep(20 * time.Millisecond)
	}
	after := metrics(t)[`ovnguard_repair_changes_total{action="write",outcome="written"}`]
	// With twice the pause each time there are six writes in a second or two; if each attempt takes long, there is time
	// for some more.
	if n := after - before; n < 2 || n > 15 {
		t.Errorf("%v writes against 40", n)
	}
	awaitRules(t, "OVG023")
	eventually(
		t,
		"the port to be put right in the end",
		func() (bool, error) { return portSecurityOf(t, portOf(pod)) == own, nil },
	)
}

// The command takes a change back, but only while the row still has what repair wrote, and it does not restore what
// somebody wrote into the row beyond the pod's own.
func TestUndo(t *testing.T) {
	ns, policyName := repairNamespace(t)
	pod := run(t, ns, nil)
	spoilt, own := portOf(pod), portSecurityOf(t, portOf(pod))
	nbctl(t, "lsp-set-port-security", spoilt, "0a:00:00:00:00:99")
	eventually(t, "the port to be put right", func() (bool, error) { return portSecurityOf(t, spoilt) == own, nil })
	pod, wide, end := widenedPod(t, ns)
	defer end()
	port := portOf(pod)
	own = "[" + strings.Replace(strings.Trim(wide, "[]"), " 10.20.0.0/24", "", 1) + "]"
	// Repair would do it again.
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, policiesPath+"/"+policyName,
		map[string]any{"spec": map[string]any{"repair": "log"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the policy to be known", func() (bool, error) {
		var p v1alpha1.PortSecurityPolicy
		return get(t, policiesPath+"/"+policyName, &p) && p.Generation > 1 &&
			p.Status.ObservedGeneration == p.Generation, nil
	})

	if out, _, code := ovnguard(
		t,
		"undo",
		"--port",
		port,
		"--dry-run",
	); code != 0 ||
		strings.Count(out, "would be taken back") != 1 {
		t.Errorf("dry run: code %d\n%s", code, out)
	}
	if got := portSecurityOf(t, port); got != wide {
		t.Fatalf("a dry run changed the port: %s", got)
	}
	out, stderr, code := ovnguard(t, "undo", "--port", port)
	if code != 0 || strings.Count(out, "taken back") != 1 {
		t.Errorf("code %d\n%s%s", code, out, stderr)
	}
	if got := portSecurityOf(t, port); got != own {
		t.Errorf("port_security is %s, want what it was before the first repair", got)
	}
	if out, _, code := ovnguard(t, "undo", "--port", port); code != 0 || !strings.Contains(out, "No change") {
		t.Errorf("again: code %d\n%s", code, out)
	}
	if _, stderr, code := ovnguard(t, "undo"); code != 2 || !strings.Contains(stderr, "--all") {
		t.Errorf("without a choice: code %d, %s", code, stderr)
	}
	// The IDs of the change and of its undo cannot be used again.
	list := changes(t, port)
	back := list[len(list)-1]
	for id, want := range map[string]string{
		list[0].ID: "was taken back already, at " + back.Time.Format(time.RFC3339), back.ID: "no change",
	} {
		if out, stderr, code := ovnguard(t, "undo", "--change", id); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("change %s: code %d, want %q\n%s%s", id, code, want, out, stderr)
		}
	}
	before := portSecurityOf(t, spoilt)
	if out, _, code := ovnguard(t, "undo", "--port", spoilt); code != 1 ||
		!strings.Contains(out, "would let the port send from") || portSecurityOf(t, spoilt) != before {
		t.Errorf("what somebody wrote into a row: code %d\n%s", code, out)
	}
}
