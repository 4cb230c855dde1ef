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

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/plan"
	"github.com/ovnguard/ovnguard/internal/repair"
)

// planOf returns what plan says, as JSON has it.
func planOf(t *testing.T, args ...string) (r planReport, code int) {
	t.Helper()
	code, out, errs := runMain(append([]string{"plan", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, errs)
	}
	return r, code
}

// policyText returns a policy for one of the namespaces, or for all where there is none.
func policyText(namespace, spec string) string {
	text := "apiVersion: ovnguard.io/v1alpha1\nkind: PortSecurityPolicy\nmetadata: {name: guard}\nspec:\n"
	if namespace != "" {
		text += "  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + namespace + "}}\n"
	}
	return text + "  " + strings.ReplaceAll(spec, ", ", "\n  ") + "\n"
}

// clusterWith returns the path of a copy of a file with a cluster, as JSON, that has more objects.
func clusterWith(t *testing.T, path, manifests string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list map[string]any
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	more, err := parseManifests("more", []byte(manifests))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range more {
		list["items"] = append(list["items"].([]any), m.Object)
	}
	whole, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return written(t, "cluster.json", string(whole))
}

// On the recorded cluster of the real controller, each port is said to become what a cluster is judged by in which the
// policy is there from the beginning.
func TestPlanOnTheRecordedCluster(t *testing.T) {
	isolate(t)
	files := recorded(t)
	cluster, nb := files[1], files[3]
	for name, c := range map[string]struct {
		namespace, spec string
		now             bool // repair has something to write
	}{
		"strict everywhere":         {"", "level: strict, repair: repair", true},
		"strict in one namespace":   {"t-nad", "level: strict, repair: repair", true},
		"mac":                       {"", "level: mac, repair: repair", true},
		"forwarding":                {"t-plain", "level: strict, repair: repair, layer2Forward: Allow", true},
		"open":                      {"", "level: open, repair: repair", true},
		"repair says what it would": {"", "level: strict, repair: log", false},
		"warn":                      {"", "level: strict, mode: warn, repair: repair", false},
	} {
		t.Run(name, func(t *testing.T) {
			text := policyText(c.namespace, c.spec)
			r, _ := planOf(t, "-f", written(t, "policy.yaml", text), "--from", cluster, "--nb", nb)
			o := reading{
				connection: connection{northbound: nb}, kubernetes: clusterWith(t, cluster, text),
				setup: kubeovn.DefaultSetup(), accounts: admission.DefaultAccounts(),
			}
			now := time.Now()
			seen, err := o.look(t.Context(), now, nil)
			if err != nil {
				t.Fatal(err)
			}
			foretold := make(map[string]*plan.Port)
			for i := range r.Workloads {
				for j := range r.Workloads[i].Ports {
					foretold[r.Workloads[i].Ports[j].Name] = &r.Workloads[i].Ports[j]
				}
			}
			changes := 0
			for _, name := range seen.inv.Names() {
				port := seen.inv.Port(name, now)
				if port.Pod == nil || port.Row == nil {
					continue
				}
				p := foretold[name]
				writes := p != nil && p.When == plan.Now
				judged := seen.results[name]
				if port.Decision.Repairs() && judged.Wide && audit.Unproved(&port) == "" &&
					!port.Pod.Terminating != writes {
					t.Errorf("%s is wider than was decided, and it is foretold: %+v", name, p)
				}
				if !writes {
					continue
				}
				changes++
				expected, err := audit.ExpectedOf(port)
				switch {
				case err != nil || !port.Decision.Repairs():
					t.Errorf("%s is said to be written, and repair cannot: %v", name, err)
				case expected.PortSecurity != nil && (judged.Wide || judged.Narrow) &&
					!slices.Equal(p.After.PortSecurity, expected.PortSecurity):
					t.Errorf("%s: foretold is %q, expected %q", name, p.After.PortSecurity, expected.PortSecurity)
				case expected.Addresses != nil && !slices.Equal(p.After.Addresses, expected.Addresses):
					t.Errorf("%s: foretold is %q, expected %q", name, p.After.Addresses, expected.Addresses)
				}
				row := *port.Row
				row.PortSecurity, row.Addresses = p.After.PortSecurity, p.After.Addresses
				port.Row = &row
				if a := repair.Plan(port, nil, repair.History{}, now); a.Kind == repair.Write {
					t.Errorf("%s: with the columns foretold, repair still writes %+v", name, a)
				}
			}
			if (changes > 0) != c.now || changes != r.Summary.Now {
				t.Errorf("%d ports are written, and the summary says %d", changes, r.Summary.Now)
			}
		})
	}
}

