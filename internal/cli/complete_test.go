package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Completion offers the names that the API server has, in each place that takes one.
func TestNamesAreCompleted(t *testing.T) {
	isolate(t)
	named := func(names ...string) (out []any) {
		for _, n := range names {
			out = append(out, map[string]any{"metadata": map[string]any{"namespace": "shop", "name": n}})
		}
		return out
	}
	config := server(t, map[string][]any{
		"namespaces": named("shop", "bank", "shipping"), "pods": named("web-0", "web-1", "db-0"),
		"portsecurityexceptions": named("till", "toll", "vpn"), "deployments": named("web"), "ips": named("web-0.shop"),
		"jobs": named("backup"),
	})
	for words, want := range map[string][]string{
		"exception approve -n shop t":      {"till", "toll"},
		"exception approve shop/":          {"shop/till", "shop/toll", "shop/vpn"},
		"exception approve shop/v":         {"shop/vpn"},
		"exception approve sh":             {"shop/", "shipping/"},
		"exception approve -n shop till x": nil,
		"exception renew shop/ti":          {"shop/till"},
		"status -n s":                      {"shop", "shipping"},
		"audit --namespace b":              {"bank"},
		"explain -n shop pod/w":            {"pod/web-0", "pod/web-1"},
		"explain shop/d":                   {"shop/db-0"},
		"explain -n shop deployment/":      {"deployment/web"},
		"explain -n shop job/":             {"job/backup"},
		"explain port/":                    {"port/web-0.shop"},
		"explain ip/":                      nil,
		"explain de":                       {"deployment/"},
		"exception create --pod w":         {"web-0", "web-1"},
		"audit --rule ovga10":              {"OVGA10"},
		"plan --namespace x":               nil,
	} {
		args := append([]string{"__complete"}, strings.Split(words, " ")...)
		at := len(args) - 1 // the word that is not complete comes last
		args = slices.Insert(args, at, "--kubeconfig", config)
		if strings.HasPrefix(args[at-1], "-") { // it is the value of a flag
			args = slices.Concat(args[:at-1], args[at:at+2], []string{args[at-1], args[at+2]})
		}
		code, out, errs := runMain(args...)
		var got []string
		for line := range strings.Lines(out) {
			if name, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(name, ":") {
				got = append(got, name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || code != exitOK {
			t.Errorf("%s: exit code %d, -want +got\n%s%s", words, code, diff, errs)
		}
	}
	// A cluster that does not answer offers nothing, and no error.
	code, out, _ := runMain(
		"__complete",
		"exception",
		"approve",
		"--kubeconfig",
		written(t, "c", unreachableConfig),
		"shop/",
	)
	if code != exitOK || strings.Contains(out, "shop/") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
