//go:build integration

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// The exit code shows the result; standard error has the fault, with the flag that fixes it.
func TestExitCodes(t *testing.T) {
	run(t, tenantNamespace, nil)
	awaitNoFindings(t)
	closed := closedPort(t)
	nowhere := filepath.Join(t.TempDir(), "kubeconfig")
	err := clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"c": {Server: "https://" + closed}},
		Contexts:       map[string]*api.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string
	}{
		"clean":           {args: []string{"audit"}, code: 0, stdout: "0 findings"},
		"clean, JSON":     {args: []string{"audit", "-o", "json"}, code: 0, stdout: `"findings": []`},
		"another format":  {args: []string{"audit", "-o", "xml"}, code: 2, stderr: "--output"},
		"unknown flag":    {args: []string{"audit", "--frobnicate"}, code: 2, stderr: "--frobnicate"},
		"unknown command": {args: []string{"adit"}, code: 2, stderr: "adit"},
		"argument":        {args: []string{"audit", "everything"}, code: 2, stderr: "everything"},
		"no endpoint":     {args: []string{"audit", "--nb", "somewhere"}, code: 2, stderr: "--nb"},
		"no time":         {args: []string{"audit", "--timeout", "0s"}, code: 2, stderr: "--timeout"},
		"no such kubeconfig": {
			args: []string{"audit", "--kubeconfig", nowhere + ".not"}, code: 2, stderr: "--kubeconfig",
		},
		"kubeconfig of garbage": {args: []string{"audit", "--kubeconfig", garbage}, code: 2, stderr: "--kubeconfig"},
		"no such context":       {args: []string{"audit", "--context", "moon"}, code: 2, stderr: "moon"},
		"database socket missing": {
			args: []string{"audit", "--timeout", "1s", "--nb", "unix:" + nowhere + ".sock"}, code: 3,
			stderr: nowhere + ".sock",
		},
		"database refuses": {
			args: []string{"audit", "--timeout", "1s", "--nb", "tcp:" + closed}, code: 3, stderr: closed,
		},
		"API server refuses": {
			args: []string{"audit", "--timeout", "2s", "--kubeconfig", nowhere}, code: 3, stderr: closed,
		},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := ovnguard(t, c.args...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) {
				t.Errorf(
					"code %d, want %d\nstandard output, want %q:\n%s\nstandard error, want %q:\n%s",
					code,
					c.code,
					c.stdout,
					stdout,
					c.stderr,
					stderr,
				)
			}
			if (code == 0) != (stderr == "") {
				t.Errorf("code %d with %q on standard error", code, stderr)
			}
		})
	}
}

// A tenant, who may not read the cluster, gets an error; nothing that was not read is called clean.
func TestAuditWithoutRights(t *testing.T) {
	stdout, stderr, code := ovnguard(t, "audit", "--kubeconfig", world.Lab.Info().Kubeconfigs["tenant"])
	if code != 3 || stdout != "" || !strings.Contains(stderr, "forbidden") {
		t.Errorf("code %d, want 3\n%s%s", code, stdout, stderr)
	}
}

// closedPort returns an address of the loopback interface where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}
