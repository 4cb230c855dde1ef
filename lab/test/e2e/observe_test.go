//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// installReports installs the definitions of OpenReports, as that project ships them.
func installReports(t *testing.T) {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/openreports/reports-api").
		Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(string(bytes.TrimSpace(dir)), "config", "crd", "*.yaml"))
	if err != nil || len(files) != 2 {
		t.Fatalf("definitions %q, %v", files, err)
	}
	for _, file := range files {
		definition, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := world.Apply(t.Context(), definition); err != nil {
			t.Fatal(err)
		}
	}
}

const reportsPath = "/apis/openreports.io/v1alpha1"

// get reads an object; it returns false if there is none.
func get(t *testing.T, path string, into any) bool {
	t.Helper()
	raw, err := admin(t).do(t.Context(), http.MethodGet, path, nil)
	if apierrors.IsNotFound(err) {
		return false
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

// The program writes findings into Reports, as soon as the cluster serves them; it leaves those of others alone, and
// deletes a report without findings.
func TestReports(t *testing.T) {
	eventually(t, "the log to say that the cluster does not serve Reports", func() (bool, error) {
		log, err := os.ReadFile(guard.Log)
		return bytes.Contains(log, []byte("findings cannot be told as Reports")), err
	})
	installReports(t)
	v := newVictim(t)
	awaitNoFindings(t)
	nbctl(t, "lsp-set-port-security", v.port)
	path := reportsPath + "/namespaces/" + tenantNamespace + "/reports/"
	var report reportsv1alpha1.Report
	took := eventually(t, "the finding in a Report", func() (bool, error) {
		report = reportsv1alpha1.Report{}
		return get(t, path+"ovnguard", &report) && report.Summary.Fail == 1, nil
	})
	t.Logf("written %s after the definition", took.Round(time.Millisecond))
	r := report.Results[0]
	if len(report.Results) != 1 || r.Policy != "OVG001" || r.Result != "fail" || r.Subjects[0].UID != v.pod.UID ||
		r.Properties["port"] != v.port ||
		report.Labels["app.kubernetes.io/managed-by"] != "ovnguard" ||
		report.Scope.Name != tenantNamespace {
		t.Errorf("report %+v", report)
	}

	// A second finding is added to it, and a report of somebody else stays as it is.
	theirs := map[string]any{
		"apiVersion": "openreports.io/v1alpha1",
		"kind":       "Report",
		"source":     "somebody",
		"summary":    map[string]any{"fail": 7},
		"metadata":   map[string]any{"name": "theirs", "namespace": tenantNamespace},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, path, theirs); err != nil {
		t.Fatal(err)
	}
	nbctl(t, "lsp-set-addresses", v.port, v.identity, "unknown")
	took = eventually(t, "both findings in the Report", func() (bool, error) {
		return get(t, path+"ovnguard", &report) && report.Summary.Fail == 2, nil
	})
	t.Logf("a change is written after %s", took.Round(time.Millisecond))
	for _, fix := range fixesOf(audit(t).findingsOf(v.port)) {
		shell(t, fix)
	}
	awaitNoFindings(t)
	eventually(t, "the Report to go", func() (bool, error) { return !get(t, path+"ovnguard", &report), nil })
	var other reportsv1alpha1.Report
	if !get(t, path+"theirs", &other) || other.Summary.Fail != 7 || other.Source != "somebody" {
		t.Errorf("somebody else's report is now %+v", other)
	}
	if _, err := admin(t).do(t.Context(), http.MethodDelete, path+"theirs", nil); err != nil {
		t.Error(err)
	}
}

// The status of a policy and an exception shows their effect, even where only time changes it.
func TestStatus(t *testing.T) {
	ns := namespace(t, nil)
	pod := run(t, ns, nil)
	policyName := unique("status")
	policyDocument := fmt.Sprintf(`
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: %[1]s}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[2]s}}
  repair: "off"
  exceptions: {namespaces: [%[2]s]}
`, policyName, ns)
	t.Cleanup(func() {
		if _, err := admin(
			t,
		).do(cleanup(t), http.MethodDelete, "/apis/ovnguard.io/v1alpha1/portsecuritypolicies/"+policyName, nil); err != nil {
			t.Error(err)
		}
	})
	if err := world.Apply(t.Context(), []byte(policyDocument)); err != nil {
		t.Fatal(err)
	}
	var p v1alpha1.PortSecurityPolicy
	eventually(
		t,
		"the policy to say that it decides one port",
		func() (bool, error) { // no warning says so in the first seconds of a program
			p = v1alpha1.PortSecurityPolicy{}
			return get(t, "/apis/ovnguard.io/v1alpha1/portsecuritypolicies/"+policyName, &p) &&
				p.Status.MatchedPorts == 1 &&
				p.Status.MatchedNamespaces == 1, nil
		},
	)
	if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionAccepted) ||
		p.Status.ObservedGeneration != p.Generation ||
		!meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionDecides) {
		t.Errorf("status of the policy %+v", p.Status)
	}

	end := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	documents := fmt.Sprintf(`
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: unused, namespace: %[1]s}
spec:
  target: {podSelector: {matchLabels: {nobody: has-this}}}
  grant: {pairs: [{prefix: 192.0.2.0/28}]}
  reason: nobody needs it
  owner: nobody
  expiresAt: %[3]q
---
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: gateway, namespace: %[1]s}
spec:
  target: {podSelector: {}}
  grant: {pairs: [{prefix: 192.0.2.0/28}]}
  reason: it forwards for a network
  owner: the network team
  expiresAt: %[2]q
`, ns, end.Format(time.RFC3339), end.Add(time.Hour).Format(time.RFC3339))
	if err := world.Apply(t.Context(), []byte(documents)); err != nil {
		t.Fatal(err)
	}
	exceptions := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions/"
	var e v1alpha1.PortSecurityException
	took := eventually(t, "the exception to say that it is in effect for one port", func() (bool, error) {
		return get(t, exceptions+"gateway", &e) && e.Status.MatchedPorts == 1, nil
	})
	c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionInEffect)
	if c == nil || c.Status != metav1.ConditionTrue || e.Status.ObservedGeneration != e.Generation ||
		e.Status.Policy != policyName ||
		e.Status.LastMatched == nil ||
		len(e.Status.Ports) != 1 ||
		e.Status.Ports[0] != kubeovn.PortName(pod.Name, ns, kubeovn.DefaultProvider) {
		t.Errorf("status %+v", e.Status)
	}
	eventually(t, "the unused exception to say so", func() (bool, error) {
		var u v1alpha1.PortSecurityException
		return get(t, exceptions+"unused", &u) &&
			meta.IsStatusConditionTrue(u.Status.Conditions, v1alpha1.ConditionInEffect) &&
			meta.IsStatusConditionFalse(u.Status.Conditions, v1alpha1.ConditionUsed), nil
	})
	if values := metrics(
		t,
	); values[`ovnguard_exceptions{reason="InEffect"}`] != 2 ||
		values["ovnguard_exceptions_unused"] != 1 {
		t.Errorf(
			"metrics: %v in effect, %v unused",
			values[`ovnguard_exceptions{reason="InEffect"}`],
			values["ovnguard_exceptions_unused"],
		)
	}
	// From here on only time passes.
	end = time.Now().Add(5 * time.Second).UTC().Truncate(time.Second)
	if _, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, exceptions+"gateway",
		map[string]any{"spec": map[string]any{"expiresAt": end.Format(time.RFC3339)}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the exception to say that it has ended", func() (bool, error) {
		var e v1alpha1.PortSecurityException
		if !get(t, exceptions+"gateway", &e) {
			return false, nil
		}
		c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionInEffect)
		return c.Status == metav1.ConditionFalse && c.Reason == "Expired" && e.Status.MatchedPorts == 0, nil
	})
	t.Logf(
		"in effect %s after it was made; told as ended %s after its end",
		took.Round(time.Millisecond),
		time.Since(end).Round(time.Millisecond),
	)
}

