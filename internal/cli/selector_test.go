package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// -l shows the ports and findings of the pods with these labels alone, in each command that has it.
func TestSelector(t *testing.T) {
	isolate(t)
	var pods strings.Builder
	for _, app := range []string{"web", "db"} {
		fmt.Fprintf(&pods, `
- apiVersion: v1
  kind: Pod
  metadata: {namespace: shop, name: %[1]s-0, uid: u-%[1]s, labels: {app: %[1]s}, annotations: {
    ovn.kubernetes.io/allocated: "true", ovn.kubernetes.io/mac_address: "0a:00:00:00:00:01"}}
  spec: {}`, app)
	}
	cluster := written(t, "cluster.yaml", "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Namespace\n"+
		"  metadata: {name: shop}"+pods.String())
	files := []string{"--from", cluster, "--nb", unpack(t, recordedDatabase)}
	var audited struct {
		Filter   struct{ Selector string }
		Findings []struct{ Pod string }
		Summary  struct{ Ports int }
	}
	_, out, errs := runMain(slices.Concat([]string{"audit", "-l", "app in (web)", "-o", "json"}, files)...)
	if err := json.Unmarshal([]byte(out), &audited); err != nil || len(audited.Findings) == 0 ||
		audited.Summary.Ports != 1 || audited.Filter.Selector != "app in (web)" {
		t.Fatalf("audit: %v: %s\n%s", err, errs, out)
	}
	for _, f := range audited.Findings {
		if f.Pod != "web-0" {
			t.Errorf("audit: a finding of pod %q", f.Pod)
		}
	}
	var status statusReport
	_, out, errs = runMain(slices.Concat([]string{"status", "-l", "app=web", "-o", "json"}, files)...)
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Ports.Total()+status.Ports.OutOfScope != 1 {
		t.Errorf("status: %v: %s\n%s", err, errs, out)
	}
	for _, a := range status.Action {
		if !strings.Contains(a.Command, "--selector=app=web") {
			t.Errorf("status: the command is %s", a.Command)
		}
	}
	for _, command := range []string{"audit", "status", "explain"} {
		code, _, errs := runMain(slices.Concat([]string{command, "-l", "app in"}, files)...)
		if code != exitUsage || !strings.Contains(errs, "--selector") {
			t.Errorf("%s: exit code %d: %s", command, code, errs)
		}
	}
}
