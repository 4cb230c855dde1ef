package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The real controller realised nine policies, with blocks, named ports, dual stack, lax mode and attachments: nothing
// is found to be otherwise.
func TestPoliciesOfTheRecordedClusterAreRealised(t *testing.T) {
	isolate(t)
	whole, nb := unpack(t, recordedWhole), unpack(t, recordedDatabase)
	audit := func() (findings []struct{ Rule, Message string }) {
		_, out, errs := runMain("audit", "--from", whole, "--nb", nb, "-o", "json", "--rule", "OVG039,OVG040")
		var r struct {
			Findings []struct{ Rule, Message string }
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, errs)
		}
		return r.Findings
	}
	for _, f := range audit() {
		if f.Rule != "OVG039" {
			t.Errorf("%s: %s", f.Rule, f.Message)
		}
	}
	// One that asks for another port than OVN has.
	objects, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.ReplaceAll(string(objects), `"port":8080`, `"port":8081`)
	if err := os.WriteFile(whole, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range audit() {
		found = found || f.Rule == "OVG040" && strings.Contains(f.Message, "t-np-a/allow-client-to-web") &&
			strings.Contains(f.Message, "tcp/8081")
	}
	if !found {
		t.Errorf("a policy that asks for another port counts as realised: %+v", audit())
	}
}
