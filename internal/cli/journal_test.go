package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/journal"
)

// journalLines are the lines of a journal: a repair that stands, one that was taken back, one that was not made.
func journalLines(t *testing.T, now time.Time) string {
	t.Helper()
	column := func(elements ...string) *[]string { return new(append([]string{}, elements...)) }
	entry := func(id, port string, age time.Duration) journal.Entry {
		return journal.Entry{
			ID:        id,
			Time:      now.Add(-age),
			By:        "ovnguard-1",
			Port:      port,
			Namespace: "shop",
			Pod:       strings.Split(port, ".")[0],
			PodUID:    "u-" + port,
			Why:       "OVG001",
			Outcome:   journal.Written,
			Before: journal.Values{
				PortSecurity: column(),
			},
			After: journal.Values{PortSecurity: column("0a:00:00:00:00:01")},
		}
	}
	old := entry("a1", "web-0.shop", 5*time.Hour)
	undo := entry("a2", "web-0.shop", 4*time.Hour)
	undo.Undoes, undo.Before, undo.After = "a1", old.After, old.Before
	failed := entry("a3", "db-0.shop", 3*time.Hour)
	failed.Outcome, failed.Error = journal.Failed, "the database\x1b[31m is gone"
	annotated := entry("a4", "api-0.shop", time.Hour)
	annotated.Before = journal.Values{Annotations: map[string]string{"ovn.kubernetes.io/port_security": "false"}}
	annotated.After = journal.Values{Annotations: map[string]string{"ovn.kubernetes.io/port_security": "true"}}
	var text strings.Builder
	for _, e := range []journal.Entry{old, undo, failed, annotated} {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s\n", line)
	}
	return text.String()
}

// journalMap returns the ConfigMap of a journal.
func journalMap(name, lines string) map[string]any {
	return map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{
			"namespace": "ovnguard-system", "name": name, "labels": map[string]any{journal.Label: "true"},
		},
		"data": map[string]any{"changes": lines},
	}
}

// journal lists the changes, the newest last, from files and from the cluster alike, with the command that undoes each.
func TestJournal(t *testing.T) {
	isolate(t)
	lines := journalLines(t, time.Now())
	text, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "List", "items": []any{journalMap("ovnguard-journal-1", lines)},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := written(t, "journal.json", string(text))
	// The list of one kind has no kind in its items.
	item := journalMap("ovnguard-journal-1", lines)
	delete(item, "kind")
	delete(item, "apiVersion")
	text, err = json.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMapList", "items": []any{item}})
	if err != nil {
		t.Fatal(err)
	}
	listed := written(t, "list.json", string(text))
	config := server(t, map[string][]any{"configmaps": {journalMap("ovnguard-journal-1", lines)}})
	for name, from := range map[string][]string{
		"file": {"--from", file}, "list of one kind": {"--from", listed}, "cluster": {"--kubeconfig", config},
	} {
		list := func(args ...string) (r journalReport) {
			t.Helper()
			code, out, errs := runMain(slices.Concat([]string{"journal", "-o", "json"}, from, args)...)
			if code != exitOK {
				t.Fatalf("%s: exit code %d: %s", name, code, errs)
			}
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatal(err)
			}
			return r
		}
		ids := func(r journalReport) (ids []string) {
			for _, c := range r.Changes {
				ids = append(ids, c.ID)
			}
			return ids
		}
		all := list()
		if diff := cmp.Diff([]string{"a1", "a2", "a3", "a4"}, ids(all)); diff != "" {
			t.Fatalf("%s: -want +got\n%s", name, diff)
		}
		for i, want := range []struct{ undo, outcome string }{
			{"", "taken back already"},
			{"", "takes back change a1"},
			{"", "failed: the database"},
			{"ovnguard undo --change=a4 --namespace=ovnguard-system", "written"},
		} {
			if c := all.Changes[i]; c.Undo != want.undo || !strings.Contains(c.Outcome, want.outcome) {
				t.Errorf("%s: %s: undo %q, outcome %q", name, c.ID, c.Undo, c.Outcome)
			}
		}
		for args, want := range map[string]string{
			"--since=2h": "a4", "--port=web-0.shop": "a1 a2", "--pod=db-0": "a3", "-n=shop": "a1 a2 a3 a4", "-n=other": "",
		} {
			if got := strings.Join(ids(list(args)), " "); got != want {
				t.Errorf("%s: %s: %q, want %q", name, args, got, want)
			}
		}
	}
	_, out, _ := runMain("journal", "--from", file)
	if strings.Contains(out, "\x1b") || !strings.Contains(out,
		`annotation ovn.kubernetes.io/port_security of pod shop/api-0 "false" -> "true"`) {
		t.Errorf("as a table:\n%s", out)
	}
}

// A journal that cannot be read as a whole is partial, and a file without one is wrong usage.
func TestJournalDamaged(t *testing.T) {
	isolate(t)
	torn, err := json.Marshal(journalMap("ovnguard-journal-1", journalLines(t, time.Now())+`{"id":`))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"torn":      {[]string{"--from", written(t, "j.json", string(torn))}, exitIncomplete, "cannot be read"},
		"none":      {[]string{"--from", "testdata/explain-cluster.yaml"}, exitUsage, "no ConfigMap of the journal"},
		"no file":   {[]string{"--from", "testdata/none.yaml"}, exitUsage, "none.yaml"},
		"no JSON":   {[]string{"--from", written(t, "x.json", `{"a": "`+journal.Label)}, exitUsage, "--from"},
		"format":    {[]string{"-o", "xml"}, exitUsage, "--output"},
		"in future": {[]string{"--since", "-1h"}, exitUsage, "--since"},
	} {
		code, _, errs := runMain(append([]string{"journal"}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, c.code, errs)
		}
	}
}

// explain has the history of the port that is asked about.
func TestExplainHistory(t *testing.T) {
	isolate(t)
	text, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{
		journalMap("ovnguard-journal-1", journalLines(t, time.Now())),
		map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "shop"}},
		map[string]any{
			"apiVersion": "v1",
			"kind":       "Pod",
			"metadata":   map[string]any{"namespace": "shop", "name": "api-0", "uid": "p"},
			"spec":       map[string]any{},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	code, out, errs := runMain("explain", "shop/api-0", "--from", written(t, "all.json", string(text)))
	if code != exitOK || !strings.Contains(out, "changes of repair:") ||
		!strings.Contains(out, "ovnguard undo --change=a4") || strings.Contains(out, "web-0") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}
