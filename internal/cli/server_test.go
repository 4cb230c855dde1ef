package cli

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/report"
)

// controllerAPI serves what a controller answers about namespace shop, which has one open port. Who asks about
// namespace bank is refused.
func controllerAPI(t *testing.T) (at, ca string) {
	t.Helper()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	open := monitor.Verdict{
		Port: "web-0.shop", Pod: inventory.PodKey{Namespace: "shop", Name: "web-0"}, Provider: "ovn",
		Result: audit.Result{State: audit.Violation, Class: audit.ClassPod, Open: true, Findings: []audit.Finding{{
			Rule: audit.Rules()[0], Port: "web-0.shop", Namespace: "shop", Pod: "web-0", Provider: "ovn",
			Message: "port_security is empty",
		}}},
	}
	status := api.NewStatus()
	status.Time, status.Version, status.Notes = &now, "v9", []string{"left out: others"}
	status.Health.Northbound = api.Database{Reached: true}
	status.Sum(&overview.Picture{Verdicts: []monitor.Verdict{open}}, true, func(string) string { return "rm -rf /" })
	mux := http.NewServeMux()
	answer := func(path string, write func(http.ResponseWriter)) {
		mux.HandleFunc(api.Prefix+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				t.Errorf("Authorization: %q", r.Header.Get("Authorization"))
			}
			if r.URL.Query().Get("namespace") == "bank" {
				w.WriteHeader(http.StatusForbidden)
				_ = json.NewEncoder(w).Encode(map[string]string{"error": "may not \x1b[2J"})
				return
			}
			write(w)
		})
	}
	answer("status", func(w http.ResponseWriter) { _ = json.NewEncoder(w).Encode(status) })
	answer("findings", func(w http.ResponseWriter) {
		_ = report.JSON(w, report.Summarise([]report.Judged{{Verdict: open}}, report.Options{Time: now, Version: "v9"}))
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	ca = filepath.Join(t.TempDir(), "ca.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL, ca
}

// tokenConfig returns a kubeconfig with a token, or without, for an API server that does not answer.
func tokenConfig(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: "https://127.0.0.1:1"}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: token}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "c",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The controller's answer is shown as what a command reads for itself, with a note; nothing else is asked then.
func TestServed(t *testing.T) {
	isolate(t)
	at, ca := controllerAPI(t)
	config := tokenConfig(t, "secret")
	for _, c := range []struct {
		name, config   string
		args           []string
		code           int
		stdout, stderr string
	}{
		{
			name: "status", args: []string{"status"}, code: exitFindings,
			stdout: "note: read from the controller's API, version v9, state of 2030-01-02T03:04:05Z",
		},
		{name: "status, left out", args: []string{"status", "-n", "shop"}, code: exitFindings, stdout: "left out: others"},
		{
			name: "status, the command is this program's", args: []string{"status"}, code: exitFindings,
			stdout: "ovnguard audit --kubeconfig=" + config,
		},
		{name: "status, JSON", args: []string{"status", "-o", "json"}, code: exitFindings, stdout: `"version": "v9"`},
		{name: "audit", args: []string{"audit"}, code: exitFindings, stdout: "port_security is empty"},
		{name: "audit, note", args: []string{"audit"}, code: exitFindings, stdout: "read from the controller's API"},
		{name: "audit, fail-on", args: []string{"audit", "--fail-on", "never"}, code: exitOK, stdout: "OVG001"},
		{name: "audit, SARIF", args: []string{"audit", "-o", "sarif"}, code: exitFindings, stdout: `"ruleId": "OVG001"`},
		{
			name: "refused", args: []string{"audit", "-n", "bank"}, code: exitUnreachable,
			stderr: "may not ?[2J (HTTP 403); --direct",
		},
		{
			name: "two sources", args: []string{"audit", "--nb", "tcp:127.0.0.1:1"}, code: exitUsage,
			stderr: "--server-ca and --nb",
		},
		{name: "two ways", args: []string{"status", "--direct"}, code: exitUsage, stderr: "--direct: give one of them"},
		{
			name: "every port is needed", args: []string{"audit", "-o", "openreports"}, code: exitUsage,
			stderr: "-o openreports",
		},
		{
			name: "no token", config: tokenConfig(t, ""), args: []string{"status"}, code: exitUnreachable,
			stderr: "takes tokens alone",
		},
		{
			name: "another name", args: []string{"status", "--server-name", "other.example"}, code: exitUnreachable,
			stderr: "other.example",
		},
		{
			name: "no https", args: []string{"status", "--server", "http://127.0.0.1:1"}, code: exitUnreachable,
			stderr: "https://HOST",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			kubeconfig := config
			if c.config != "" {
				kubeconfig = c.config
			}
			args := append(
				[]string{c.args[0], "--kubeconfig", kubeconfig, "--server", at, "--server-ca", ca},
				c.args[1:]...)
			code, stdout, stderr := runMain(args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf("code %d, want %d\n%s\nwant %q\n%s\nwant %q", code, c.code, stdout, c.stdout, stderr, c.stderr)
			}
			if strings.Contains(stdout+stderr, "\x1b") || strings.Contains(stdout, "rm -rf") ||
				strings.Contains(stdout+stderr, "secret") {
				t.Errorf("%q", stdout+stderr)
			}
		})
	}
}

// Where a controller that the environment names gives no answer, the command reads for itself; where that fails too,
// both reasons are told.
func TestServedElsewhere(t *testing.T) {
	isolate(t)
	t.Setenv(envServer, "https://127.0.0.1:1")
	_, ca := controllerAPI(t)
	cluster := unpack(t, recordedCluster)
	database := unpack(t, recordedDatabase)
	code, stdout, stderr := runMain("status", "--from", cluster, "--nb", database)
	if code != exitFindings || strings.Contains(stdout, "controller's API") {
		t.Errorf("files: code %d\n%s%s", code, stdout, stderr)
	}
	code, stdout, stderr = runMain(
		"status",
		"--kubeconfig",
		tokenConfig(t, "secret"),
		"--server-ca",
		ca,
		"--timeout",
		"5s",
	)
	if code != exitUnreachable || stdout != "" || !strings.Contains(stderr, "API server") ||
		!strings.Contains(stderr, "nor does the controller's API answer: https://127.0.0.1:1") {
		t.Errorf("nothing answers: code %d\n%s%s", code, stdout, stderr)
	}
	// Without one that is named or found, the hint says how to name one.
	t.Setenv(envServer, "")
	code, _, stderr = runMain("audit", "--kubeconfig", tokenConfig(t, "secret"), "--timeout", "5s")
	if code != exitUnreachable || !strings.Contains(stderr, "--server, see docs/api.md") {
		t.Errorf("none is named: code %d\n%s", code, stderr)
	}

	// A cluster whose registration cannot be read, and that can be read otherwise, is read.
	code, stdout, _ = runMain("status", "--kubeconfig", server(t, kubeOVN("tcp:127.0.0.1:1")), "--timeout", "2s")
	if code != exitUnreachable || strings.Contains(stdout, "controller's API") {
		t.Errorf("no registration: code %d\n%s", code, stdout)
	}
}
