package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
)

// The recorded cluster and its Northbound database, packed.
const (
	recordedCluster  = "../../testdata/recorded/cluster.json.gz"
	recordedWhole    = "../../testdata/recorded/whole.json.gz"
	recordedDatabase = "../../testdata/recorded/nb.db.gz"
)

var update = flag.Bool("update", false, "write the golden files again")

// unpack returns the path of an unpacked file of testdata.
func unpack(t *testing.T, packed string) string {
	t.Helper()
	f, err := os.Open(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(packed), ".gz"))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// isolate hides the user's own cluster and database from the test.
func isolate(t *testing.T) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("OVN_NB_DB", "")
	t.Setenv("OVN_SB_DB", "")
}

// recordedAudit returns the audit of a recorded cluster, from files alone.
func recordedAudit(t *testing.T, nb string) auditReport {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cluster := unpack(t, recordedCluster)
	if code := Main(
		[]string{"audit", "--nb", nb, "--kubernetes", cluster, "-o", "json"},
		&stdout,
		&stderr,
	); code != exitFindings {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	var r auditReport
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// auditReport has the fields of the audit's JSON that the tests read.
type auditReport struct {
	Ports    map[string]int
	Findings []struct{ Rule, Name, Port, Namespace string }
	Unknown  map[string]string
	Notes    []string
}

// The audit of a recorded cluster, from files alone: rows of a real controller, some of them changed by hand.
func TestAuditOfFiles(t *testing.T) {
	isolate(t)
	db := unpack(t, recordedDatabase)
	for _, nb := range []string{db, "file:" + db} {
		r := recordedAudit(t, nb)
		var text strings.Builder
		for _, f := range r.Findings {
			fmt.Fprintln(&text, f.Rule, f.Name, f.Port)
		}
		for _, port := range slices.Sorted(maps.Keys(r.Unknown)) {
			fmt.Fprintln(&text, "unknown", port)
		}
		for _, state := range slices.Sorted(maps.Keys(r.Ports)) {
			fmt.Fprintln(&text, r.Ports[state], "ports", state)
		}
		const golden = "testdata/recorded-audit.txt"
		if *update {
			if err := os.WriteFile(golden, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatalf("%v (go test ./internal/cli -run AuditOfFiles -update)", err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); diff != "" {
			t.Errorf("audit (-want +got; -update writes it again):\n%s", diff)
		}
		notes := strings.Join(r.Notes, "\n")
		for _, note := range []string{
			`the Northbound database is a file, not the running one: \S+/nb.db, standalone, schema 7.11.0; last written 2026-11-22T23:42:52Z, .+`,
			`the cluster is a file, not the running one: \S+/cluster.json with \d+ namespaces and \d+ pods; the file was changed .+`,
		} {
			if !regexp.MustCompile(note).MatchString(notes) {
				t.Errorf("%s is missing from\n%s", note, notes)
			}
		}
	}
}

// Each finding in the namespace of the drift experiments is explained by what was done to the port there; the other
// changes break no rule.
func TestAuditExplainsTheDrift(t *testing.T) {
	isolate(t)
	got := make(map[string][]string)
	for _, f := range recordedAudit(t, unpack(t, recordedDatabase)).Findings {
		if f.Namespace == "t-drift" {
			got[f.Port] = append(got[f.Port], f.Name)
		}
	}
	want := map[string][]string{
		"d01-d.t-drift": {"open"},                                          // the column was emptied
		"d02-d.t-drift": {"wider-than-identity", "narrower-than-identity"}, // it was given a foreign identity
		"d03-d.t-drift": {"wider-than-identity"},                           // a foreign identity was added
		"d04-d.t-drift": {"identity-mismatch", "unexpected-unknown"},       // addresses became "unknown"
		"d05-d.t-drift": {"identity-mismatch", "duplicate-mac"},            // addresses were given another MAC
		"d06-d.t-drift": {"unexpected-unknown"},                            // "unknown" was added
		"d12-d.t-drift": {
			"unusable-entry",
		}, // its type became virtual, for which OVN checks nothing
		"d14-d.t-drift": {"vip-not-granted"},                    // its own port_vips
		"d15-d.t-drift": {"group-membership"},                   // its marks of the group were taken away
		"d18-d.t-drift": {"identity-mismatch", "duplicate-mac"}, // addresses were given the same other MAC
		"d16-d.t-drift": {"unexpected-unknown"},                 // made again for a pod with layer2_forward
		"d17-d.t-drift": {"open"},                               // the column was emptied
		"r01-r.t-drift": {"open"},                               // annotated while the controller was away
		"r03-r.t-drift": {"open"},                               // never annotated
		"r04-r.t-drift": {
			"open",
			"unexpected-unknown",
		}, // layer2_forward taken away while it was away
		"r05-r.t-drift": {"wider-than-identity", "vip-not-granted"}, // the pod's own port_vips
		"r06-r.t-drift": {
			"open",
			"group-membership",
		}, // its group was named while the controller was away
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Half a database file leads to an audit of that half, which says so.
func TestAuditOfADamagedFile(t *testing.T) {
	isolate(t)
	db, cluster := unpack(
		t,
		recordedDatabase,
	), unpack(
		t,
		recordedCluster,
	)
	f, err := os.OpenFile(db, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("OVSDB JSON 100 " + strings.Repeat("0", 2*sha1.Size) + "\n{"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := Main([]string{"audit", "--nb", db, "--kubernetes", cluster}, &stdout, &stderr); code != exitFindings {
		t.Fatalf("exit code %d\n%s", code, stderr.String())
	}
	if !regexp.MustCompile(`note: the database file is damaged; .* record 2 at byte \d+ .*it should have 100 bytes, and 1 are there`).
		MatchString(stdout.String()) {
		t.Errorf("nothing is said of the damage:\n%s", stdout.String())
	}
}

func TestAuditOfFilesWrongUsage(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	db, cluster := unpack(
		t,
		recordedDatabase,
	), unpack(
		t,
		recordedCluster,
	)
	schema := `{"name":"OVN_Southbound","version":"20.0.0","tables":{"Chassis":{"columns":{"name":{"type":"string"}}}}}` + "\n"
	south := fmt.Sprintf("OVSDB JSON %d %x\n%s", len(schema), sha1.Sum([]byte(schema)), schema)
	for name, c := range map[string]struct {
		nb, kubernetes string
		says           []string
	}{
		"no such database": {dir + "/none", cluster, []string{"--nb", dir + "/none"}},
		"no such file:":    {"file:none", cluster, []string{"--nb", "none"}},
		"a directory":      {dir, cluster, []string{"--nb", dir}},
		"not a database": {write("text", "hello"), cluster, []string{"--nb", "text", "not an OVSDB database " +
			"file", "hello"}},
		"southbound": {
			write("sb.db", south), cluster, []string{"--nb", "sb.db", "OVN_Southbound", "OVN_Northbound"},
		},
		"no cluster file": {db, dir + "/none", []string{"--from", dir + "/none"}},
		"empty cluster": {db, write("empty", ""), []string{"--from", "empty", "no Namespace", "kubectl " +
			"get -A"}},
		"files and no cluster": {db, "", []string{"--kubeconfig"}},
		"neither":              {"nb.db", cluster, []string{"--nb", "nb.db", "tcp:HOST:PORT", "file:PATH"}},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := Main(
				[]string{"audit", "--nb", c.nb, "--kubernetes", c.kubernetes},
				&stdout,
				&stderr,
			); code != exitUsage ||
				stdout.Len() > 0 {
				t.Errorf("exit code %d, output %q", code, stdout.String())
			}
			for _, want := range c.says {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q is missing from %q", want, stderr.String())
				}
			}
		})
	}
}

func TestFileNotes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		db   *dbfile.Database
		want []string
	}{
		"standalone": {
			&dbfile.Database{Format: dbfile.Standalone, Version: "7.0.0", Written: now.Add(-90 * time.Second)},
			[]string{"the Northbound database is a file, not the running one: nb.db, standalone, schema 7.0.0; last " +
				"written 2026-11-23T11:58:30Z, 1m30s ago"},
		},
		"old": {
			&dbfile.Database{Format: dbfile.Standalone, Version: "7.0.0", Written: now.Add(-75 * time.Hour)},
			[]string{"the Northbound database is a file, not the running one: nb.db, standalone, schema 7.0.0; last " +
				"written 2026-11-20T09:00:00Z, 3 days ago"},
		},
		"dump": {
			&dbfile.Database{Format: dbfile.Dump},
			[]string{"the Northbound database is a file, not the running one: nb.db, dump; it does not say when it " +
				"was last written"},
		},
		"clustered, from the future": {
			&dbfile.Database{Format: dbfile.Clustered, Version: "7.0.0", Written: now.Add(time.Hour), Cluster: &dbfile.Cluster{
				ServerID: "abcdef", LocalAddress: "ssl:10.0.0.1:6643",
				Servers: map[string]string{"a": "", "b": "", "c": ""}, CommitIndex: 5, LastIndex: 7, Left: true,
			}},
			[]string{
				"the Northbound database is a file, not the running one: nb.db, clustered, schema 7.0.0; last " +
					"written 2026-11-23T13:00:00Z, in the future by this machine's clock",
				"the database file is that of server abcd (ssl:10.0.0.1:6643), one of 3; it may be behind the " +
					"others; the server has left the cluster",
				"the database file has 2 changes that the servers may not have agreed on; the audit ignores them",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, fileNotes("Northbound", "nb.db", c.db, now)); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}
