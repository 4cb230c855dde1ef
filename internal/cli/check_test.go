package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const checkCluster = "testdata/check-cluster.yaml"

// written returns the path of a file with the text.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// checkText returns what check says of manifests, in the cluster of the tests.
func checkText(t *testing.T, text string) (checkReport, int) {
	t.Helper()
	code, out, errs := runMain(
		"check",
		"-f",
		written(t, "m.yaml", text),
		"--from",
		checkCluster,
		"-n",
		"t",
		"-o",
		"json",
	)
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, errs)
	}
	return r, code
}

// podManifest returns a manifest of a pod with an annotation; none where the key is "".
func podManifest(key, value string) string {
	annotations := ""
	if key != "" {
		annotations = fmt.Sprintf(", annotations: {%q: %q}", key, value)
	}
	return "apiVersion: v1\nkind: Pod\nmetadata: {name: p" + annotations + "}\n"
}

// The same wishes are refused for the same reasons as in the tests of package preview.
func TestCheckOfPods(t *testing.T) {
	isolate(t)
	for name, c := range map[string]struct{ key, value, check string }{
		"asks for nothing":          {},
		"strict by annotation":      {"ovn.kubernetes.io/port_security", "true", ""},
		"an external address":       {"ovn.kubernetes.io/eip", "203.0.113.7", "OVGA18"},
		"a gateway of its own":      {"ovn.kubernetes.io/north_gateway", "10.0.0.1", "OVGA18"},
		"a Vip of its namespace":    {"ovn.kubernetes.io/port_vips", "10.16.0.100", ""},
		"addresses without a Vip":   {"ovn.kubernetes.io/port_vips", "10.16.0.101", "OVGA10"},
		"another's pool":            {"ovn.kubernetes.io/ip_pool", "their-pool", "OVGA14"},
		"a Vip of nobody":           {"ovn.kubernetes.io/vip", "none", "OVGA11"},
		"neither on nor off":        {"ovn.kubernetes.io/port_security", "tru", "OVGA08"},
		"a network of its own":      {"k8s.v1.cni.cncf.io/networks", "t/green", ""},
		"another's network":         {"k8s.v1.cni.cncf.io/networks", "u/blue", "OVGA14"},
		"networks that are unclear": {"k8s.v1.cni.cncf.io/networks", "[null]", "OVGA04"},
		"another's address":         {"ovn.kubernetes.io/ip_address", "10.16.0.5", "OVGA12"},
		"another's MAC":             {"ovn.kubernetes.io/mac_address", "0a:00:00:00:00:05", "OVGA13"},
		"another's subnet":          {"ovn.kubernetes.io/logical_switch", "theirs", "OVGA14"},
		"a free address":            {"ovn.kubernetes.io/ip_address", "10.16.0.50", ""},
		"Kube-OVN's own key":        {"ovn.kubernetes.io/allocated", "true", "OVGA15"},
		"a wish to migrate":         {"ovn.kubernetes.io/activation_strategy", "rarp", "OVGA16"},
	} {
		t.Run(name, func(t *testing.T) {
			r, code := checkText(t, podManifest(c.key, c.value))
			o := r.Objects[0]
			if c.check == "" {
				if code != exitOK || len(o.Refusals) > 0 || o.Result == resultRefused {
					t.Errorf("exit code %d, %+v", code, o)
				}
				return
			}
			if code != exitFindings || o.Result != resultRefused || o.Refusals[0].Check != c.check ||
				o.Refusals[0].Why == "" || o.Refusals[0].Fix == "" || len(o.Set) > 0 {
				t.Errorf("exit code %d, %+v; want %s", code, o, c.check)
			}
		})
	}
}

// What is changed is named, without ovnguard's own record.
func TestCheckNamesChanges(t *testing.T) {
	isolate(t)
	r, _ := checkText(t, podManifest("ovn.kubernetes.io/layer2_forward", "true"))
	o := r.Objects[0]
	if o.Result != resultChanged || o.Set["ovn.kubernetes.io/port_security"] != "true" || len(o.Set) != 1 ||
		!slices.Equal(o.Remove, []string{"ovn.kubernetes.io/layer2_forward"}) || len(o.NotGranted) != 1 {
		t.Errorf("%+v", o)
	}
	r, code := checkText(t, "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: true}\n")
	if o := r.Objects[0]; code != exitOK || o.Result != resultAllowed || o.Why == "" {
		t.Errorf("on the host's network: %+v", o)
	}
}