// leads reports whether a replica says that it leads.
func leads(ctx context.Context, g *scene.Guard) (bool, error) {
	page, err := scene.Get(ctx, g.Metrics)
	return strings.Contains(page, "\novnguard_leader 1\n"), err
}

// One of two replicas leads. When it dies the other one takes over, and reports the findings that nobody has reported;
// both audit all the time.
func TestLeadIsTakenOver(t *testing.T) {
	if led, err := leads(t.Context(), guard); err != nil || !led {
		t.Fatalf("the only replica leads: %v, %v", led, err)
	}
	v := newVictim(t)
	awaitNoFindings(t)
	second := replica(t)
	if led, err := leads(t.Context(), second); err != nil || led {
		t.Errorf("the second replica leads: %v, %v", led, err)
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	running := false
	t.Cleanup(func() {
		if !running {
			if err := guard.Start(cleanup(t)); err != nil {
				t.Error(err)
			}
		}
	})
	nbctl(t, "lsp-set-port-security", v.port) // while nobody leads
	took := eventually(t, "the second replica to lead", func() (bool, error) { return leads(t.Context(), second) })
	awaitEvent(t, v.pod, "PortSecurityFinding", "OVG001")

	if err := guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	running = true
	if led, err := leads(t.Context(), guard); err != nil || led {
		t.Errorf("the replica that came back leads: %v, %v", led, err)
	}
	nbctl(t, "lsp-set-port-security", v.port, v.identity)
	awaitNoFindings(t)
	awaitEvent(t, v.pod, "PortSecurityCleared", "OVG001")
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	back := eventually(t, "the first replica to lead again", func() (bool, error) { return leads(t.Context(), guard) })
	t.Logf(
		"taken over %s after the leader died, and %s after the next one ended",
		took.Round(time.Millisecond),
		back.Round(time.Millisecond),
	)
}

// While the API server is away the audit goes on with OVN's side, nobody leads, and after a while the program says that
// it is not ready. When the server is back, the findings from the meantime are reported.
func TestAPIServerAway(t *testing.T) {
	v := newVictim(t)
	awaitNoFindings(t)
	back := stopComponent(t, controlplane.APIServer)
	begin := time.Now()
	nbctl(t, "lsp-set-port-security", v.port)
	found := awaitRules(t, "OVG001")
	eventually(t, "the program to say that it is not ready", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready)
		return err != nil, nil
	})
	unready := time.Since(begin)
	if unready < staleAfter-4*time.Second {
		t.Errorf("not ready after %s already, want %s", unready, staleAfter)
	}
	if led, err := leads(t.Context(), guard); err != nil || led {
		t.Errorf("it leads while it cannot reach the API server: %v, %v", led, err)
	}
	if values := metrics(
		t,
	); values["ovnguard_kubernetes_synced"] != 0 ||
		values["ovnguard_kubernetes_stale_seconds"] < 10 {
		t.Errorf(
			"metrics say that the API server is followed, stale for %vs",
			values["ovnguard_kubernetes_stale_seconds"],
		)
	}

	back()
	ready := eventually(t, "the program to be ready again", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready)
		return err == nil, nil
	})
	awaitEvent(t, v.pod, "PortSecurityFinding", "OVG001")
	t.Logf(
		"found after %s, not ready after %s, ready again %s after the server was back",
		found.Round(time.Millisecond),
		unready.Round(time.Millisecond),
		ready.Round(time.Millisecond),
	)
	nbctl(t, "lsp-set-port-security", v.port, v.identity)
	awaitNoFindings(t)
	runAfterRestart(t)
	// The tests that follow need current caches.
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	err := scene.Wait(ctx, "all of the API server to be followed", func() (bool, error) {
		values, err := readMetrics(ctx)
		return values["ovnguard_kubernetes_synced"] == 1, err
	})
	if err != nil {
		t.Error(err)
	}
}

