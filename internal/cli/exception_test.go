package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/exception"
)

// The commands about exceptions answer from files, with the exit code that goes with the answer.
func TestExceptionsOnFiles(t *testing.T) {
	isolate(t)
	const file = "testdata/branch.yaml"
	nb := unpack(t, recordedDatabase)
	recorded := unpack(t, recordedCluster)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var whole strings.Builder // with every kind that somebody's addresses could be in
	whole.Write(text)
	for _, kind := range []string{
		"v1 Node", "apps/v1 StatefulSet", "apps/v1 Deployment",
		"kubeovn.io/v1 Subnet", "kubeovn.io/v1 Vip", "kubeovn.io/v1 IP",
	} {
		version, name, _ := strings.Cut(kind, " ")
		fmt.Fprintf(&whole, "---\napiVersion: %s\nkind: %sList\nitems: []\n", version, name)
	}
	judged := written(t, "branch.yaml", whole.String())
	create := func(more ...string) []string {
		return append([]string{
			"create", "hq", "-n", "branch", "--from", judged, "--dry-run", "--reason", "forwards for the office",
			"--owner", "net@example.org", "--expires", "20d",
		}, more...)
	}
	for name, c := range map[string]struct {
		args      []string
		code      int
		out, errs string
	}{
		"list": {
			[]string{"list", "--from", file},
			exitFindings, "1 approved, 1 pending, 1 expired, 1 refused", "",
		},
		"list, other": {[]string{"list", "--from", file, "-n", "shop"}, exitUsage, "", "--namespace"},
		"list, wide": {
			[]string{"list", "--from", file, "-o", "wide"},
			exitFindings, "the port's own MAC with 10.30.0.0/24", "",
		},
		"list, expiring": {[]string{"list", "--from", file, "--expiring", "7d"}, exitOK, "0 exceptions", ""},
		"no span":        {[]string{"list", "--from", file, "--expiring", "soon"}, exitUsage, "", "--expiring"},
		"both":           {[]string{"list", "--from", file, "-n", "a", "-A"}, exitUsage, "", "--namespace"},
		"prune":          {[]string{"prune", "--from", file}, exitFindings, "would be deleted", ""},
		"prune a file":   {[]string{"prune", "--from", file, "--yes"}, exitUsage, "", "--yes"},
		"create": {
			create("--workload", "sts/router", "--class", "router", "--pair", "10.20.0.0/24", "--ticket", "NET-7"),
			exitOK, "prefix: 10.20.0.0/24", "another user approves it",
		},
		"create, by pod": {
			create("--pod", "router-0", "--class", "vrrp", "--pair", "10.16.0.100", "--ticket", "NET-7"),
			exitOK, "kind: StatefulSet", "",
		},
		"create, shared": {
			create("--pod", "router-0", "--class", "vrrp", "--pair", "10.16.0.77@ovn-default", "--ticket", "NET-7"),
			exitOK, "sharedWith: ovn-default", "",
		},
		"no ticket": {
			create("--pod", "router-0", "--class", "router", "--pair", "10.20.0.0/24"),
			exitFindings, "", "refused: policy branches requires a spec.ticket",
		},
		"somebody's address": {
			create("--pod", "router-0", "--class", "vrrp", "--pair", "10.16.0.77", "--ticket", "NET-7"),
			exitFindings, "", "an address of subnet ovn-default",
		},
		"too wide": {
			create("--pod", "router-0", "--class", "router", "--pair", "10.0.0.0/8", "--ticket", "NET-7"),
			exitFindings, "", "is wider than the /24",
		},
		"no such owner": {
			create("--workload", "deployment/x", "--class", "router", "--pair", "10.20.0.0/24", "--ticket", "NET-7"),
			exitFindings, "", `has no Deployment "x"`,
		},
		"owner of a kind that is not in": {
			create("--workload", "vmi/x", "--class", "router", "--pair", "10.20.0.0/24", "--ticket", "NET-7"),
			exitIncomplete, "", "the file has no VirtualMachineInstance.kubevirt.io; export it as well",
		},
		"pod of a kind that is not in": {
			[]string{
				"create", "a", "-n", "t-plain", "--from", recorded, "--dry-run", "--pod", "i03-sts-0", "--level", "mac",
				"--reason", "was needed once", "--owner", "me", "--expires", "1d",
			}, exitIncomplete, "", "the file has no StatefulSet.apps; export it as well",
		},
		"labels of no pod": {
			create("--selector", "app=typo", "--level", "mac", "--ticket", "NET-7"),
			exitOK, "app: typo", "no pod of namespace branch has these labels now: app=typo",
		},
		"labels of a pod, with a database": {
			create("--selector", "app=router", "--level", "mac", "--ticket", "NET-7", "--nb", nb),
			exitOK, "app: router", "the Northbound database is a file",
		},
		"no such database": {
			create("--selector", "app=router", "--level", "mac", "--ticket", "NET-7", "--nb", "/nothere.db"),
			exitUsage, "", "no such file",
		},
		"to be filled in": {
			create("--pod", "router-0", "--level", "mac", "--ticket", "NET-7", "--owner", ownerToFill),
			exitFindings, "", "fill in spec.owner",
		},
		"no such pod":  {create("--pod", "x", "--level", "mac"), exitUsage, "", "--pod"},
		"strange pair": {create("--pod", "router-0", "--pair", "10.20.0.1/24"), exitUsage, "", "--pair"},
		"strange kind": {create("--workload", "car/x", "--level", "mac"), exitUsage, "", "--workload"},
		"no target":    {create("--level", "mac"), exitUsage, "", "--selector"},
		"no grant":     {create("--pod", "router-0"), exitUsage, "", "--pair"},
		"strict":       {create("--pod", "router-0", "--level", "strict"), exitUsage, "", "--level"},
		"not on a file": {
			[]string{"create", "a", "--from", file, "--pod", "p", "--level", "mac"},
			exitUsage, "", "--dry-run",
		},
		"nobody to ask": {
			[]string{"create", "a", "--from", file, "--dry-run", "--pod", "p", "--level", "mac"},
			exitUsage, "", "--reason",
		},
		"what is not in": {
			[]string{
				"create", "a", "-n", "t-drift", "--from", recorded, "--dry-run", "--selector", "a=b", "--pair", "10.20.0.0/24",
				"--reason", "was needed once", "--owner", "me", "--expires", "1d",
			}, exitIncomplete, "", "the file has no",
		},
		"generate": {
			[]string{"generate", "pod/router-0", "-n", "branch", "--from", file, "--nb", nb},
			exitOK, "# pod branch/desk-0 has a route by it (ovn.kubernetes.io/routes), so that answers come from there\n" +
				"    - prefix: 10.20.0.0/24", "",
		},
		"generate, nothing": {
			[]string{"generate", "pod/desk-0", "-n", "branch", "--from", file, "--nb", nb}, exitFindings, "# no exception: ", "",
		},
		"generate, recorded": {
			[]string{"generate", "--port", "d03-d.t-drift", "--from", recorded, "--nb", nb},
			exitOK,
			"- mac: 00:00:00:00:be:ef\n      prefix: 10.16.9.10", "",
		},
		"generate, no rule": {
			[]string{"generate", "--finding", "OVG999", "--from", file, "--nb", nb},
			exitUsage, "", "--finding",
		},
		"generate, no port": {
			[]string{"generate", "--port", "x", "--from", file, "--nb", nb},
			exitUsage, "", "--port",
		},
		"generate, no namespace": {
			[]string{"generate", "pod/x", "--from", file, "--nb", nb},
			exitUsage, "", "--namespace",
		},
	} {
		code, out, errs := runMain(append([]string{"exception"}, c.args...)...)
		if code != c.code || !strings.Contains(out, c.out) || !strings.Contains(errs, c.errs) {
			t.Errorf("%s: code %d, want %d\n%s, want %q\n%s, want %q", name, code, c.code, out, c.out, errs, c.errs)
		}
		if code == exitUsage && out != "" {
			t.Errorf("%s: wrong usage prints %q", name, out)
		}
	}
}

