//go:build integration

package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// ungranted returns the annotations of a pod that is refused, since nobody granted it the address.
func ungranted(address string) map[string]string { return map[string]string{portVIPs: address} }

// eventsOf returns the Events of the program in a namespace with one of the reasons.
func eventsOf(t *testing.T, ns string, reasons ...string) (out []eventsv1.Event) {
	t.Helper()
	list, err := world.Kube.EventsV1().Events(ns).List(cleanup(t), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		for _, reason := range reasons {
			if e.Reason == reason && e.ReportingController == "ovnguard" {
				out = append(out, e)
			}
		}
	}
	return out
}

// timesOf returns how often an Event is counted.
func timesOf(e *eventsv1.Event) int {
	if e.Series == nil {
		return 1
	}
	return int(e.Series.Count)
}

// timesAll returns how often Events are counted together.
func timesAll(list []eventsv1.Event) (n int) {
	for i := range list {
		n += timesOf(&list[i])
	}
	return n
}

// refuse has a pod refused that takes an address.
func refuse(t *testing.T, ns, name, address string, options ...metav1.CreateOptions) {
	t.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: ungranted(address)}, Spec: podSpec()}
	_, err := world.Kube.CoreV1().Pods(ns).Create(t.Context(), pod, append(options, metav1.CreateOptions{})[0])
	if err == nil || !strings.Contains(err.Error(), "OVGA10") {
		t.Errorf("pod %s/%s: %v, want it refused", ns, name, err)
	}
}

// loggedOf returns the lines of a log about refusals in a namespace.
func loggedOf(t *testing.T, file, ns string) (out []string) {
	t.Helper()
	log, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "a request was refused") && strings.Contains(line, ns) {
			out = append(out, line)
		}
	}
	return out
}

// Refused pods of a workload are one Event on it, no matter how often it tries. A pod of somebody's own is told on the
// namespace, and a change on the pod.
func TestRefusalsAreTold(t *testing.T) {
	ns := namespace(t, nil)
	labels := map[string]string{"app": "web"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: ungranted("192.0.2.7")}, Spec: podSpec(),
			},
		},
	}
	if _, err := world.Kube.AppsV1().
		Deployments(ns).
		Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	var first []eventsv1.Event
	took := eventually(t, "an Event about the Deployment's pods", func() (bool, error) {
		first = eventsOf(t, ns, "PodRefused")
		return len(first) > 0, nil
	})
	sets, err := world.Kube.AppsV1().ReplicaSets(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(sets.Items) != 1 {
		t.Fatalf("%d ReplicaSets, %v", len(sets.Items), err)
	}
	set := sets.Items[0]
	e := first[0]
	if e.Type != corev1.EventTypeWarning || e.Regarding.Kind != "ReplicaSet" || e.Regarding.UID != set.UID ||
		e.Regarding.Name != set.Name || e.Regarding.APIVersion != "apps/v1" || e.Action != "OVGA10" ||
		!strings.Contains(e.Note, "pod "+set.Name+"-* was refused: ") || !strings.Contains(e.Note, portVIPs) {
		t.Errorf("%+v", e)
	}
	counted := eventually(t, "the tries to be counted", func() (bool, error) {
		return timesAll(eventsOf(t, ns, "PodRefused")) >= 5, nil
	})
	if list := eventsOf(t, ns, "PodRefused", "PodsRefused"); len(list) != 1 {
		t.Errorf("%d Events about one refusal: %+v", len(list), list)
	}
	t.Logf("told after %s, counted after %s", took.Round(time.Millisecond), counted.Round(time.Millisecond))

	// A dry run leaves a line in the log and nothing else.
	alone := namespace(t, nil)
	refuse(t, alone, "tried", "192.0.2.8", metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	refuse(t, alone, "own", "192.0.2.9")
	var own []eventsv1.Event
	eventually(t, "an Event about the pod", func() (bool, error) {
		own = eventsOf(t, alone, "PodRefused", "PodsRefused")
		return len(own) > 0, nil
	})
	if e := own[0]; len(own) != 1 || e.Regarding.Kind != "Namespace" || e.Regarding.Name != alone ||
		!strings.HasPrefix(e.Note, "pod own was refused: ") {
		t.Errorf("%+v", own)
	}
	lines := loggedOf(t, guard.Log, alone)
	if len(lines) != 2 || !strings.Contains(lines[0], " dryRun=true") || !strings.Contains(lines[1], " dryRun=false") ||
		!strings.Contains(lines[1], " check=OVGA10 ") || !strings.Contains(lines[1], " name=own ") {
		t.Errorf("the log says %q", lines)
	}

	// A change is told on the pod.
	pod := run(t, alone, nil)
	body, err := annotationPatch(ungranted("192.0.2.10"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.Kube.CoreV1().
		Pods(alone).
		Patch(t.Context(), pod.Name, types.MergePatchType, body, metav1.PatchOptions{}); err == nil {
		t.Error("the change was taken")
	}
	eventually(t, "an Event about the change", func() (bool, error) {
		list := eventsOf(t, alone, "PodChangeRefused")
		return len(list) == 1 && list[0].Regarding.UID == pod.UID && list[0].Regarding.Kind == "Pod", nil
	})

	// Where policy warns, the author was told, and nothing was refused.
	warned, _ := unenforcedNamespace(t, v1alpha1.ModeWarn)
	loose := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "loose", Annotations: ungranted("192.0.2.11")}, Spec: podSpec(),
	}
	if _, err := world.Kube.CoreV1().Pods(warned).Create(t.Context(), loose, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	refuse(t, alone, "later", "192.0.2.12")
	eventually(t, "an Event about a later pod", func() (bool, error) {
		return len(eventsOf(t, alone, "PodRefused")) == 2, nil
	})
	for _, quiet := range []string{warned, "ovnguard-selftest"} {
		if list := eventsOf(t, quiet, "PodRefused", "PodsRefused"); len(list) > 0 {
			t.Errorf("%s: %+v", quiet, list)
		}
	}
}

// A refusal is told whichever replica answers; when several do, none is lost or told twice.
func TestRefusalsOfReplicas(t *testing.T) {
	front := behindFront(t)
	// Before there is a second one, which could take the lease of a program that another test killed.
	eventually(t, "the first replica to lead", func() (bool, error) { return leads(t.Context(), guard) })
	second := replica(t)
	front.add(second.Webhook)
	front.remove(guard.Webhook)
	front.set(open) // no connection leads to the first one any more
	eventually(t, "the API server to connect to the second", func() (bool, error) {
		_, err := admin(t).CoreV1().Namespaces().Create(
			t.Context(),
			&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: unique("tried")}},
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}},
		)
		return err == nil, nil
	})
	ns := namespace(t, nil)
	refuse(t, ns, "own", "192.0.2.7")
	var list []eventsv1.Event
	took := eventually(t, "a refusal of the replica that does not lead to be told", func() (bool, error) {
		list = eventsOf(t, ns, "PodRefused")
		return len(list) == 1, nil
	})
	t.Logf("told after %s", took.Round(time.Millisecond))
	if led, err := leads(t.Context(), second); err != nil || led {
		t.Errorf("the replica that answered leads: %v, %v", led, err)
	}

	front.add(guard.Webhook)
	front.set(open)
	const tries, atATime = 40, 8
	var all sync.WaitGroup
	for range atATime {
		all.Go(func() {
			for range tries / atATime {
				refuse(t, ns, "own", "192.0.2.7")
				time.Sleep(300 * time.Millisecond) // so that both replicas count while others try
			}
		})
	}
	all.Wait()
	eventually(t, "all tries to be counted on one Event", func() (bool, error) {
		list := eventsOf(t, ns, "PodRefused", "PodsRefused")
		return len(list) == 1 && timesOf(&list[0]) == tries+1, nil
	})
	for _, g := range []string{guard.Log, second.Log} {
		t.Logf("%d lines in the log of a replica", len(loggedOf(t, g, ns)))
	}
}

