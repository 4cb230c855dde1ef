package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unreachableConfig is a kubeconfig for a server address where nobody listens.
const unreachableConfig = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c}}]
current-context: c
`

func TestExitCodes(t *testing.T) {
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("OVN_NB_DB", "")
	t.Setenv("OVN_SB_DB", "")
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte(unreachableConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	const nowhere = "unix:/nonexistent/nb.sock"
	cases := map[string]struct {
		args []string
		code int
		says []string // each in standard error
	}{
		"help":             {[]string{"--help"}, exitOK, nil},
		"nothing":          {nil, exitOK, nil},
		"no such command":  {[]string{"audti"}, exitUsage, []string{"audti"}},
		"no such flag":     {[]string{"audit", "--nbb", "x"}, exitUsage, []string{"--nbb"}},
		"too many words":   {[]string{"audit", "now"}, exitUsage, []string{"now"}},
		"audit without nb": {[]string{"audit"}, exitUsage, []string{"--nb", "$OVN_NB_DB", "unix:"}},
		"audit, nb not one": {
			[]string{"audit", "--nb", "http://x"},
			exitUsage,
			[]string{"--nb", "http://x", "tcp:HOST:PORT"},
		},
		"audit, format": {
			[]string{"audit", "--nb", nowhere, "-o", "xml"},
			exitUsage,
			[]string{"--output", "xml", "sarif, junit or openreports"},
		},
		"audit, timeout": {
			[]string{"audit", "--nb", nowhere, "--timeout", "0s"},
			exitUsage,
			[]string{"--timeout"},
		},
		"audit, no cluster": {[]string{"audit", "--nb", nowhere}, exitUsage, []string{"--kubeconfig"}},
		"audit, bad kubeconfig": {
			[]string{"audit", "--nb", nowhere, "--kubeconfig", "/nonexistent"},
			exitUsage,
			[]string{"--kubeconfig", "/nonexistent"},
		},
		"audit, nb away": {
			[]string{"audit", "--nb", nowhere, "--kubeconfig", config, "--timeout", "300ms"},
			exitUnreachable,
			[]string{"--nb", "/nonexistent/nb.sock"},
		},
		"audit, TLS incomplete": {
			[]string{"audit", "--nb", "ssl:127.0.0.1:1", "--kubeconfig", config, "--timeout", "300ms"},
			exitUsage,
			[]string{"--nb-ca", "--nb-cert", "--nb-key"},
		},
		"audit, TLS files away": {
			[]string{
				"audit",
				"--nb",
				"ssl:127.0.0.1:1",
				"--nb-ca",
				config,
				"--nb-cert",
				"/nonexistent/cert",
				"--nb-key",
				config,
			},
			exitUsage,
			[]string{"--nb-cert", "/nonexistent/cert"},
		},
		"audit, sb not one": {
			[]string{"audit", "--nb", nowhere, "--sb", "http://x"},
			exitUsage,
			[]string{"--sb", "http://x", "tcp:HOST:PORT"},
		},
		"audit, sb with TLS": {
			[]string{"audit", "--nb", nowhere, "--sb", "ssl:127.0.0.1:1"},
			exitUsage,
			[]string{"--nb-ca", "--nb-cert", "--nb-key"},
		},
		"audit, version": {
			[]string{"audit", "--nb", nowhere, "--ovn-version", "new"},
			exitUsage,
			[]string{"--ovn-version", "new", "23.03.1"},
		},
		"controller, sb with TLS": {
			[]string{"controller", "--nb", nowhere, "--sb", "ssl:127.0.0.1:1"},
			exitUsage,
			[]string{"--nb-ca", "--nb-cert", "--nb-key"},
		},
		"controller, TLS incomplete": {
			[]string{"controller", "--nb", "ssl:127.0.0.1:1", "--namespace", "X"},
			exitUsage,
			[]string{"--nb-ca", "--namespace"},
		},
		"controller, no cluster": {[]string{"controller"}, exitUsage, []string{"--kubeconfig"}},
		"controller, all wrong": {
			[]string{
				"controller",
				"--nb",
				"x",
				"--namespace",
				"",
				"--webhook-address",
				"9443",
				"--webhook-url",
				"http://x",
			},
			exitUsage,
			[]string{"--nb", "--namespace", "--webhook-address", "--webhook-url"},
		},
		"controller, URL by number": {
			[]string{
				"controller",
				"--nb",
				nowhere,
				"--webhook-url",
				"https://127.0.0.1:9443",
			},
			exitUsage,
			[]string{"--webhook-url", "localhost"},
		},
		"controller, service": {
			[]string{"controller", "--nb", nowhere, "--webhook-service", "x"},
			exitUsage,
			[]string{"--webhook-service", `"x"`, "namespace/name"},
		},
		"controller, log": {
			[]string{"controller", "--nb", nowhere, "--log-format", "xml"},
			exitUsage,
			[]string{"--log-format", "json or text"},
		},
		"controller, owner": {
			[]string{
				"controller",
				"--nb",
				nowhere,
				"--owner-role",
				"a/b",
			},
			exitUsage,
			[]string{"--owner-role", `"a/b"`},
		},
		// The running program waits for a server that is away; uninstall fails at once, and needs no database.
		"uninstall, server away": {
			[]string{"uninstall", "--yes", "--kubeconfig", config}, exitUnreachable, []string{"127.0.0.1:1"},
		},
		"uninstall, not said": {
			[]string{"uninstall", "--kubeconfig", config}, exitUsage, []string{"--dry-run", "--yes"},
		},
		"uninstall, all wrong": {
			[]string{
				"uninstall",
				"--yes",
				"--dry-run",
				"--leave-ports",
				"--narrow-ports",
				"--timeout",
				"0s",
				"--wait",
				"-1s",
			},
			exitUsage,
			[]string{"--dry-run", "--leave-ports", "--timeout", "--wait"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main(c.args, &stdout, &stderr); code != c.code {
				t.Errorf("exit code %d, want %d; said %q", code, c.code, stderr.String())
			}
			for _, s := range c.says {
				if !strings.Contains(stderr.String(), s) {
					t.Errorf("%q does not name %q", stderr.String(), s)
				}
			}
			if c.code != exitOK && stdout.Len() > 0 {
				t.Errorf("a refusal went to standard output: %q", stdout.String())
			}
		})
	}
}
