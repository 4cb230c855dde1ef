//go:build integration

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// newestOf returns the Event of the program about a pod that was seen last.
func newestOf(t *testing.T, pod *corev1.Pod) (newest eventsv1.Event) {
	t.Helper()
	list, err := world.Kube.EventsV1().Events(pod.Namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seen := func(e *eventsv1.Event) time.Time {
		if e.Series != nil {
			return e.Series.LastObservedTime.Time
		}
		return e.EventTime.Time
	}
	for i := range list.Items {
		if e := &list.Items[i]; e.Regarding.UID == pod.UID && e.ReportingController == "ovnguard" &&
			seen(e).After(seen(&newest)) {
			newest = *e
		}
	}
	return newest
}

// An Event on the pod has the values before and after a repair, and the last Event of a repaired port is no Warning,
// although repair takes but milliseconds.
func TestRepairedPortIsTold(t *testing.T) {
	ns, policyName := repairNamespace(t)
	pod := run(t, ns, nil)
	port, own := portOf(pod), pod.Annotations[macAddress]+" "+pod.Annotations[ipAddress]
	awaitColumn(t, port, `["`+own+`"]`)
	for i := range 3 {
		nbctl(t, "lsp-set-port-security", port)
		awaitColumn(t, port, `["`+own+`"]`)
		eventually(t, "Events about the finding and the repair", func() (bool, error) {
			return len(eventsOf(t, ns, "PortSecurityFinding")) == 1 &&
				len(eventsOf(t, ns, "PortSecurityRepaired")) == 1 &&
				newestOf(t, pod).Type == corev1.EventTypeNormal, nil
		})
		time.Sleep(2 * time.Second) // a late Event would have come
		if e := newestOf(t, pod); e.Type != corev1.EventTypeNormal {
			t.Errorf("after drift %d the last Event is %s: %s", i, e.Reason, e.Note)
		}
	}
	e := eventsOf(t, ns, "PortSecurityRepaired")[0]
	for _, part := range []string{"OVG001 port " + port, "port_security from [] to [", own, policyName} {
		if !strings.Contains(e.Note, part) {
			t.Errorf("note %q lacks %q", e.Note, part)
		}
	}
	if e.Type != corev1.EventTypeNormal || e.Action != "OVG001" || e.Regarding.UID != pod.UID {
		t.Errorf("%+v", e)
	}
	t.Log(e.Note)
}

// Ports that are open by permission are compliant, and are listed and counted all the same.
func TestPermittedPortsAreListed(t *testing.T) {
	const open = `ovnguard_ports_permitted{level="open"}`
	before := metrics(t)[open]
	ns := namespace(t, valueOf("false"))
	pod := run(t, ns, nil)
	eventually(t, "the port to be counted", func() (bool, error) { return metrics(t)[open] == before+1, nil })
	stdout, stderr, _ := ovnguard(t, "audit", "-o", "json")
	var doc struct {
		Permitted []struct {
			Level, Port, Namespace, Pod, Provider string
			By                                    []struct{ Source, Name string }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &doc); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	found := false
	for _, p := range doc.Permitted {
		if p.Namespace != ns {
			continue
		}
		found = true
		if p.Level != "open" || p.Port != portOf(pod) || p.Pod != pod.Name || len(p.By) != 1 ||
			p.By[0].Source != "namespace" || p.By[0].Name != portSecurity {
			t.Errorf("%+v", p)
		}
	}
	if !found {
		t.Errorf("the port is not listed:\n%s", stdout)
	}
	stdout, _, _ = ovnguard(t, "audit")
	for _, part := range []string{"open or widened by permission:", ns, "namespace's " + portSecurity} {
		if !strings.Contains(stdout, part) {
			t.Errorf("the table lacks %q:\n%s", part, stdout)
		}
	}
	deletePod(t, pod)
	eventually(
		t,
		"the port not to be counted any more",
		func() (bool, error) { return metrics(t)[open] == before, nil },
	)
}
