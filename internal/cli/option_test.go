package cli

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
)

// setOption adds a transaction to a database file that sets an option of NB_Global, as ovsdb-server writes it.
func setOption(t *testing.T, path, key, value string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, err := dbfile.Read(string(data), "NB_Global")
	if err != nil {
		t.Fatal(err)
	}
	var record string
	for uuid := range d.Rows("NB_Global") {
		record = fmt.Sprintf(
			`{"NB_Global":{%q:{"options":["map",[[%q,%q],["northd_internal_version","25.03.1-20.41.0-78.8"]]]}},"_date":1700000000000}`+"\n",
			uuid,
			key,
			value,
		)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "OVSDB JSON %d %x\n%s", len(record), sha1.Sum([]byte(record)), record); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// In a database file with an option that switches port security off, no port is compliant, and explain says so for
// each.
func TestThreatT45OptionInADatabaseFile(t *testing.T) {
	isolate(t)
	cluster := unpack(t, recordedCluster)
	for value, off := range map[string]bool{"22.03": true, "21.06": true, "_22.03": false, "24.03": false} {
		nb := unpack(t, recordedDatabase)
		setOption(t, nb, "version_compatibility", value)
		var audit, stderr bytes.Buffer
		if code := Main([]string{"audit", "--nb", nb, "--kubernetes", cluster}, &audit, &stderr); code != exitFindings {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		if got := strings.Contains(audit.String(), "OVG030 checked-nowhere"); got != off {
			t.Errorf("%q: found is %t, want %t", value, got, off)
		}
		// a port that is disabled
		for _, want := range []string{"critical", "options:version_compatibility=_" + value, " 1 compliant"} {
			if off && !strings.Contains(audit.String(), want) {
				t.Errorf("%q: %q is missing from\n%s", value, want, &audit)
			}
		}
		if !off && strings.Contains(audit.String(), " 1 compliant") {
			t.Errorf("%q: only the disabled port is compliant", value)
		}
		for _, output := range []string{"table", "json"} {
			var explained bytes.Buffer
			args := []string{
				"explain",
				"edge/router-0",
				"--kubernetes",
				"testdata/explain-cluster.yaml",
				"--nb",
				nb,
				"-o",
				output,
			}
			if code := Main(args, &explained, &stderr); code != exitOK {
				t.Fatalf("exit code %d: %s", code, &stderr)
			}
			if got := strings.Contains(explained.String(), "version_compatibility"); got != off {
				t.Errorf("%q: explain says %t, want %t\n%s", value, got, off, &explained)
			}
		}
	}
}
