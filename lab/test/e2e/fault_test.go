//go:build integration

package e2e

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// northboundRows returns all columns of every port in OVN, in order. For a port in no security group, Kube-OVN writes
// an empty list, or nothing before it has looked at the groups; both count as the same.
func northboundRows(t *testing.T) []string {
	t.Helper()
	out, err := world.Nbctl(
		t.Context(),
		"--format=csv",
		"--no-headings",
		"--columns=name,type,port_security,addresses,enabled,external_ids,options",
		"list",
		"logical_switch_port",
	)
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSpace(strings.ReplaceAll(out, `security_groups="""", `, "")), "\n")
	slices.Sort(rows)
	return rows
}

// awaitUnchanged waits until OVN has the same columns for every port as before, nothing lost and nothing added.
func awaitUnchanged(t *testing.T, before []string) time.Duration {
	t.Helper()
	var now []string
	defer func() {
		if t.Failed() {
			for _, row := range now {
				if !slices.Contains(before, row) {
					t.Logf("is now: %s", row)
				}
			}
			for _, row := range before {
				if !slices.Contains(now, row) {
					t.Logf("was before: %s", row)
				}
			}
		}
	}()
	return eventually(t, "every port in OVN to be as it was", func() (bool, error) {
		now = northboundRows(t)
		return slices.Equal(now, before), nil
	})
}

// spoiledPods are pods with ports that the tests spoil in several ways.
type spoiledPods []*corev1.Pod

func newSpoiled(t *testing.T, ns string, n int) spoiledPods {
	t.Helper()
	pods := make(spoiledPods, n)
	for i := range pods {
		pods[i] = run(t, ns, nil)
	}
	return pods
}

func (s spoiledPods) spoil(t *testing.T) {
	t.Helper()
	var args []string
	for i, pod := range s {
		mac := pod.Annotations[macAddress]
		args = append(args, "--", "lsp-set-port-security", portOf(pod))
		args = append(args, [][]string{nil, {"unknown"}, {mac + " 0.0.0.0/0"}, {mac}}[i%4]...)
	}
	nbctl(t, args[1:]...)
}

// checkJournal checks the journal of the ports: each change was to write the expected value. It returns how many there
// are; some have no outcome because of a crash, and some could not be made while the database was away.
func (s spoiledPods) checkJournal(t *testing.T) (intended int) {
	t.Helper()
	for _, pod := range s {
		own := pod.Annotations[macAddress] + " " + strings.ReplaceAll(pod.Annotations[ipAddress], ",", " ")
		for _, e := range changes(t, portOf(pod)) {
			if e.After.PortSecurity == nil {
				continue
			}
			if !slices.Equal(*e.After.PortSecurity, []string{own}) || e.PodUID != string(pod.UID) {
				t.Errorf("port %s was given %q for pod %s", e.Port, *e.After.PortSecurity, e.PodUID)
			}
			intended++
		}
	}
	return intended
}

// However far a repair has come when the program is killed, the next program completes it, and each wrote its intent
// before the change.
func TestFaultKilledWhileRepairing(t *testing.T) {
	ns, _ := repairNamespace(t)
	pods := newSpoiled(t, ns, 8)
	before := northboundRows(t)
	random := rand.New(rand.NewPCG(1, 1))
	for round := range 4 {
		pods.spoil(t)
		delay := time.Duration(random.Int64N(int64(60 * time.Millisecond)))
		time.Sleep(delay)
		if err := guard.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := guard.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Logf(
			"round %d: killed %s after the change, right %s after the start",
			round,
			delay.Round(time.Millisecond),
			awaitUnchanged(t, before).Round(time.Millisecond),
		)
	}
	awaitWebhook(t)
	if n := pods.checkJournal(t); n < len(pods) {
		t.Errorf("the journal has %d changes of %d ports", n, len(pods))
	}
}

// The API server goes away in the middle of a repair: nothing is written without a journal entry before it, and
// everything is written when the server is back.
func TestFaultAPIServerRestartedWhileRepairing(t *testing.T) {
	ns, _ := repairNamespace(t)
	pods := newSpoiled(t, ns, 8)
	before := northboundRows(t)
	for range 2 {
		if err := world.Lab.KillComponent(controlplane.APIServer); err != nil {
			t.Fatal(err)
		}
		pods.spoil(t)
		restart(t, controlplane.APIServer)
		t.Logf("right %s after the API server was back", awaitUnchanged(t, before).Round(time.Millisecond))
	}
	awaitWebhook(t)
	if n := pods.checkJournal(t); n < 2*len(pods) {
		t.Errorf("the journal has %d changes of %d ports, spoiled twice", n, len(pods))
	}
}

