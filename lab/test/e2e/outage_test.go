//go:build integration

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// Parts of the lab: the Northbound ovsdb-server, and ovn-northd, which translates its rows.
const (
	nbComponent = "ovn-nb"
	northd      = "ovn-northd"
)

// staleAfter is how long the database may be away while the program is still ready.
const staleAfter = 15 * time.Second

func restart(t *testing.T, component string) {
	t.Helper()
	if err := world.Lab.RestartComponent(t.Context(), component); err != nil {
		t.Fatal(err)
	}
}

// stopComponent stops a part of the lab. back starts it again, at the latest at the end of the test.
func stopComponent(t *testing.T, component string) (back func()) {
	t.Helper()
	back = sync.OnceFunc(func() {
		if err := world.Lab.RestartComponent(cleanup(t), component); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(back)
	if err := world.Lab.KillComponent(component); err != nil {
		t.Fatal(err)
	}
	return back
}

// changeWhileAway changes port_security in the database's file, which its dead server no longer uses.
func changeWhileAway(t *testing.T, port string, column ...string) {
	t.Helper()
	set := make([]any, len(column))
	for i, element := range column {
		set[i] = element
	}
	transaction, err := json.Marshal([]any{"OVN_Northbound", map[string]any{
		"op": "update", "table": "Logical_Switch_Port",
		"where": []any{[]any{"name", "==", port}},
		"row":   map[string]any{"port_security": []any{"set", set}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(world.Lab.Info().StateDir, "ovn", "nb.db")
	out, err := exec.CommandContext(t.Context(), "ovsdb-tool", "transact", file, string(transaction)).CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"count":1`) {
		t.Fatalf("ovsdb-tool transact: %v: %s", err, out)
	}
}

// While the database is away admission works as always, the program says after a while that it is not ready, and it
// finds the changes from the meantime when the database is back.
func TestNorthboundAway(t *testing.T) {
	v := newVictim(t)
	awaitNoFindings(t)
	if _, err := scene.Get(t.Context(), guard.Ready); err != nil {
		t.Fatalf("not ready before: %v", err)
	}
	back := stopComponent(t, nbComponent)
	begin := time.Now()
	changeWhileAway(t, v.port, "unknown")
	if pod, err := tenant(
		t,
	).dryRun(t.Context(), tenantNamespace, nil); err != nil ||
		pod.Annotations[portSecurity] != "true" {
		t.Errorf("a pod while the database is away: %v, %v", pod, err)
	}
	if found, err := rules(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("findings %v while the database is away (%v): what is not seen is not judged", found, err)
	}
	eventually(t, "the program to say that it is not ready", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready)
		return err != nil, nil
	})
	unready := time.Since(begin)
	if unready < staleAfter-2*time.Second {
		t.Errorf("not ready after %s already, want a restart of the database to go unnoticed", unready)
	}

	back()
	found := awaitRules(t, "OVG002")
	ready := eventually(t, "the program to be ready again", func() (bool, error) {
		_, err := scene.Get(t.Context(), guard.Ready)
		return err == nil, nil
	})
	t.Logf("not ready after %s; the change found %s after the database was back, ready %s later",
		unready.Round(time.Millisecond), found.Round(time.Millisecond), ready.Round(time.Millisecond))
	for _, fix := range fixesOf(audit(t).findingsOf(v.port)) {
		shell(t, fix)
	}
	awaitNoFindings(t)
	restart(t, northd) // by now it tries again only every 8 seconds, and the next tests need ports that come up
}

// The restart of a part has no visible effect: the audit sees later changes, and new pods get the right annotations.
func TestRestarts(t *testing.T) {
	for _, component := range []string{nbComponent, up.KubeOVNComponent, northd} {
		t.Run(component, func(t *testing.T) {
			v := newVictim(t)
			awaitNoFindings(t)
			restart(t, component)
			nbctl(t, "lsp-set-port-security", v.port)
			took := awaitRules(t, "OVG001")
			for _, fix := range fixesOf(audit(t).findingsOf(v.port)) {
				shell(t, fix)
			}
			awaitNoFindings(t)
			after := runAfterRestart(t)
			t.Logf("a change found after %s", took.Round(time.Millisecond))
			if got := portSecurityOf(
				t,
				kubeovn.PortName(after.Name, after.Namespace, kubeovn.DefaultProvider),
			); got != `["`+after.Annotations[macAddress]+" "+after.Annotations[ipAddress]+`"]` {
				t.Errorf("a pod made afterwards: OVN has port_security %s", got)
			}
			if _, err := scene.Get(t.Context(), guard.Ready); err != nil {
				t.Errorf("not ready afterwards: %v", err)
			}
		})
	}
}

// runAfterRestart makes a pod; the API server asks the webhook only when it has read its registration again, and until
// then it refuses pods.
func runAfterRestart(t *testing.T) *corev1.Pod {
	t.Helper()
	awaitWebhook(t)
	return run(t, tenantNamespace, nil)
}