// What is proposed of ports with a finding is one manifest each that admission's schema and the classes take, in the
// same way for every port of the recorded cluster.
func TestProposalsOfTheRecordedCluster(t *testing.T) {
	isolate(t)
	code, out, errs := runMain("exception", "generate", "--finding", "OVG003",
		"--from", unpack(t, recordedCluster),
		"--nb", unpack(t, recordedDatabase))
	if code != exitOK {
		t.Fatalf("code %d: %s", code, errs)
	}
	manifests, err := parseManifests("proposals", []byte(out))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if len(manifests) < 20 {
		t.Errorf("%d proposals of 25 findings", len(manifests))
	}
	for i := range manifests {
		spec, _ := manifests[i].Object["spec"].(map[string]any)
		grant, _ := spec["grant"].(map[string]any)
		if grant["level"] == "open" || spec["class"] == nil && grant["pairs"] == nil {
			t.Errorf("%s/%s: %v", manifests[i].GetNamespace(), manifests[i].GetName(), spec)
		}
	}
}

// A span may be in days, and an end a span, a day or a time.
func TestSpans(t *testing.T) {
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"30d": now.AddDate(0, 0, 30), "90m": now.Add(90 * time.Minute),
		"2027-01-31":           time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-31T08:00:00Z": time.Date(2027, 1, 31, 8, 0, 0, 0, time.UTC),
		"0d":                   {}, "-1h": {}, "d": {}, "99999999d": {}, "soon": {}, "": {},
	} {
		got, err := parseEnd(text, now)
		if want.IsZero() != (err != nil) || err == nil && !got.Equal(want) {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
}

// The answer as JSON has the words that programs go by.
func TestExceptionListJSON(t *testing.T) {
	isolate(t)
	_, out, _ := runMain("exception", "list", "--from", "testdata/branch.yaml", "-o", "json")
	var r exceptionList
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]exception.State)
	for _, e := range r.Exceptions {
		got[e.Name+" "+string(e.Reason)] = e.State
	}
	for _, want := range []string{"lab NotApproved", "office InEffect", "old Expired", "wide PrefixTooWide"} {
		if got[want] == "" {
			t.Errorf("no %s among %v", want, got)
		}
	}
}
