//go:build integration

package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// The audit of an export gives the answer of the audit of the running cluster and databases that it was made of.
func TestAuditOfAnExport(t *testing.T) {
	isolate(t)
	sockets, err := os.MkdirTemp("", "exp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	south := filepath.Join(sockets, "sb.db")
	if err := (kubeovndb.Database{Ports: 50}).WriteSouthbound(south, ovsdbserver.SouthboundSchema); err != nil {
		t.Fatal(err)
	}
	config := server(t, recordedObjects(t))
	live := []string{"--kubeconfig", config}
	for flag, file := range map[string]string{"--nb": unpack(t, recordedDatabase), "--sb": south} {
		s := ovsdbserver.New(sockets, flag[2:], file)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Kill)
		live = append(live, flag, s.Endpoint())
	}
	dir := filepath.Join(t.TempDir(), "out")
	if code, out, errs := runMain(append([]string{"export", dir}, live...)...); code != exitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	type answer struct {
		Ports    map[string]int
		Findings []any
		Unknown  map[string]string
	}
	audit := func(args ...string) (a answer) {
		_, out, errs := runMain(append([]string{"audit", "-o", "json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &a); err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		return a
	}
	want := audit(live...)
	got := audit("--from", dir, "--nb", filepath.Join(dir, "nb.json"), "--sb", filepath.Join(dir, "sb.json"))
	if len(want.Findings) < 20 {
		t.Fatalf("the running cluster has only %d findings", len(want.Findings))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-live +files):\n%.4000s", diff)
	}
}