// A database that was lost comes back empty: it has no ports, and nothing is written to it. When an old backup is
// restored, its wrong ports are repaired.
func TestFaultEmptyDatabaseRestored(t *testing.T) {
	ns, _ := repairNamespace(t)
	pods := newSpoiled(t, ns, 4)
	before := northboundRows(t)
	file := filepath.Join(world.Lab.Info().StateDir, "ovn", "nb.db")
	stopAll := func() {
		t.Helper()
		for _, component := range []string{up.KubeOVNComponent, northd, nbComponent} {
			if err := world.Lab.KillComponent(component); err != nil {
				t.Fatal(err)
			}
		}
	}
	pods.spoil(t) // the backup has the spoiled ports
	if err := guard.Freeze(); err != nil {
		t.Fatal(err)
	}
	asked := time.Now()
	pods.spoil(t)
	stopAll()
	if err := guard.Thaw(); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "nb.backup")
	if err := os.Rename(file, backup); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func(ctx context.Context) {
		if restored {
			return
		}
		restored = true
		if err := world.Lab.KillComponent(nbComponent); err != nil {
			t.Error(err)
		}
		if data, err := os.ReadFile(backup); err != nil {
			t.Error(err)
		} else if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Error(err)
		}
		for _, component := range []string{nbComponent, northd, up.KubeOVNComponent} {
			if err := world.Lab.RestartComponent(ctx, component); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() { restore(cleanup(t)) })

	if out, err := exec.CommandContext(t.Context(), "ovsdb-tool", "create", file, "/usr/share/ovn/ovn-nb.ovsschema").
		CombinedOutput(); err != nil {
		t.Fatalf("ovsdb-tool create: %v: %s", err, out)
	}
	restart(t, nbComponent)
	eventually(t, "the program to see that OVN has none of the ports", func() (bool, error) {
		found, err := rules(t.Context())
		return found["OVG007"] >= len(pods), err
	})
	if rows := northboundRows(t); len(rows) != 1 || rows[0] != "" {
		t.Errorf("an empty database was given rows: %q", rows)
	}
	restore(t.Context())
	took := awaitUnchanged(t, before)
	t.Logf(
		"empty for %s, right %s after the backup was there",
		time.Since(asked).Round(time.Millisecond),
		took.Round(time.Millisecond),
	)
	pods.checkJournal(t)
	awaitNoFindings(t)
	awaitWebhook(t)
}

// A user who may loosen a namespace does and undoes it all the time. The ports follow through the pods' annotations and
// Kube-OVN, and are right in the end.
func TestFaultFlappingAnnotation(t *testing.T) {
	ns, _ := repairNamespace(t)
	pods := newSpoiled(t, ns, 3)
	before := northboundRows(t)
	const flaps = 40
	begin := time.Now()
	for i := range flaps {
		body, err := annotationPatch(map[string]string{portSecurity: []string{"false", ""}[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := admin(
			t,
		).CoreV1().
			Namespaces().
			Patch(t.Context(), ns, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	flapped := time.Since(begin)
	took := awaitUnchanged(t, before)
	for _, pod := range pods {
		// Each time the annotation and the row may follow, and no more.
		if n := len(changes(t, portOf(pod))); n > 2*flaps {
			t.Errorf("%d changes of a port whose namespace changed %d times", n, flaps)
		}
		if now, err := world.Kube.CoreV1().
			Pods(ns).
			Get(t.Context(), pod.Name, metav1.GetOptions{}); err != nil ||
			now.Annotations[portSecurity] != "true" {
			t.Errorf("pod %s: port_security is %q, %v", pod.Name, now.Annotations[portSecurity], err)
		}
	}
	t.Logf(
		"changed %d times in %s; %d changes of the first port; right after %s",
		flaps,
		flapped.Round(time.Millisecond),
		len(changes(t, portOf(pods[0]))),
		took.Round(time.Millisecond),
	)
	pods.checkJournal(t)
	time.Sleep(3 * time.Second) // longer than the time for Kube-OVN to follow an annotation
	awaitUnchanged(t, before)
}

// The program is frozen while a grant ends, and goes on with a clock that has jumped past the end: the port is narrow
// at once.
func TestFaultClockJumpsOverExpiry(t *testing.T) {
	ns, _ := repairNamespace(t)
	pod := run(t, ns, nil)
	before := northboundRows(t)
	narrow := portSecurityOf(t, portOf(pod))
	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class, s.Grant.Pairs = v1alpha1.ClassRouter, []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}
	})
	eventually(
		t,
		"the grant to reach the port",
		func() (bool, error) { return strings.Contains(portSecurityOf(t, portOf(pod)), " 10.20.0.0/24"), nil },
	)
	end := endSoon(t, ns, 8*time.Second) // admission reviews this, so the program cannot be frozen yet
	if err := guard.Freeze(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(end.Add(2 * time.Second)))
	wide := portSecurityOf(t, portOf(pod))
	if err := guard.Thaw(); err != nil {
		t.Fatal(err)
	}
	if wide == narrow {
		t.Error("the port was narrow while nobody could have written it")
	}
	t.Logf("narrow %s after the program went on", awaitUnchanged(t, before).Round(time.Millisecond))
	awaitWebhook(t)
}
