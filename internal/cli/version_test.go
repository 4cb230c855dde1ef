package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
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
		{[]string{"version", "-o", ""}, formats},
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
	isolate(t)
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
	if err := (&output{format: "table"}).put(&text, builds{build: b}.answer()); err != nil ||
		!strings.Contains(text.String(), "commit    abc, with changes\n") ||
		!strings.Contains(text.String(), "date      2030-01-02T03:04:05Z\n") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// What the build script has set comes before what the go command notes.
func TestVersionIsThatOfTheBuild(t *testing.T) {
	beforeVersion, beforeCommit, beforeDate := version, commit, date
	t.Cleanup(func() { version, commit, date = beforeVersion, beforeCommit, beforeDate })
	version, commit, date = "v1.2.3-4-g0123456789ab-dirty", "0123456789abcdef", "2030-01-02T03:04:05Z"
	b := buildOf(&debug.BuildInfo{Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "other"}, {Key: "vcs.modified", Value: "false"},
	}})
	if b.Commit != commit || b.Date != date || !b.Modified {
		t.Errorf("%+v", b)
	}
}

// leaseServer returns the kubeconfig of an API server that answers each question with this code and object.
func leaseServer(t *testing.T, code int, answer any) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/coordination.k8s.io/v1/namespaces/guard/leases/ovnguard" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return written(t, "config", strings.Replace(unreachableConfig, "https://127.0.0.1:1", s.URL, 1))
}

// The controller's version is that of the replica that leads, as its Lease says. What is not known is said, and this
// program's version is shown all the same.
func TestVersionOfTheController(t *testing.T) {
	isolate(t)
	lease := func(holder string, renewed time.Time) any {
		return map[string]any{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
			"metadata": map[string]any{"name": "ovnguard", "namespace": "guard", "labels": map[string]any{
				"app.kubernetes.io/version": "v0.1.0", "ovnguard.io/commit": "abcdef",
				"ovnguard.io/commit-date": "20300102T030405Z",
			}},
			"spec": map[string]any{
				"holderIdentity": holder, "renewTime": renewed.UTC().Format("2006-01-02T15:04:05.000000Z"),
			},
		}
	}
	refusal := func(reason string, code int) any {
		return map[string]any{
			"apiVersion": "v1",
			"kind":       "Status",
			"status":     "Failure",
			"reason":     reason,
			"code":       code,
			"message":    "as told",
		}
	}
	now := time.Now()
	for name, c := range map[string]struct {
		config string
		code   int
		says   string
	}{
		"leads": {
			leaseServer(t, 200, lease("one\x1b[2J", now)), exitOK,
			"controller  v0.1.0\ncommit      abcdef\ndate        2030-01-02T03:04:05Z\nreplica     one?[2J\n",
		},
		"given up":  {leaseServer(t, 200, lease("", now)), exitOK, "replica     none leads now"},
		"long ago":  {leaseServer(t, 200, lease("one", now.Add(-time.Hour))), exitOK, "replica     none leads now"},
		"none":      {leaseServer(t, 404, refusal("NotFound", 404)), exitOK, "controller  none has run"},
		"forbidden": {leaseServer(t, 403, refusal("Forbidden", 403)), exitIncomplete, "get leases in namespace guard"},
		"away":      {written(t, "config", unreachableConfig), exitUnreachable, "--client asks no cluster"},
	} {
		code, out, errs := runMain("version", "--kubeconfig", c.config, "--namespace", "guard")
		if code != c.code || !strings.Contains(out+errs, c.says) || !strings.HasPrefix(out, "version   "+version+"\n") {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s%s", name, code, c.code, c.says, out, errs)
		}
		if code, out, _ = runMain("version", "--kubeconfig", c.config, "--client"); code != exitOK ||
			strings.Contains(out, "controller") {
			t.Errorf("%s, --client: exit code %d\n%s", name, code, out)
		}
	}
	config := leaseServer(t, 200, lease("one", now))
	_, out, _ := runMain("version", "--kubeconfig", config, "--namespace", "guard", "-o", "json")
	var got builds
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Controller == nil ||
		got.Controller.Version != "v0.1.0" || got.Controller.Replica != "one" || !got.Controller.Installed {
		t.Errorf("%v\n%s", err, out)
	}
	if code, out, errs := runMain("version", "--kubeconfig", "/nonexistent"); code != exitUsage || out != "" {
		t.Errorf("no such file: exit code %d\n%s%s", code, out, errs)
	}
}
