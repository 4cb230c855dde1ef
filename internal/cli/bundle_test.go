package cli

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// opened returns the files of an archive.
func opened(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "ovnguard-bundle/")] = string(data)
	}
}

// planted are secrets and addresses that stand in the cluster of supportCase.
var (
	plantedSecrets = []string{
		"hunter-env", "hunter-init", "hunter-flag", "hunter-note", "hunter-log", "hunter-applied", "hunter-kubeconfig",
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
	}
	plantedAddresses = []string{"198.51.100.23", "198.51.100.24", "2001:db8::77", "0a:16:00:00:00:77"}
)

// supportCase returns the kubeconfig of a cluster with secrets and addresses in all places.
func supportCase(t *testing.T) string {
	t.Helper()
	objects := kubeOVN("tcp:198.51.100.23:6641")
	pod := func(name string) map[string]any {
		return map[string]any{
			"metadata": map[string]any{
				"namespace": "ovnguard-system", "name": name,
				"annotations": map[string]any{
					"kubectl.kubernetes.io/last-applied-configuration": `{"x":"hunter-applied"}`,
					"vault.example.org/token":                          "hunter-note",
					"ovn.kubernetes.io/mac_address":                    "0a:16:00:00:00:77",
				},
			},
			"spec": map[string]any{
				"containers": []any{map[string]any{
					"name": "controller", "args": []any{"controller", "--password", "hunter-flag"},
					"env": []any{map[string]any{"name": "X", "value": "hunter-env"}},
				}},
				"initContainers": []any{map[string]any{
					"name": "init", "env": []any{map[string]any{"name": "X", "value": "hunter-init"}},
				}},
			},
			"status": map[string]any{
				"podIP": "198.51.100.24", "podIPs": []any{map[string]any{"ip": "2001:db8::77"}},
				"containerStatuses": []any{map[string]any{"name": "controller", "restartCount": 1}},
			},
		}
	}
	objects["pods"] = []any{pod("ovnguard-1")}
	objects["portsecuritypolicies"] = []any{map[string]any{
		"metadata": map[string]any{"name": "base"}, "spec": map[string]any{"level": "strict"},
	}}
	config := server(t, objects)
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), `server: "`)
	host, _, _ := strings.Cut(rest, `"`)
	base, err := url.Parse(host)
	if err != nil {
		t.Fatal(err)
	}
	next := httputil.NewSingleHostReverseProxy(base)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const at = "/api/v1/namespaces/ovnguard-system/pods/"
		switch r.URL.Path {
		case at + "ovnguard-1/log":
			_, _ = fmt.Fprintf(w, "dial 198.51.100.24: token=hunter-log %s from 2001:DB8:0::77 previous=%s\n",
				plantedSecrets[len(plantedSecrets)-1], r.URL.Query().Get("previous"))
		case at + "http:ovnguard-1:8080/proxy/metrics":
			_, _ = fmt.Fprintln(w, `ovnguard_up{at="198.51.100.23:6641"} 1`)
		default:
			next.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return written(t, "config", `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "`+front.URL+`"}}]
users: [{name: u, user: {token: hunter-kubeconfig}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`)
}

// A bundle has what helps, and neither a secret nor an address: these have the same placeholder in all files.
func TestBundle(t *testing.T) {
	isolate(t)
	config, path := supportCase(t), filepath.Join(t.TempDir(), "case.tgz")
	nb := unpack(t, recordedDatabase)
	code, out, errs := runMain("bundle", path, "--kubeconfig", config, "--nb", nb)
	if code != exitIncomplete || !strings.Contains(out, path) {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	files := opened(t, path)
	for _, name := range []string{
		"README.txt", "index.json", "version.json", "doctor.json", "status.json", "audit.json", "journal.json",
		"northbound-rows.json", "resources/pod.json", "resources/portsecuritypolicy.json", "resources/deployment.json",
		"logs/ovnguard-1/controller.log", "logs/ovnguard-1/controller.previous.log", "metrics/ovnguard-1.txt",
	} {
		if files[name] == "" {
			t.Errorf("lacks %s; has %v", name, slices.Sorted(func(yield func(string) bool) {
				for n := range files {
					if !yield(n) {
						return
					}
				}
			}))
		}
	}
	for name, text := range files {
		for _, secret := range slices.Concat(plantedSecrets, plantedAddresses) {
			if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s has %s:\n%s", name, secret, text)
			}
		}
		if strings.HasSuffix(name, ".json") && !json.Valid([]byte(text)) {
			t.Errorf("%s is no JSON", name)
		}
	}
	// The pod's address in its status is that in its log.
	_, rest, _ := strings.Cut(files["resources/pod.json"], `"podIP": "`)
	placeholder, _, _ := strings.Cut(rest, `"`)
	if !strings.HasPrefix(placeholder, "ipv4-") ||
		!strings.Contains(files["logs/ovnguard-1/controller.log"], "dial "+placeholder+":") {
		t.Errorf("placeholder %q: %s", placeholder, files["logs/ovnguard-1/controller.log"])
	}
	var x struct {
		LeftOut []struct{ What, Why string }
		Files   []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(files["index.json"]), &x); err != nil || len(x.Files) != len(files)-2 {
		t.Errorf("index of %d files for %d: %v", len(x.Files), len(files)-2, err)
	}
	i := slices.IndexFunc(
		x.LeftOut,
		func(l struct{ What, Why string }) bool { return l.What == "resources/lease.json" },
	)
	if i < 0 || x.LeftOut[i].Why == "" || !strings.Contains(files["README.txt"], "resources/lease.json") {
		t.Errorf("nothing says why leases are left out: %+v", x.LeftOut)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the archive: %v, %v", info, err)
	}
	// On request addresses are kept, and secrets are not.
	if code, _, errs := runMain(
		"bundle",
		path,
		"--addresses",
		"--kubeconfig",
		config,
		"--nb",
		nb,
	); code != exitIncomplete {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	files = opened(t, path)
	if !strings.Contains(files["logs/ovnguard-1/controller.log"], "198.51.100.24") {
		t.Errorf("--addresses: %s", files["logs/ovnguard-1/controller.log"])
	}
	for name, text := range files {
		for _, secret := range plantedSecrets {
			if strings.Contains(text, secret) {
				t.Errorf("--addresses: %s has %s", name, secret)
			}
		}
	}
}

// A bundle of files has the answers alone, and says so.
func TestBundleOfFiles(t *testing.T) {
	isolate(t)
	path := filepath.Join(t.TempDir(), "case.tgz")
	code, _, errs := runMain(append([]string{"bundle", path}, recorded(t)...)...)
	files := opened(t, path)
	if code != exitIncomplete || !strings.Contains(files["README.txt"], "the cluster is a file") {
		t.Errorf("exit code %d: %s\n%s", code, errs, files["README.txt"])
	}
	var rows map[string]struct{ PortSecurity []string }
	if err := json.Unmarshal([]byte(files["northbound-rows.json"]), &rows); err != nil ||
		rows["d02-vip-ps.t-plain"].PortSecurity == nil {
		t.Errorf("rows: %v, %v", len(rows), err)
	}
	for name, text := range files {
		if strings.Contains(text, "10.16.0.") {
			t.Errorf("%s has addresses", name)
		}
	}
	for args, says := range map[string]string{"bundle": "arg", "bundle /nonexistent/x.tgz": "/nonexistent"} {
		if code, _, errs := runMain(strings.Fields(args)...); code != exitUsage || !strings.Contains(errs, says) {
			t.Errorf("%s: exit code %d: %s", args, code, errs)
		}
	}
}
