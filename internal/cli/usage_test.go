package cli

import (
	"strings"
	"testing"
)

// Wrong usage is answered with what was meant.
func TestUsageSaysWhatWasMeant(t *testing.T) {
	isolate(t)
	for words, want := range map[string]string{
		"audit --severty high":                  "--severty: did you mean --severity?",
		"audit --from x --nb nothere.db":        "no such file: nothere.db; or want unix:/PATH",
		"check web.yaml --from " + checkCluster: "use -f web.yaml",
		"export":                                "want DIR, the directory to write to",
	} {
		code, out, errs := runMain(strings.Fields(words)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %q, %q; want %q", words, code, out, errs, want)
		}
	}
	_, byID, _ := runMain("rules", "OVG001")
	if code, byName, errs := runMain("rules", "open"); code != exitOK || byName != byID || byID == "" {
		t.Errorf("rules by name: exit code %d, %q, %s", code, byName, errs)
	}
}