// A tenant who has pods refused without end, each for another reason, has few Events and few lines in the log. Refusals
// in other namespaces are told all the same, and so are findings about the tenant's own ports.
func TestThreatT50RefusalFlood(t *testing.T) {
	const burst, more, tries = 64, 20, 400 // more covers the room that comes back meanwhile
	loud, other := namespace(t, nil), namespace(t, nil)
	pod := run(t, loud, nil)
	begin := time.Now()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range tries / 8 {
				refuse(t, loud, fmt.Sprintf("flood-%d-%d", i, j), fmt.Sprintf("192.0.2.%d", j+1))
			}
		})
	}
	all.Wait()
	flooded := time.Since(begin)
	refuse(t, other, "own", "192.0.2.7")
	nbctl(t, "lsp-set-port-security", portOf(pod))
	took := eventually(t, "the refusal in another namespace to be told", func() (bool, error) {
		return len(eventsOf(t, other, "PodRefused")) == 1, nil
	})
	awaitEvent(t, pod, "PortSecurityFinding", "OVG001")
	nbctl(t, "lsp-set-port-security", portOf(pod), pod.Annotations[macAddress]+" "+pod.Annotations[ipAddress])
	eventually(t, "the flood to be told", func() (bool, error) {
		return len(eventsOf(t, loud, "PodRefused")) >= burst && len(eventsOf(t, loud, "PodsRefused")) == 1, nil
	})
	if n := len(eventsOf(t, loud, "PodRefused")); n > burst+more {
		t.Errorf("%d Events", n)
	}
	if n := len(loggedOf(t, guard.Log, loud)); n == 0 || n > burst {
		t.Errorf("%d lines in the log", n)
	}
	if lines := loggedOf(t, guard.Log, other); len(lines) != 1 {
		t.Errorf("the log says of the other namespace: %q", lines)
	}
	eventually(t, "the log to say how many lines were left out", func() (bool, error) {
		log, err := os.ReadFile(guard.Log)
		return strings.Contains(string(log), "more requests were refused than are logged"), err
	})
	t.Logf("%d refusals in %s are %d Events and %d lines; another namespace's is told after %s", tries,
		flooded.Round(time.Millisecond), len(eventsOf(t, loud, "PodRefused", "PodsRefused")),
		len(loggedOf(t, guard.Log, loud)), took.Round(time.Millisecond))
}
