package charts

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var monitoring = []string{"metrics.rules.enabled=true", "metrics.dashboard.enabled=true"}

// metrics returns the metrics that docs/observe.md names; a test of the program holds that page to the code.
func metrics(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../docs/observe.md")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, row := range regexp.MustCompile("(?m)^\\| `(ovnguard_[a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		out = append(out, row[1])
	}
	if len(out) == 0 {
		t.Fatal("the page names no metric: this test is stale")
	}
	return out
}

// asked checks that each metric in a query is one of the program's.
func asked(t *testing.T, where, query string) {
	t.Helper()
	names := regexp.MustCompile(`ovnguard_[a-z_]+`).FindAllString(query, -1)
	if len(names) == 0 {
		t.Errorf("%s asks for no metric: %s", where, query)
	}
	for _, name := range names {
		if !slices.Contains(metrics(t), name) && !slices.Contains(metrics(t), strings.TrimSuffix(name, "_bucket")) {
			t.Errorf("%s asks for %s, which there is not", where, name)
		}
	}
	if strings.Count(query, "(") != strings.Count(query, ")") ||
		strings.Count(query, "{") != strings.Count(query, "}") {
		t.Errorf("%s: brackets do not match in %s", where, query)
	}
}

// Each alert asks for metrics that there are, has a severity, and says what to do; what matters most has one.
func TestAlerts(t *testing.T) {
	rule := find(t, objects(t, rendered(t, options{set: monitoring})), "PrometheusRule", "ovnguard")
	groups, _, err := unstructured.NestedSlice(rule.Object, "spec", "groups")
	if err != nil || len(groups) != 1 {
		t.Fatalf("%d groups, %v", len(groups), err)
	}
	var names []string
	rules, _ := groups[0].(map[string]any)["rules"].([]any)
	for _, r := range rules {
		fields, _ := r.(map[string]any)
		text := func(path ...string) string {
			s, _, _ := unstructured.NestedString(fields, path...)
			return s
		}
		name := text("alert")
		names = append(names, name)
		asked(t, name, text("expr"))
		if !slices.Contains([]string{"critical", "warning", "info"}, text("labels", "severity")) ||
			text("annotations", "summary") == "" || text("annotations", "description") == "" {
			t.Errorf("%s: severity %q, summary %q", name, text("labels", "severity"), text("annotations", "summary"))
		}
	}
	for _, name := range []string{"OvnguardGone", "OvnguardDrift", "OvnguardDoesNotGuard", "OvnguardCheckedNowhere"} {
		if !slices.Contains(names, name) {
			t.Errorf("no alert %s among %v", name, names)
		}
	}
}

// The dashboard is JSON, and each of its queries asks for metrics that there are.
func TestDashboard(t *testing.T) {
	o := find(t, objects(t, rendered(t, options{set: monitoring})), "ConfigMap", "ovnguard-dashboard")
	text, _, err := unstructured.NestedString(o.Object, "data", "ovnguard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID    string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	ids := make(map[int]bool)
	for _, p := range board.Panels {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("panel %q: id %d, %d queries", p.Title, p.ID, len(p.Targets))
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			asked(t, p.Title, target.Expr)
		}
	}
	if board.UID != "ovnguard" || len(ids) < 10 {
		t.Errorf("uid %q, %d panels", board.UID, len(ids))
	}
}
