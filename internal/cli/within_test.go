package cli

import (
	"slices"
	"strings"
	"testing"
)

// An answer about a namespace that the cluster does not have, or about labels that no pod has, would have no findings:
// every command refuses it, so that a typo does not look like a clean cluster.
func TestNothingIsCleanForATypo(t *testing.T) {
	isolate(t)
	files := recorded(t)
	for _, command := range []string{
		"audit", "status", "repair --dry-run", "upgrade-check --to-ovn 25.03.3", "plan -f testdata/strict.yaml",
		"plan --level strict", "exception list", "exception prune",
	} {
		words := append(strings.Fields(command), files...)
		if strings.HasPrefix(command, "exception") {
			words = append(strings.Fields(command), files[:2]...)
		}
		code, out, errs := runMain(append(slices.Clone(words), "-n", "nope")...)
		if code != exitUsage || out != "" || !strings.Contains(errs, `--namespace: "nope": the cluster has no such`) {
			t.Errorf("%s -n nope: exit code %d, %q\n%s", command, code, out, errs)
		}
		if code, _, errs := runMain(append(words, "-n", "t-dual")...); code == exitUsage {
			t.Errorf("%s -n t-dual: exit code %d: %s", command, code, errs)
		}
	}
	for _, command := range []string{"audit", "status"} {
		for want, args := range map[string][]string{
			"no pod has these labels":                     {"-l", "app=nope"},
			"no pod of namespace t-dual has these labels": {"-l", "app=nope", "-n", "t-dual"},
		} {
			code, out, errs := runMain(slices.Concat([]string{command}, args, files)...)
			if code != exitUsage || out != "" || !strings.Contains(errs, `--selector: "app=nope": `+want) {
				t.Errorf("%s %q: exit code %d, %q\n%s", command, args, code, out, errs)
			}
		}
	}
}
