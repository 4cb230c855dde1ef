package bundle

import (
	"encoding/json"
	"strings"
	"testing"
)

// Texts that look like secrets are removed, and what stands around them stays.
func TestSecrets(t *testing.T) {
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW0ifQ.c2lnbmF0dXJl"
	for text, want := range map[string]string{
		"token " + jwt + " used":                         "token [removed] used",
		"Authorization: Bearer abcdef123456":             "Authorization: Bearer [removed]",
		`"authorization":"Basic YWRtaW46aHVudGVyMg=="`:   `"authorization":"Basic [removed]"`,
		"basic functionality":                            "basic functionality",
		"--password=hunter2 --x":                         "--password=[removed] --x",
		`{"password": "hunter2"}`:                        `{"password": "[removed]"}`,
		`{"password": "123456"}`:                         `{"password": "[removed]"}`,
		`"{\"token\":\"hunter2\"}"`:                      `"{\"token\":\"[removed]\"}"`,
		`{"password": "hunter2, and 3; \"x"}`:            `{"password": "[removed]"}`,
		`"{\"token\":\"hunter2 [3], x\"}"`:               `"{\"token\":\"[removed]\"}"`,
		"password='hunter2 and 3' --x":                   "password='[removed]' --x",
		"tls.key: LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLQ==":  "tls.key: [removed]",
		`"caBundle": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t"`: `"caBundle": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t"`,
		`"automountServiceAccountToken": true`:           `"automountServiceAccountToken": true`,
		`"tokens": 12`:                                   `"tokens": 12`,
		"https://ann:hunter2@example.org/x":              "https://[removed]@example.org/x",
		"join with abcdef.0123456789abcdef now":          "join with [removed] now",
		"AKIAIOSFODNN7EXAMPLE":                           "[removed]",
		"the one that is known":                          "the one that is [removed]",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter": "[removed]\nafter",
		"-----BEGIN PRIVATE KEY-----\nMIIE and no end":                                "[removed]",
		"-----BEGIN CERTIFICATE-----\nMIIC":                                           "-----BEGIN CERTIFICATE-----\nMIIC",
	} {
		r := Redactor{Known: []string{"known", ""}}
		got := r.Text(text)
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		if again := r.Text(got); again != got {
			t.Errorf("%q: a second time it becomes %q", got, again)
		}
	}
}

// An address has one placeholder however it is written; what is none stays.
func TestAddresses(t *testing.T) {
	r := Redactor{}
	for _, c := range []struct{ text, want string }{
		{"10.16.0.5 and 10.16.0.6", "ipv4-1 and ipv4-2"},
		{"tcp:10.16.0.5:6641,ssl:[fd00::1]:6641", "tcp:ipv4-1:6641,ssl:[ipv6-1]:6641"},
		{"10.16.0.0/16 and fd00:0:0:0:0:0:0:1/64", "ipv4-3/16 and ipv6-1/64"},
		{"FD00::1", "ipv6-1"},
		{"0A:00:00:00:00:01 10.16.0.5 fd00::1", "mac-1 ipv4-1 ipv6-1"},
		{"0a-00-00-00-00-01.", "mac-1."},
		{"node ip-10-16-0-5.example.org", "node ip-ipv4-1.example.org"},
		{"::ffff:10.16.0.5", "::ffff:ipv4-1"},
		{"at fe80::1:", "at ipv6-2:"},
		{"::2", "ipv6-3"},
		{`"ip":"10.16.0.5"`, `"ip":"ipv4-1"`},
		{"2026-11-30T14:41:37Z v1.15.10 12:33:13", "2026-11-30T14:41:37Z v1.15.10 12:33:13"},
		{"127.0.0.1 0.0.0.0 :: ::1 ff:ff:ff:ff:ff:ff", "127.0.0.1 0.0.0.0 :: ::1 ff:ff:ff:ff:ff:ff"},
		{"std::string 300.1.1.1 C::x", "std::string 300.1.1.1 C::x"},
	} {
		if got := r.Text(c.text); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
	keep := Redactor{Addresses: true}
	if got := keep.Text("10.16.0.5 password=x1"); got != "10.16.0.5 password=[removed]" {
		t.Errorf("with addresses: %q", got)
	}
}

// What is JSON stays JSON, and an object loses what Object says.
func TestObject(t *testing.T) {
	var o map[string]any
	const text = `{"metadata": {"name": "x", "managedFields": [{"manager": "kubectl"}], "annotations": {
		"kubectl.kubernetes.io/last-applied-configuration": "{\"env\":\"hunter1\"}",
		"vault.example.org/x": "hunter2", "ovn.kubernetes.io/ip_address": "10.16.0.5", "ovnguard.io/decision": "d"}},
		"spec": {"template": {"spec": {"containers": [{"name": "c", "command": ["/x", "--token", "hunter3", "--v", "5"],
		"args": ["--password=hunter4", "plain"], "env": [{"name": "A", "value": "hunter5"},
		{"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}], "initContainers": [
		{"env": [{"name": "C", "value": "hunter6"}]}]}}}}`
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	a := Archive{Redact: &Redactor{}}
	a.AddJSON("x.json", "", "", Object(o))
	got := a.files[0].data
	if strings.Contains(got, "hunter") || strings.Contains(got, "managedFields") || strings.Contains(got, "10.16.0.5") {
		t.Errorf("something is left: %s", got)
	}
	for _, kept := range []string{`"A"`, `"secretKeyRef"`, `"--v"`, `"plain"`, `"ovnguard.io/decision": "d"`, "ipv4-1"} {
		if !strings.Contains(got, kept) {
			t.Errorf("lacks %s: %s", kept, got)
		}
	}
	if !json.Valid([]byte(got)) {
		t.Errorf("it is no JSON: %s", got)
	}
}

// FuzzText holds that no secret and no address is left in JSON, and that it stays JSON.
func FuzzText(f *testing.F) {
	f.Add("a", "b")
	f.Add(`"x\`, "password=")
	f.Add("fd00::1", "10.0.0.")
	f.Fuzz(func(t *testing.T, before, after string) {
		data, err := json.Marshal(
			map[string]string{"x": before + " password=hunter2 10.16.0.5 0a:00:00:00:00:01 " + after},
		)
		if err != nil {
			t.Skip()
		}
		r := Redactor{}
		got := r.Text(string(data))
		for _, planted := range []string{"password=hunter2", " 10.16.0.5 ", " 0a:00:00:00:00:01 "} {
			if strings.Contains(got, planted) {
				t.Errorf("%q is left in %q", planted, got)
			}
		}
	})
}