// Started without rights and without a database, the program says what is missing, waits, and goes on when it is there.
func TestStartWaits(t *testing.T) {
	user := unique("newcomer")
	socket := filepath.Join(t.TempDir(), "nb.sock")
	newcomer, err := guard.Newcomer(user, "unix:"+socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := newcomer.Launch(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := newcomer.Stop(); err != nil {
			t.Error(err)
		}
	})
	says := func(what string) {
		t.Helper()
		eventually(t, "the log to say "+what, func() (bool, error) {
			log, err := os.ReadFile(newcomer.Log)
			return bytes.Contains(log, []byte(what)), err
		})
	}
	says("forbidden")
	meta := metav1.ObjectMeta{Name: user}
	subject := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	own := world.Kube.RbacV1().RoleBindings("ovnguard-system")
	if _, err := own.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta,
		Subjects:   subject,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "ovnguard"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	cluster := world.Kube.RbacV1().ClusterRoleBindings()
	if _, err := cluster.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		Subjects:   subject,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "ovnguard"},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(
			own.Delete(cleanup(t), user, metav1.DeleteOptions{}),
			cluster.Delete(cleanup(t), user, metav1.DeleteOptions{}),
		); err != nil {
			t.Error(err)
		}
	})
	says("the wait is over")
	says("VirtualMachineInstance.kubevirt.io") // a kind that this cluster lacks
	eventually(t, "the health check to name the database", func() (bool, error) {
		_, err := scene.Get(t.Context(), newcomer.Ready+"/audit")
		return err != nil && strings.Contains(err.Error(), "northbound"), nil
	})
	if err := os.Symlink(strings.TrimPrefix(world.Lab.Info().NB, "unix:"), socket); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the program to be ready", func() (bool, error) {
		_, err := scene.Get(t.Context(), newcomer.Ready)
		return err == nil, nil
	})
}