// All that makes pods is judged by its template; what makes none is counted.
func TestCheckOfTemplates(t *testing.T) {
	isolate(t)
	const template = `{metadata: {annotations: {ovn.kubernetes.io/eip: 203.0.113.7}}, spec: {}}`
	for kind, path := range map[string]string{
		"apps/v1 Deployment": "spec.template", "apps/v1 StatefulSet": "spec.template", "apps/v1 DaemonSet": "spec.template",
		"apps/v1 ReplicaSet": "spec.template", "batch/v1 Job": "spec.template",
		"batch/v1 CronJob":              "spec.jobTemplate.spec.template",
		"kubevirt.io/v1 VirtualMachine": "spec.template", "v1 ConfigMap": "",
	} {
		version, kind, _ := strings.Cut(kind, " ")
		spec := "template: " + template
		if kind == "CronJob" {
			spec = "jobTemplate: {spec: {template: " + template + "}}"
		}
		r, code := checkText(t, fmt.Sprintf(
			"apiVersion: v1\nkind: List\nitems:\n- apiVersion: %s\n  kind: %s\n  metadata: {name: x, namespace: t}\n"+
				"  spec: {%s}\n", version, kind, spec))
		if path == "" {
			if len(r.Objects) != 0 || r.Others != 1 || code != exitOK {
				t.Errorf("%s: exit code %d, %+v", kind, code, r)
			}
			continue
		}
		o := r.Objects[0]
		if code != exitFindings || len(o.Refusals) != 1 || o.Refusals[0].Check != "OVGA18" || o.Refusals[0].Field !=
			path+`.metadata.annotations["ovn.kubernetes.io/eip"]` {
			t.Errorf("%s: exit code %d, %+v", kind, code, o)
		}
	}
}

// A team tests its exception together with the workload that needs it, and a policy together with what it governs.
func TestCheckCountsWhatIsInTheManifests(t *testing.T) {
	isolate(t)
	deployment := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {metadata: {annotations: {ovn.kubernetes.io/port_vips: 192.0.2.7}}, spec: {}}}
`
	exception := `
---
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: grant}
spec:
  target: {owner: {apiVersion: apps/v1, kind: Deployment, name: web}}
  grant: {pairs: [{prefix: 192.0.2.0/24}]}
  reason: it answers for the service
  owner: net@example.org
  expiresAt: "` + time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339) + `"
`
	policy := func(namespaces, more string) string {
		return `
