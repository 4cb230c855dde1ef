package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// completions returns what a shell is offered for the last of these words.
func completions(t *testing.T, words ...string) []string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := Main(append([]string{"__complete"}, words...), &stdout, &stderr); code != exitOK {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	var out []string
	for line := range strings.Lines(stdout.String()) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
			out = append(out, word)
		}
	}
	return out
}

// What the program knows itself is completed without a cluster, and nothing waits for one that is away.
func TestCompletion(t *testing.T) {
	isolate(t)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(unreachableConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	objects := kubeOVN("tcp:127.0.0.1:1")
	objects["pods"] = []any{map[string]any{"metadata": map[string]any{"namespace": "shop", "name": "web-0"}}}
	live := server(t, objects)
	for _, c := range []struct{ words, want []string }{
		{[]string{"version", "-o", ""}, []string{"table", "wide", "json", "yaml", "csv", "markdown", "html"}},
		{[]string{"explain", ""}, []string{
			"pod/", "vm/", "port/", "deployment/", "statefulset/", "daemonset/", "job/", "ip/", "mac/",
		}},
		{[]string{"explain", "d"}, []string{"deployment/", "daemonset/"}},
		{[]string{"explain", "ip/"}, nil},
		{[]string{"explain", "a", ""}, nil},
		{[]string{"explain", "--kubeconfig", live, ""}, []string{
			"shop/", "pod/", "vm/", "port/", "deployment/", "statefulset/", "daemonset/", "job/", "ip/", "mac/",
		}},
		{[]string{"explain", "--kubeconfig", live, "deploy/kube"}, []string{"deploy/kube-ovn-controller"}},
		{[]string{"explain", "--kubeconfig", live, "--as", "ann", "shop/"}, []string{"shop/web-0"}},
		{[]string{"explain", "--kubeconfig", live, "-n", "shop", "pod/w"}, []string{"pod/web-0"}},
		{[]string{"journal", "--kubeconfig", live, "-n", "shop", "--pod", ""}, []string{"web-0"}},
		{[]string{"audit", "--kubeconfig", live, "-n", "s"}, []string{"shop"}},
		{[]string{"audit", "--rule", "OVG001"}, []string{"OVG001"}},
		{[]string{"undo", "--kubeconfig", config, "--of", ""}, nil},
		{[]string{"completion", ""}, []string{"bash", "fish", "powershell", "zsh"}},
	} {
		if got := completions(t, c.words...); !slices.Equal(got, c.want) {
			t.Errorf("%q is completed by %q, want %q", c.words, got, c.want)
		}
	}
	rules, _ := completeRules(nil, nil, "ovga1")
	if len(rules) == 0 || !strings.HasPrefix(rules[0], "OVGA1") || len(rules) > 10 {
		t.Errorf("rules are completed by %q", rules)
	}
}

// As a plugin of kubectl the program calls itself as people call it.
func TestPluginOfKubectl(t *testing.T) {
	for program, want := range map[string]string{
		"/usr/bin/ovnguard": "  ovnguard [command]", "/usr/bin/kubectl-ovnguard": "  kubectl ovnguard [command]",
	} {
		root := newRootCommand(program)
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs([]string{"--help"})
		if err := root.Execute(); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%s: %v, and the text lacks %q:\n%s", program, err, want, out.String())
		}
	}
}

func TestVersion(t *testing.T) {
	code, out, _ := runMain("version", "--short")
	if code != exitOK || out != version+"\n" {
		t.Errorf("--short: exit code %d, %q", code, out)
	}
	_, out, _ = runMain("version", "-o", "json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Version != version || b.Go == "" {
		t.Errorf("JSON: %v\n%s", err, out)
	}
	if _, out, _ = runMain("version", "-o", "yaml"); !strings.Contains(out, "version: "+version+"\n") {
		t.Errorf("YAML:\n%s", out)
	}
	if code, out, errs := runMain("version", "-o", "xml"); code != exitUsage || out != "" ||
		!strings.Contains(errs, "json, yaml, csv") {
		t.Errorf("xml: exit code %d, %q, %q", code, out, errs)
	}
	b = buildOf(&debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"},
		{Key: "vcs.time", Value: "2030-01-02T03:04:05Z"},
		{Key: "vcs.modified", Value: "true"},
	}})
	var text strings.Builder
	if err := (&output{format: "table"}).put(
		&text,
		b.answer(),
	); err != nil ||
		!strings.Contains(text.String(), "commit    abc, with changes\n") ||
		!strings.Contains(text.String(), "date      2030-01-02T03:04:05Z\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}
