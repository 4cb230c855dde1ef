package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// recorded returns the flags that name a recorded cluster.
func recorded(t *testing.T) []string {
	return []string{
		"--from", unpack(t, recordedCluster),
		"--nb", unpack(t, recordedDatabase),
	}
}

// The status counts each port of the audit once, has the worst namespace first, and names what the audit finds.
func TestStatusOfFiles(t *testing.T) {
	isolate(t)
	files := recorded(t)
	code, out, errs := runMain(append([]string{"status", "-A", "-o", "json"}, files...)...)
	if code != exitFindings {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	var r statusReport
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	audited := recordedAudit(t, files[3])
	judged := audited.Ports["compliant"] + audited.Ports["violation"] + audited.Ports["unknown"]
	if r.Ports.Total() != judged || r.Ports.Open == 0 || r.Ports.Protected == 0 {
		t.Errorf("ports are %+v, the audit judged %d", r.Ports, judged)
	}
	sum, urgent := overview.Counts{}, 0
	for i, n := range r.Namespaces {
		sum.Open, sum.Widened, sum.Protected = sum.Open+n.Open, sum.Widened+n.Widened, sum.Protected+n.Protected
		urgent += n.Urgent
		if i > 0 && n.Open > r.Namespaces[i-1].Open {
			t.Errorf("namespace %s has more to do than %s, and comes behind it", n.Name, r.Namespaces[i-1].Name)
		}
	}
	if sum.Open != r.Ports.Open || sum.Widened != r.Ports.Widened || sum.Protected != r.Ports.Protected {
		t.Errorf("namespaces have %+v, all together %+v", sum, r.Ports)
	}
	count := make(map[string]int)
	for _, f := range audited.Findings {
		count[f.Rule]++
	}
	for _, a := range r.Action {
		if a.Findings > count[a.Rule] || a.Findings == 0 ||
			!strings.HasSuffix(a.Command, " --severity=high --rule="+a.Rule) {
			t.Errorf("%+v, and the audit has %d", a, count[a.Rule])
		}
	}
	if r.Action[0].Severity != "critical" {
		t.Errorf("first is %+v", r.Action[0])
	}
	if h := r.Health.Northbound; !h.Reached || h.Read != "file" || h.From != "--nb" || h.Written == nil || h.OVN == "" {
		t.Errorf("northbound is %+v", h)
	}
	if r.Health.Layout != nil || r.Health.APIServer != nil || r.Health.Webhooks != nil {
		t.Errorf("files tell nothing of %+v", r.Health)
	}
}

// One namespace is counted alone, and the value of --nb is said to be where it came from.
func TestStatusOfANamespace(t *testing.T) {
	isolate(t)
	files := recorded(t)
	t.Setenv("OVN_NB_DB", files[3])
	code, out, errs := runMain(append([]string{"status", "-n", "t-drift", "-o", "json"}, files[:2]...)...)
	var r statusReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitFindings {
		t.Fatalf("exit code %d, %v: %s", code, err, errs)
	}
	if len(r.Namespaces) != 1 || r.Namespaces[0].Name != "t-drift" || r.Namespaces[0].Counts != *r.Ports {
		t.Errorf("namespaces are %+v, ports %+v", r.Namespaces, r.Ports)
	}
	if r.Health.Northbound.From != "$OVN_NB_DB" {
		t.Errorf("--nb is from %q", r.Health.Northbound.From)
	}
}

// The exit code never depends on the format, and what is wrong leaves standard output empty.
func TestExitCodesOfStatusAndDoctor(t *testing.T) {
	isolate(t)
	files := recorded(t)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(unreachableConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	const nowhere = "unix:/nonexistent/nb.sock"
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"status":          {append([]string{"status"}, files...), exitFindings, ""},
		"status, no nb":   {append([]string{"status"}, files[:2]...), exitUsage, "--nb"},
		"status, no file": {[]string{"status", "--from", "none", "--nb", files[3]}, exitUsage, "none"},
		"status, server":  {[]string{"status", "--kubeconfig", config}, exitUnreachable, "127.0.0.1:1"},
		"status, both":    {append([]string{"status", "-A", "-n", "x"}, files...), exitUsage, "--all-namespaces"},
		"status, nb away": {
			[]string{"status", "--from", files[1], "--nb", nowhere, "--timeout", "300ms"}, exitUnreachable, nowhere,
		},
		"doctor":         {append([]string{"doctor"}, files...), exitOK, ""},
		"doctor, no nb":  {append([]string{"doctor"}, files[:2]...), exitIncomplete, "northbound"},
		"doctor, server": {[]string{"doctor", "--kubeconfig", config}, exitUnreachable, "127.0.0.1:1"},
		"doctor, nb away": {
			[]string{"doctor", "--from", files[1], "--nb", nowhere, "--timeout", "300ms"}, exitUnreachable, "northbound",
		},
		"doctor, wrong nb":  {[]string{"doctor", "--from", files[1], "--nb", "http://x"}, exitUsage, "--nb"},
		"doctor, no config": {[]string{"doctor"}, exitUsage, "--kubeconfig"},
	} {
		for _, format := range formats {
			code, out, errs := runMain(append(slices.Clone(c.args), "-o", format)...)
			if code != c.code || !strings.Contains(errs, c.says) || code == exitUsage && out != "" {
				t.Errorf("%s, %s: exit code %d, want %d; says %q\n%s", name, format, code, c.code, errs, out)
			}
		}
		if code, out, _ := runMain(append(slices.Clone(c.args), "-o", "xml")...); code != exitUsage || out != "" {
			t.Errorf("%s, xml: exit code %d\n%s", name, code, out)
		}
	}
}

// Names are other people's text: no table prints what a terminal acts on.
func TestTablesAreSafe(t *testing.T) {
	const evil = "a\x1b[2J\u202eb\tc\nd"
	l := layout.Layout{Namespace: layout.Value[string]{Is: evil, From: evil}, Ignored: []string{evil}}
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var text strings.Builder
	r := statusReport{api.Status{
		Ports: &overview.Counts{}, Namespaces: []overview.Namespace{{Name: evil}}, Notes: []string{evil},
		Action: []overview.Action{{Rule: "OVG001", Command: evil}},
		Health: api.Health{
			Northbound: healthOf("tcp:10.0.0.1:6641", evil, database{version: evil}, nil), Layout: &l,
			APIServer: &api.KubernetesServer{Address: evil, Version: evil}, Webhooks: &api.Webhooks{Error: evil},
			Nodes: []overview.Node{{Name: evil, Eras: []string{"E3"}}},
		},
	}}
	d := diagnosis{Layout: &l}
	d.add(evil, warn, evil, "%s", evil)
	for _, f := range answer.Formats() {
		if err := errors.Join(f.Write(&text, r.answer(now)), f.Write(&text, d.answer())); err != nil {
			t.Fatal(err)
		}
	}
	if got := text.String(); strings.ContainsAny(got, "\x1b\u202e\t") || strings.Contains(got, "\nd\n") {
		t.Errorf("%q", got)
	}
}

// What is wrong with the health stands out.
func TestHealth(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	away := healthOf("tcp:10.0.0.1:6641", "--nb", database{}, errors.New("refused"))
	plaintext := healthOf("tcp:10.0.0.1:6641", "variable OVN_DB_IPS of x", database{version: "24.03.8"}, nil)
	eras := []overview.Node{{Name: "a", Eras: []string{"E3"}}, {Name: "b", Eras: []string{"E2"}}}
	policies := overview.Policies{
		Total: 3, Modes: map[string]int{"warn": 2, "enforce": 1}, Exceptions: 1, Namespaces: 4, Enforcing: 3,
	}
	const registered = "2 of 3 registered, failurePolicy Fail 1, Ignore 1, "
	for _, c := range []struct{ want, got string }{
		{"NOT REACHED at tcp:10.0.0.1:6641 (--nb): refused", databaseText(&away, now)},
		{
			"reached at tcp:10.0.0.1:6641 (variable OVN_DB_IPS of x), OVN 24.03.8, WITHOUT TLS", databaseText(&plaintext, now),
		},
		{
			"NOT REGISTERED: pods are not changed or refused; run ovnguard controller", webhooksText(&api.Webhooks{}),
		},
		{"E2: b; E3: a", erasText(eras)},
		{"1 enforce, 2 warn; 1 exception; 3 of 4 namespaces enforce", policiesText(policies)},
		{registered + "Service a/b has ready endpoints", seenWebhooks(registration.Standing{At: "a/b"})},
		{registered + "NO ANSWER: nobody", seenWebhooks(registration.Standing{Silent: "nobody"})},
		{
			registered + "at u; the API server does not tell whether it answers",
			seenWebhooks(registration.Standing{At: "u", URL: true}),
		},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func seenWebhooks(s registration.Standing) string {
	s.Wanted, s.Registered, s.Policies = 3, 2, map[string]int{"Fail": 1, "Ignore": 1}
	return webhooksText(&api.Webhooks{Standing: s})
}

// The exit code of checks: what cannot be reached comes first.
func TestVerdictOfDoctor(t *testing.T) {
	for _, c := range []struct {
		made []checkup
		want int
	}{
		{nil, exitOK},
		{[]checkup{{Result: pass}, {Result: warn}}, exitOK},
		{[]checkup{{Result: unmade}, {Result: warn}}, exitIncomplete},
		{[]checkup{{Result: unmade}, {Result: fail}}, exitFindings},
		{[]checkup{{Result: fail}, {Result: fail, away: true}}, exitUnreachable},
	} {
		code := exitOK
		if exit, ok := errors.AsType[*exitError]((&diagnosis{Checks: c.made}).verdict()); ok {
			code = exit.code
		}
		if code != c.want {
			t.Errorf("%s: exit code %d, want %d", fmt.Sprint(c.made), code, c.want)
		}
	}
}