// What a policy comes to refuse is said with the check, the field and the fix, and so is what it lets in.
func TestPlanOfRefusals(t *testing.T) {
	isolate(t)
	const dir = "testdata/reported/pod-with-eip/"
	nb := unpack(t, dir+"nb.db.gz")
	r, code := planOf(t, "-f", dir+"policy.yaml", "--from", dir+"k8s.yaml", "--nb", nb)
	if r.Summary.Admitted < 2 || r.Summary.Refused != 0 || code != exitOK {
		t.Errorf("exit code %d: %+v", code, r.Summary)
	}
	var text strings.Builder
	for _, file := range []string{"k8s.yaml", "policy.yaml"} {
		data, err := os.ReadFile(dir + file)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(data))
	}
	policy, err := os.ReadFile(dir + "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	forbids := written(
		t,
		"forbids.yaml",
		strings.ReplaceAll(string(policy), "externalAddresses: Allow", "externalAddresses: Forbid"),
	)
	cluster := written(t, "cluster.yaml", text.String())
	r, code = planOf(t, "-f", forbids, "--from", cluster, "--nb", nb)
	if code != exitFindings || r.Summary.Refused < 2 || r.Summary.Admitted != 0 {
		t.Fatalf("exit code %d: %+v", code, r.Summary)
	}
	i := slices.IndexFunc(r.Workloads, func(w plan.Workload) bool { return w.Kind == "Deployment" && w.Name == "shop" })
	if i < 0 || len(r.Workloads[i].Refused) != 1 {
		t.Fatalf("workloads are %+v", r.Workloads)
	}
	refusal := r.Workloads[i].Refused[0]
	if refusal.Check != "OVGA18" || refusal.Fix == "" || refusal.Mode != "enforce" ||
		refusal.Field != `spec.template.metadata.annotations["ovn.kubernetes.io/snat"]` {
		t.Errorf("the refusal is %+v", refusal)
	}
}

// The exit code depends on what is found and on --fail-on, never on the format, and what is wrong leaves standard
// output empty.
func TestExitCodesOfPlan(t *testing.T) {
	isolate(t)
	files := recorded(t)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(unreachableConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	strict := written(t, "strict.yaml", policyText("", "level: strict, repair: repair"))
	opens := written(t, "opens.yaml", policyText("t-np-b", "level: open, repair: repair"))
	nothing := written(t, "nothing.yaml", policyText("no-such", "level: strict"))
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"loss":           {append([]string{"-f", strict}, files...), exitFindings, ""},
		"loss, never":    {append([]string{"-f", strict, "--fail-on", "never"}, files...), exitIncomplete, "4 ports"},
		"nothing":        {append([]string{"-f", nothing, "--fail-on", "change"}, files...), exitOK, ""},
		"gain":           {append([]string{"-f", opens}, files...), exitOK, ""},
		"gain counts":    {append([]string{"-f", opens, "--fail-on", "change"}, files...), exitFindings, ""},
		"a namespace":    {append([]string{"--namespace", "t-np-b", "--level", "mac"}, files...), exitOK, ""},
		"no change":      {files, exitUsage, "--level"},
		"no namespace":   {append([]string{"--level", "strict"}, files...), exitUsage, "--namespace"},
		"no such level":  {append([]string{"-n", "t-nad", "--level", "hard"}, files...), exitUsage, "--level"},
		"no such one":    {append([]string{"-n", "no-such", "--level", "mac"}, files...), exitUsage, "no-such"},
		"no such file":   {append([]string{"-f", "none.yaml"}, files...), exitUsage, "none.yaml"},
		"no such kind":   {append([]string{"-f", strict, "--fail-on", "x"}, files...), exitUsage, "--fail-on"},
		"no exception":   {append([]string{"--without-exception", "a/b"}, files...), exitUsage, "has no Port"},
		"no name":        {append([]string{"--approved", "a"}, files...), exitUsage, "NAMESPACE/NAME"},
		"no database":    {append([]string{"-f", strict}, files[:2]...), exitUsage, "--nb"},
		"both":           {append([]string{"-f", strict, "-A", "-n", "x"}, files...), exitUsage, "--all-namespaces"},
		"server is away": {[]string{"-f", strict, "--kubeconfig", config, "--nb", files[3]}, exitUnreachable, "127.0"},
	} {
		for _, format := range formats {
			code, out, errs := runMain(append([]string{"plan", "-o", format}, c.args...)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("%s, %s: exit code %d, want %d with %q: %s", name, format, code, c.code, c.says, errs)
			}
			if (code == exitUsage || code == exitUnreachable) != (out == "") {
				t.Errorf("%s, %s: exit code %d with %d bytes of output", name, format, code, len(out))
			}
		}
	}
}

