package ovn

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// A write on the wire: the guard names every column that it depends on, and absent values are empty sets.
func TestWriteOperations(t *testing.T) {
	seven := 7
	p := &Port{
		UUID: "3f2c1a7e-0000-4000-8000-000000000001", Name: "web.ns", PortSecurity: []string{"a b", "c"},
		ExternalIDs: map[string]string{"pod": "ns/web"}, Tag: &seven,
	}
	w := Write{
		Port:         p,
		PortSecurity: &[]string{"a b"},
		Guard:        []string{"external_ids", "parent_name", "tag", "enabled"},
	}
	got, err := json.MarshalIndent(w.operations(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `[
 {
  "op": "wait",
  "table": "Logical_Switch_Port",
  "rows": [
   {
    "enabled": ["set", []],
    "external_ids": ["map", [["pod", "ns/web"]]],
    "name": "web.ns",
    "parent_name": ["set", []],
    "port_security": ["set", ["a b", "c"]],
    "tag": 7,
    "type": ""
   }
  ],
  "columns": ["name", "type", "port_security", "external_ids", "enabled", "parent_name", "tag"],
  "timeout": 0,
  "where": [["_uuid", "==", ["uuid", "3f2c1a7e-0000-4000-8000-000000000001"]]],
  "until": "=="
 },
 {
  "op": "update",
  "table": "Logical_Switch_Port",
  "row": {"port_security": "a b"},
  "where": [["_uuid", "==", ["uuid", "3f2c1a7e-0000-4000-8000-000000000001"]]]
 }
]`
	var a, b any
	if err := errors.Join(json.Unmarshal(got, &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWritesThatMakeNoSense(t *testing.T) {
	p := &Port{UUID: "u", Name: "p"}
	empty := &[]string{}
	for want, writes := range map[string][]Write{
		"Port is not set": {{PortSecurity: empty}},
		"neither":         {{Port: p}},
		"twice":           {{Port: p, PortSecurity: empty}, {Port: p, Addresses: empty}},
		`"nonsense"`:      {{Port: p, PortSecurity: empty, Guard: []string{"nonsense"}}},
	} {
		if err := checkWrites(writes); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %s", err, want)
		}
	}
}

// If a transaction fails, the write that caused it gets the error, and the others are tried again.
func TestSpoiledTransaction(t *testing.T) {
	operations := make([]ovsdb.Operation, 6)
	for name, c := range map[string]struct {
		at     int
		error  string
		want   Result
		others []int
	}{
		"the guard does not hold":   {2, "timed out", Conflict, []int{10, 12}},
		"the update is refused":     {3, "constraint violation", Failed, []int{10, 12}},
		"the guard cannot be asked": {4, "domain error", Failed, []int{10, 11}},
		"an update cannot time out": {1, "timed out", Failed, []int{11, 12}},
	} {
		results := make([]ovsdb.OperationResult, 6)
		results[c.at] = ovsdb.OperationResult{Error: c.error, Details: "because"}
		errs, _ := ovsdb.CheckOperationResults(results, operations)
		outcomes := make([]Outcome, 13)
		again := spoiled([]int{10, 11, 12}, results, errs[0], outcomes)
		if diff := cmp.Diff(c.others, again); diff != "" {
			t.Errorf("%s: tried again (-want +got)\n%s", name, diff)
		}
		if got := outcomes[10+c.at/2]; got.Result != c.want || got.Err == nil {
			t.Errorf("%s: outcome %+v, want %s", name, got, c.want)
		}
	}
}
