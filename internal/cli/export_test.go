package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recordedObjects returns the objects of the recorded cluster by resource, with things in them that nobody else is to
// see.
func recordedObjects(t *testing.T) map[string][]any {
	t.Helper()
	data, err := os.ReadFile(unpack(t, recordedCluster))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	resources := make(map[string]string)
	for _, of := range served {
		for resource, kind := range of {
			resources[kind] = resource
		}
	}
	out := kubeOVN("tcp:192.0.2.1:6641")
	delete(out, "namespaces")
	for _, o := range list.Items {
		kind, _ := o["kind"].(string)
		if spec, ok := o["spec"].(map[string]any); ok && kind == "Pod" {
			spec["containers"] = []any{map[string]any{
				"name": "c", "env": []any{map[string]any{"name": "PASSWORD", "value": hidden}},
			}}
		}
		if metadata, ok := o["metadata"].(map[string]any); ok {
			metadata["managedFields"] = []any{map[string]any{"manager": hidden}}
			if annotations, ok := metadata["annotations"].(map[string]any); ok {
				annotations["example.com/token"] = hidden
			}
		}
		out[resources[kind]] = append(out[resources[kind]], o)
	}
	return out
}

// hidden stands for what must not leave the cluster.
const hidden = "hunter2"

// An export is for its owner alone, has no secret, and does not write over what is there. A database that does not
// answer is said.
func TestExport(t *testing.T) {
	isolate(t)
	config := server(t, recordedObjects(t))
	dir := filepath.Join(t.TempDir(), "out")
	args := []string{"export", dir, "--kubeconfig", config, "--nb", "unix:/nonexistent/nb.sock", "--timeout", "3s"}
	code, out, errs := runMain(args...)
	if code != exitUnreachable || !strings.Contains(errs, "OVN_Northbound") {
		t.Errorf("exit code %d, %s; want %d", code, errs, exitUnreachable)
	}
	if !strings.Contains(out, "ovnguard audit --from "+dir) {
		t.Errorf("the next command is missing from %q", out)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, entry := range entries {
		names[entry.Name()] = true
		info, err := entry.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", entry.Name(), info.Mode(), err)
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), hidden) || strings.Contains(string(data), "PASSWORD") {
			t.Errorf("%s has what must not leave the cluster", entry.Name())
		}
	}
	for _, want := range []string{
		"namespace.json", "pod.json", "ip.kubeovn.io.json", "deployment.apps.json", "cronjob.batch.json",
		"portsecurityexception.ovnguard.io.json", "virtualmachine.kubevirt.io.json",
	} {
		if !names[want] {
			t.Errorf("%s was not written", want)
		}
	}
	if names[exportedNorthbound] {
		t.Error("a database that does not answer has a file")
	}
	if code, _, errs := runMain(args...); code != exitUsage || !strings.Contains(errs, "--force") {
		t.Errorf("into a directory that is not empty: exit code %d, %s", code, errs)
	}
	if code, _, errs := runMain(append(args, "--force")...); code != exitUnreachable {
		t.Errorf("with --force: exit code %d, %s", code, errs)
	}
	// The files give the answer of the file that kubectl would have written.
	nb := unpack(t, recordedDatabase)
	answer := func(from string) string {
		_, out, errs := runMain("audit", "--from", from, "--nb", nb, "-o", "json")
		var r struct {
			Ports, Findings, Unknown any
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, errs)
		}
		text, _ := json.MarshalIndent(r, "", " ")
		return string(text)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	writeLists(t, whole, recordedObjects(t))
	if exported, want := answer(dir), answer(whole); exported != want {
		t.Errorf(
			"the export gives another answer than all of the objects (-want +got):\n%s",
			cmp.Diff(strings.Split(want, "\n"), strings.Split(exported, "\n")),
		)
	}
}

// writeLists writes the objects as lists of one kind, with all of their fields, and empty ones of the other kinds.
func writeLists(t *testing.T, dir string, objects map[string][]any) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	kinds := map[string][]any{
		"kubevirt.io/v1/VirtualMachine": {}, "kubevirt.io/v1/VirtualMachineInstance": {}, "kubeovn.io/v1/Subnet": {},
		"networking.k8s.io/v1/NetworkPolicy": {},
	}
	for groupVersion, resources := range served {
		for resource, kind := range resources {
			kinds[groupVersion+"/"+kind] = objects[resource]
		}
	}
	for kind, items := range kinds {
		if items == nil {
			items = []any{}
		}
		at := strings.LastIndex(kind, "/")
		text, err := json.Marshal(map[string]any{"apiVersion": kind[:at], "kind": kind[at+1:] + "List", "items": items})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, strings.ReplaceAll(kind, "/", "-")+".json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
