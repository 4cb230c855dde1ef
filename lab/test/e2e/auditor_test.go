//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// finding has the fields that the tests read of a finding in `ovnguard audit -o json`.
type finding struct {
	Rule, Name, Severity, Port, Namespace, Pod, Message, Fix string
	Evidence                                                 struct {
		PortSecurity, Excess, Loss []string
		Identity, IdentityFrom     string
	}
}

// auditReport has the fields that the tests read of `ovnguard audit -o json`.
type auditReport struct {
	Ports    map[string]int
	Findings []finding
	Unknown  map[string]string
	Notes    []string
}

// findingsOf returns the findings of a port, in order.
func (r auditReport) findingsOf(port string) []finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f finding) bool { return f.Port != port })
}

// ovnguard runs a command of the program, against the lab unless args name another cluster, and returns its output and
// exit code.
func ovnguard(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	info := world.Lab.Info()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = []string{"KUBECONFIG=" + info.Kubeconfigs[controlplane.AdminIdentity], "OVN_NB_DB=" + info.NB}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), errs.String(), code
}

// audit runs `ovnguard audit -o json`; the exit code must agree with the report.
func audit(t *testing.T) auditReport {
	t.Helper()
	stdout, stderr, code := ovnguard(t, "audit", "-o", "json")
	var r auditReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("ovnguard audit ended with %d: %v\n%s%s", code, err, stdout, stderr)
	}
	want := 0
	if slices.ContainsFunc(r.Findings, func(f finding) bool { return f.Severity != "info" }) {
		want = 1
	}
	if want == 0 && len(r.Unknown) > 0 {
		want = 4
	}
	if code != want {
		t.Errorf(
			"ovnguard audit ended with %d for %d findings and %d unknown ports, want %d",
			code,
			len(r.Findings),
			len(r.Unknown),
			want,
		)
	}
	r.Findings = slices.DeleteFunc(r.Findings, func(f finding) bool { return slices.Contains(leftoverRules, f.Rule) })
	return r
}

// subjectRules are the rules for subjects other than ports: exceptions, chassis, pods outside OVN. Other tests make and
// remove them.
var subjectRules = append([]string{"OVG015", "OVG016", "OVG022", "OVG024"}, leftoverRules...)

// leftoverRules are the rules for what pods of other tests leave behind. Kube-OVN collects that every six minutes, and
// the lab never does.
var leftoverRules = []string{"OVG035", "OVG036"}

// rules returns the number of findings about ports by rule, from the metrics; rules without any are left out.
func rules(ctx context.Context) (map[string]int, error) {
	values, err := readMetrics(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[string]int)
	for name, value := range values {
		if rest, ok := strings.CutPrefix(name, `ovnguard_findings{rule="`); ok && value != 0 {
			if rule := strings.TrimSuffix(rest, `"}`); !slices.Contains(subjectRules, rule) {
				out[rule] = int(value)
			}
		}
	}
	return out, nil
}

// ports returns the number of ports in a state, from the metrics.
func ports(t *testing.T, state string) int {
	t.Helper()
	return int(metrics(t)[fmt.Sprintf("ovnguard_ports{state=%q}", state)])
}

// awaitNoFindings waits until the audit has no findings any more.
func awaitNoFindings(t *testing.T) time.Duration {
	t.Helper()
	return awaitRules(t)
}

// awaitRules waits until the audit has one finding of each of these rules and no others, and returns how long that
// took.
func awaitRules(t *testing.T, ids ...string) time.Duration {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the last findings were %s", last)
		}
	}()
	return eventually(t, fmt.Sprintf("findings %q and no others in the metrics", ids), func() (bool, error) {
		found, err := rules(t.Context())
		last = fmt.Sprint(found)
		if err != nil || len(found) != len(ids) {
			return false, err
		}
		return !slices.ContainsFunc(ids, func(id string) bool { return found[id] != 1 }), nil
	})
}

// awaitEvent waits until the pod has an Event with the reason that names the rule.
func awaitEvent(t *testing.T, pod *corev1.Pod, reason, rule string) {
	t.Helper()
	eventually(t, fmt.Sprintf("an Event %s %s on pod %s", reason, rule, pod.Name), func() (bool, error) {
		list, err := world.Kube.EventsV1().Events(pod.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		for _, e := range list.Items {
			if e.Regarding.UID == pod.UID && e.Reason == reason && strings.HasPrefix(e.Note, rule+" ") {
				return true, nil
			}
		}
		return false, nil
	})
}
