//go:build integration && bench

package dbfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// portTables are those that an audit of ports looks into.
var portTables = []string{"Logical_Switch", "Logical_Switch_Port", "NB_Global"}

const perSwitch = 250

// spread gives a UUID whose first digits are spread as those of random ones: servers hash by them.
func spread(n int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n)*2654435761, n)
}

// switchID gives the UUID of a switch.
func switchID(n int) string { return spread(1e9 + n) }

// manyPorts gives a Northbound database as Kube-OVN fills it, port by port: switches of 250 ports, a MAC and two addresses
// a port, and the external_ids that Kube-OVN writes.
func manyPorts(schema string, ports int) string {
	var out strings.Builder
	out.WriteString(rec("JSON", schema))
	for i := range ports {
		name, namespace, sw := fmt.Sprintf("pod-%d", i), fmt.Sprintf("namespace-%d", i/50), i/perSwitch
		mac := fmt.Sprintf("0a:00:%02x:%02x:%02x:%02x", i>>24&255, i>>16&255, i>>8&255, i&255)
		ips := fmt.Sprintf("10.%d.%d.%d fd00::%x", i>>16&255, i>>8&255, i&255, i)
		logicalSwitch := fmt.Sprintf(`"ports":["uuid","%s"]`, spread(i))
		if i%perSwitch == 0 {
			logicalSwitch += fmt.Sprintf(`,"name":"subnet-%d"`, sw)
		}
		out.WriteString(rec("JSON", fmt.Sprintf(
			`{"_date":%d,"_is_diff":true,"Logical_Switch":{"%s":{%s}},"Logical_Switch_Port":{"%s":{"name":"%s.%s","addresses":"%s %s","port_security":"%s %s",`+
				`"external_ids":["map",[["ip","%s"],["ls","subnet-%d"],["pod","%s/%s"],["vendor","kube-ovn"]]]}}}`,
			1700000000000+i, switchID(sw), logicalSwitch, spread(i), name, namespace, mac, ips, mac, ips, strings.ReplaceAll(ips, " ", "/"), sw, namespace, name)))
	}
	return out.String()
}

// Reading all of a file of 100,000 ports takes no longer than ovsdb-tool takes to answer with one row of it.
func TestFileOfManyPorts(t *testing.T) {
	const ports = 100_000
	schema, err := os.ReadFile("/usr/share/ovn/ovn-nb.ovsschema")
	if err != nil {
		t.Fatalf("%v (is OVN installed? `make deps`)", err)
	}
	dir := shortDir(t)
	log, compacted, clustered := filepath.Join(dir, "log"), filepath.Join(dir, "compacted"), filepath.Join(dir, "clustered")
	if err := os.WriteFile(log, []byte(manyPorts(string(schema), ports)), 0o600); err != nil {
		t.Fatal(err)
	}
	tool(t, "ovsdb-tool", "compact", log, compacted)
	tool(t, "ovsdb-tool", "create-cluster", clustered, compacted, "tcp:127.0.0.1:6643")
	begin := time.Now()
	out := tool(t, "ovsdb-tool", "query", log, `["OVN_Northbound",{"op":"select","table":"Logical_Switch_Port","where":[["name","==","pod-77.namespace-1"]]}]`)
	theirs := time.Since(begin)
	if !strings.Contains(out, "pod-77.namespace-1") {
		t.Fatalf("ovsdb-tool does not find the row: %.300s", out)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "WHAT\tMEASURED\tOVSDB-TOOL, ONE ROW OF THE LOG\tRATIO\tBAR\tRESULT")
	// The tool takes longer for the compacted file than for the log, and does not query the clustered one at all.
	for _, file := range []string{log, compacted, clustered} {
		ours, result := readMany(t, file, ports), "met"
		if ours > theirs {
			result = "missed"
			t.Errorf("%s: %v is longer than the %v of ovsdb-tool", filepath.Base(file), ours, theirs)
		}
		_, _ = fmt.Fprintf(w, "read all of a %s file of %d ports\t%v\t%v\t%.2f\t<= 1.00\t%s\n", filepath.Base(file), ports,
			ours.Round(time.Millisecond), theirs.Round(time.Millisecond), ours.Seconds()/theirs.Seconds(), result)
	}
	_ = w.Flush()
	t.Log("\n" + table.String())
}

// readMany gives how long it takes to read all of a file that manyPorts wrote, at best.
func readMany(t *testing.T, file string, ports int) (all time.Duration) {
	t.Helper()
	all, chosen := time.Hour, time.Hour
	var size int
	for range 3 {
		begin := time.Now()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		size = len(data)
		d, err := Read(data)
		if err != nil {
			t.Fatal(err)
		}
		all = min(all, time.Since(begin))
		switches := d.Rows("Logical_Switch")
		if d.Loss != nil || len(d.Rows("Logical_Switch_Port")) != ports || len(switches) != ports/perSwitch || len(switches[switchID(0)].Strings("ports")) != perSwitch {
			t.Fatalf("%s: loss %v, %d ports, %d switches", file, d.Loss, len(d.Rows("Logical_Switch_Port")), len(switches))
		}
		begin = time.Now()
		if _, err := Read(data, portTables...); err != nil {
			t.Fatal(err)
		}
		chosen = min(chosen, time.Since(begin))
	}
	t.Logf("%s, %d MB: all of it in %v, the ports' tables from memory in %v", filepath.Base(file), size>>20, all.Round(time.Millisecond), chosen.Round(time.Millisecond))
	return all
}