---
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: all}
spec: {mode: enforce` + more + `, exceptions: {namespaces: [` + namespaces + `]}}
`
	}
	for name, c := range map[string]struct {
		text string
		code int
		says string
	}{
		"alone":                   {deployment, exitFindings, ""},
		"with an exception":       {deployment + exception, exitFindings, "PortSecurityException grant has no effect"},
		"and a policy for others": {deployment + exception + policy("u", ""), exitFindings, "grant has no effect"},
		"and a policy that does":  {deployment + exception + policy("t", ""), exitOK, ""},
		"the policy before": {
			strings.TrimPrefix(policy("t", ""), "\n---") + "---" + deployment + exception, exitOK, "",
		},
		"which asks for approval": {
			deployment + exception + strings.Replace(policy("t", ""), "]}", "], requireApproval: true}", 1), exitFindings,
			"requires that a user other than whoever applies it approves it",
		},
		"a policy that only warns": {deployment + strings.Replace(policy("t", ""), "enforce", "warn", 1), exitOK, ""},
		"in a namespace of its own": {
			"apiVersion: v1\nkind: Namespace\nmetadata: {name: t}\n---" + deployment, exitFindings, "",
		},
	} {
		r, code := checkText(t, c.text)
		if o := r.Objects[0]; code != c.code || !strings.Contains(strings.Join(o.Warnings, "\n"), c.says) {
			t.Errorf("%s: exit code %d, want %d: %+v, notes %q", name, code, c.code, o, r.Notes)
		}
	}
}

// Exceptions and policies among the manifests are judged as if they were asked for with `exception create`.
func TestCheckOfExceptionsAndPolicies(t *testing.T) {
	isolate(t)
	const asked, allows = "apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityException\n", "---\n" +
		"apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityPolicy\nmetadata: {name: all}\n" +
		"spec: {mode: enforce, exceptions: {namespaces: [t]}}\n"
	exception := func(target, grant, reason string) string {
		return asked + "metadata: {name: e}\nspec:\n" +
			"  target: " + target + "\n  grant: " + grant + "\n  reason: \"" + reason + "\"\n  owner: net\n  expiresAt: " +
			time.Now().Add(24*time.Hour).UTC().Format("\"2006-01-02T15:04:05Z\"\n") + allows
	}
	const web, why = "{podSelector: {matchLabels: {app: web}}}", "answers for the service"
	pairs := func(prefix string) string { return "{pairs: [{prefix: " + prefix + "}]}" }
	machine := "{owner: {apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, name: vm}}"
	for name, c := range map[string]struct {
		text, result string
		code         int
		says         string
	}{
		"granted":   {exception(web, pairs("192.0.2.0/24"), why), resultAllowed, exitOK, ""},
		"another's": {exception(web, pairs("10.16.0.5"), why), resultRefused, exitFindings, "10.16.0.5"},
		"placeholder": {
			exception(web, pairs("192.0.2.0/24"), reasonToFill), resultRefused, exitFindings, "fill in spec.reason",
		},
		"no such owner": {
			exception("{owner: {apiVersion: apps/v1, kind: StatefulSet, name: x}}", pairs("192.0.2.0/24"), why),
			resultRefused, exitFindings, `has no StatefulSet "x"`,
		},
		"a kind that the file lacks": {
			exception(machine, pairs("192.0.2.0/24"), why), resultUnknown, exitIncomplete,
			"the file has no VirtualMachineInstance.kubevirt.io; export it as well",
		},
		"policy": {
			"apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityPolicy\nmetadata: {name: p}\nspec: {mode: enforce}\n",
			resultAllowed, exitOK, "",
		},
		"policy with a key of pods alone": {
			"apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityPolicy\nmetadata: {name: p}\n" +
				"spec: {mode: enforce, inheritedKeys: [ovn.kubernetes.io/ip_address]}\n",
			resultRefused, exitFindings, "cannot be handed down",
		},
	} {
		r, code := checkText(t, c.text)
		if len(r.Objects) == 0 || r.Others != 0 {
			t.Fatalf("%s: exit code %d, %+v", name, code, r)
		}
		if o := r.Objects[0]; code != c.code || o.Result != c.result ||
			!strings.Contains(strings.Join(o.lines(), "\n"), c.says) {
			t.Errorf("%s: exit code %d, want %d and %s: %+v", name, code, c.code, c.result, o)
		}
	}
}

// A file that lacks a kind says so, and how it comes to have it; nobody is told to wait.
func TestCheckFromFilesWithoutSubnets(t *testing.T) {
	isolate(t)
	poor := "apiVersion: v1\nkind: Namespace\nmetadata: {name: t}\n---\n" +
		"apiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: t}\n"
	code, out, errs := runMain("check", "-f", written(t, "m.yaml", podManifest("", "")), "--from",
		written(t, "poor.yaml", poor), "-n", "t")
	const want = "metadata.name: cannot tell whether names or addresses clash: the file has no "
	if code != exitIncomplete || !strings.Contains(out, want) || !strings.Contains(out, "Subnet.kubeovn.io") ||
		strings.Contains(out, "yet") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}

// What is passed over is named.
func TestCheckNamesWhatItPassesOver(t *testing.T) {
	isolate(t)
	r, code := checkText(t, "apiVersion: apps/v1\nkind: Deploymnt\nmetadata: {name: web}\n")
	const want = "not judged, because it makes no pods that ovnguard knows: Deploymnt.apps/v1 web"
	if code != exitOK || !slices.Contains(r.Notes, want) {
		t.Errorf("exit code %d, %q", code, r.Notes)
	}
	if r, _ = checkText(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: t}\n"); strings.Contains(
		strings.Join(r.Notes, "\n"), "not judged, because") {
		t.Errorf("what counts for others is passed over: %q", r.Notes)
	}
}

// A namespace that is nowhere gets the strict default; one in the manifests says what it says.
func TestCheckOfNamespaces(t *testing.T) {
	isolate(t)
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: fresh}\n"
	r, code := checkText(t, pod)
	if code != exitOK || r.Objects[0].Set["ovn.kubernetes.io/port_security"] != "true" ||
		!strings.Contains(strings.Join(r.Notes, "\n"), "namespace fresh is neither in the cluster nor") {
		t.Errorf("exit code %d, %+v", code, r)
	}
	loose := "---\napiVersion: v1\nkind: Namespace\n" +
		"metadata: {name: fresh, annotations: {ovn.kubernetes.io/port_security: \"false\"}}\n"
	if r, _ = checkText(t, pod+loose); r.Objects[0].Set["ovn.kubernetes.io/port_security"] == "true" {
		t.Errorf("%+v", r.Objects[0])
	}
}

// What cannot be read is named by file, document and line or field, and nothing is printed.
func TestCheckOfUnreadableManifests(t *testing.T) {
	isolate(t)
	good := podManifest("", "")
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"no YAML":  {good + "---\na: b\n  c: d\n", []string{"document 2 (line 5)", "line 6"}},
		"twice":    {good + "---\n# comment\nkind: Pod\nkind: Pod\n", []string{"document 2", "line 7", "already set"}},
		"no kind":  {good + "--- # again\n\nmetadata: {name: x}\n", []string{"document 2", "no kind"}},
		"a number": {podManifest("", "") + "---\n" + strings.Replace(podManifest("a", "b"), `"b"`, "1", 1), []string{"document 2", `metadata.annotations["a"]: 1: want a text; put it in quotes`}},
		"in a template": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n" +
				"spec: {template: {metadata: {annotations: {a: true}}}}\n",
			[]string{"document 1", "/spec/template/metadata/annotations/a"},
		},
		"in a list": {
			"apiVersion: v1\nkind: List\nitems:\n- {kind: Pod, apiVersion: v1, metadata: {name: 1}}\n",
			[]string{"items[0].metadata.name: 1: want a text"},
		},
		"a field of a policy": {
			"apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityPolicy\nmetadata: {name: x}\nspec: {exeptions: {}}\n",
			[]string{"document 1", "PortSecurityPolicy x", `unknown field "spec.exeptions"`},
		},
		"a field of an exception": {
			"apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityException\nmetadata: {name: x}\n" +
				"spec: {target: {podSelector: {matchLabels: {a: b}}}, grant: {pairs: [{prefix: 10.0.0.1/8}]}}\n",
			[]string{"document 1", "spec.grant.pairs[0].prefix"},
		},
		"a text":      {"hello", []string{"document 1 (line 1)", "want an object"}},
		"no metadata": {"apiVersion: v1\nkind: Pod\n", []string{"metadata: want an object"}},
	} {
		code, out, errs := runMain("check", "-f", written(t, "m.yaml", c.text), "--from", checkCluster)
		if code != exitUsage || out != "" {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
		for _, want := range append(c.says, "--filename", "m.yaml") {
			if !strings.Contains(errs, want) {
				t.Errorf("%s: %q is missing from %q", name, want, errs)
			}
		}
	}
}

// Directories are read with all below them, and only their manifests.
func TestCheckOfADirectory(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	for path, text := range map[string]string{
		"a.yaml": podManifest("", ""), "deep/er/b.yml": podManifest("", ""),
		"deep/c.json": `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"c"}}`, "README.md": "hello",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := runMain("check", "-f", dir, "--from", checkCluster, "-n", "t")
	if code != exitOK ||
		!strings.Contains(out, "3 objects: 0 allowed, 3 changed, 0 refused, 0 unknown; 0 make no pods") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}

// The exit code never depends on the format.
func TestExitCodesOfCheck(t *testing.T) {
	isolate(t)
	good, bad := written(t, "good.yaml", podManifest("", "")), written(t, "bad.yaml",
		podManifest("ovn.kubernetes.io/eip", "203.0.113.7"))
	vips := written(t, "vips.yaml", podManifest("ovn.kubernetes.io/port_vips", "10.16.0.101"))
	config := written(t, "config", unreachableConfig)
	poor := written(t, "poor.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: t}\n---\n"+
		"apiVersion: v1\nkind: Pod\nmetadata: {name: q, namespace: t}\n")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"allowed":     {[]string{"-f", good, "--from", checkCluster}, exitOK, ""},
		"refused":     {[]string{"-f", good, "-f", bad, "--from", checkCluster}, exitFindings, ""},
		"unknown":     {[]string{"-f", vips, "--from", poor, "-n", "t"}, exitIncomplete, "1 object could not be judged"},
		"no file":     {[]string{"--from", checkCluster}, exitUsage, "--filename"},
		"away":        {[]string{"-f", "/nonexistent", "--from", checkCluster}, exitUsage, "/nonexistent"},
		"empty":       {[]string{"-f", t.TempDir(), "--from", checkCluster}, exitUsage, "*.yaml"},
		"server away": {[]string{"-f", good, "--kubeconfig", config}, exitUnreachable, "127.0.0.1:1"},
	} {
		for _, format := range formats {
			code, out, errs := runMain(append([]string{"check", "-o", format}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.says) ||
				(out == "") != (code == exitUsage || code == exitUnreachable) {
				t.Errorf("%s, %s: exit code %d, want %d; says %q\n%s", name, format, code, c.code, errs, out)
			}
		}
	}
}

// Names and values are other people's text.
func TestCheckOfHostileNames(t *testing.T) {
	isolate(t)
	text := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a\u001b[2J\u202eb","annotations":{` +
		`"ovn.kubernetes.io/port_security":"\u001b]0;x\u0007\n"}}}`
	code, out, errs := runMain("check", "-f", written(t, "m.json", text), "--from", checkCluster, "-n", "t")
	if code != exitFindings || strings.ContainsAny(out+errs, "\x1b\x07\u202e") {
		t.Errorf("exit code %d, %q, %q", code, out, errs)
	}
}