// An exception counts as approved, or is gone, where that is asked, and its loss is foretold.
func TestPlanOfExceptions(t *testing.T) {
	isolate(t)
	files := recorded(t)
	policy := policyText(
		"t-nad",
		"level: strict, repair: repair, exceptions: {namespaces: [t-nad],requireApproval: true}",
	)
	exception := func(approved string) string {
		return fmt.Sprintf(`apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: branch, namespace: t-nad}
spec:
  target: {podSelector: {}}
  class: router
  grant: {pairs: [{prefix: 172.20.0.0/24}]}
  reason: forwards for the branch
  owner: net@example.org
  requestedBy: ann
  requestedAt: %q
  expiresAt: %q%s
`, time.Now().UTC().Format(time.RFC3339), time.Now().Add(time.Hour).UTC().Format(time.RFC3339), approved)
	}
	with := func(approved string) []string {
		return []string{"--from", clusterWith(t, files[1], policy+"---\n"+exception(approved)), "--nb", files[3]}
	}
	r, _ := planOf(t, append([]string{"--approved", "t-nad/branch"}, with("")...)...)
	if len(r.Exceptions) != 1 || r.Exceptions[0].Before != 0 || r.Exceptions[0].After == 0 || r.Summary.Gain == 0 ||
		r.Summary.Lose != 0 {
		t.Errorf("approved: %+v, %+v", r.Exceptions, r.Summary)
	}
	gained := r.Summary.Gain
	r, code := planOf(t, append([]string{"--without-exception", "t-nad/branch"}, with("\n  approvedBy: bob")...)...)
	if code != exitFindings || len(r.Exceptions) != 1 || r.Exceptions[0].After != 0 || r.Summary.Lose != gained {
		t.Errorf("taken away: exit code %d, %+v, %+v, want %d that lose", code, r.Exceptions, r.Summary, gained)
	}
	if !slices.ContainsFunc(r.Next, func(n nextStep) bool {
		return n.Command == "kubectl delete portsecurityexception -n t-nad branch"
	}) {
		t.Errorf("next are %+v", r.Next)
	}
}

// A policy that picks no namespace, an exception for no port and a level that is decided already are named, and what
// would have no effect is not offered. The commands that are offered read what this one did, and propose something.
func TestPlanOfWhatHasNoEffect(t *testing.T) {
	isolate(t)
	files := recorded(t)
	typo := written(t, "typo.yaml", policyText("t-daul", "level: strict, repair: repair"))
	r, _ := planOf(t, append([]string{"-f", typo}, files...)...)
	if len(r.Next) > 0 || !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.Contains(n, "policy guard picks no namespace of this cluster")
	}) {
		t.Errorf("of a policy for no namespace: next %v, notes %q", r.Next, r.Notes)
	}
	none := written(t, "none.yaml", `apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityException
metadata: {name: none, namespace: t-dual}
spec:
  target: {podSelector: {matchLabels: {app: nobody}}}
  grant: {pairs: [{prefix: 10.30.0.0/24}]}
  reason: test
  owner: test
  expiresAt: "2099-01-01T00:00:00Z"
`)
	r, _ = planOf(t, append([]string{"-f", none}, files...)...)
	if len(r.Next) > 0 || !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.Contains(n, "exception t-dual/none would count for no port: its target is no port")
	}) {
		t.Errorf("of an exception for no port: next %v, notes %q", r.Next, r.Notes)
	}
	r, _ = planOf(t, append([]string{"-n", "t-dual", "--level", "strict"}, files...)...)
	if !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.Contains(
			n,
			"strict is decided here already; 7 ports are not so and stay so, because repair only",
		)
	}) {
		t.Errorf("of a level that is decided already: %q", r.Notes)
	}
	r, _ = planOf(t, append([]string{"-f", "testdata/strict.yaml"}, files...)...)
	for i, port := range []string{"d10-subnetvip.t-dual", "e06-aap-dual.t-dual"} {
		want := "ovnguard exception generate --port=" + port + " --from=" + files[1] + " --nb=" + files[3]
		if len(r.Next) != 3 || r.Next[i].Command != want {
			t.Fatalf("next is %v, want %s", r.Next, want)
		}
		if code, out, errs := runMain(strings.Fields(want)[1:]...); code != exitOK {
			t.Errorf("%s: exit code %d: %s%s", want, code, out, errs)
		}
	}
	code, out, _ := runMain(append([]string{"exception", "generate", "--port=i05vm.t-dual"}, files...)...)
	for _, want := range []string{
		`the only sign is "unknown" in addresses`, "--class router --pair", "--forward --pair",
	} {
		if code != exitFindings || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, out)
		}
	}
}
