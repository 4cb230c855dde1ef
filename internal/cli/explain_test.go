package cli

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/explain"
)

// explain prints every step, also the refused ones and why; as a table without trailing surprises, and as JSON.
func TestExplain(t *testing.T) {
	var stdout, stderr strings.Builder
	args := []string{"explain", "edge/router-0", "--kubernetes", "testdata/explain-cluster.yaml"}
	if code := Main(args, &stdout, &stderr); code != exitOK {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	for _, part := range []string{
		"pod edge/router-0, NIC ovn:", "  level               extended, by the exception",
		"  policy              gateways, mode enforce, repair repair",
		"  not applied         the pod has ovn.kubernetes.io/port_security=false, from before this was decided",
		"  granted             10.20.0.0/24 from its own MAC", "  until               2999-12-31T00:00:00Z",
		"refused  the policy asks for strict, and a pod may only tighten", "refused  it ended at 2019-12-31T00:00:00Z",
		`ovn.kubernetes.io/routes=[{"dst":"192.0.2.0/24","gw":"10.16.0.9"}]  copied   policy gateways hands it down`,
	} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("lacks %q:\n%s", part, &stdout)
		}
	}
	stdout.Reset()
	if code := Main(append(args, "-o", "json"), &stdout, &stderr); code != exitOK {
		t.Fatalf("code %d: %s", code, &stderr)
	}
	var ports []struct {
		Port, Level, NotApplied string
		Exceptions              []string
		Steps                   []struct{ Source, Outcome string }
	}
	if err := json.Unmarshal([]byte(stdout.String()), &ports); err != nil {
		t.Fatal(err)
	}
	if len(ports) != 1 || ports[0].Port != "router-0.edge" || ports[0].Level != "extended" ||
		len(ports[0].Steps) != 6 || !strings.Contains(ports[0].NotApplied, "ovnguard audit") ||
		ports[0].Exceptions[0] != "branches" {
		t.Errorf("%+v", ports)
	}
}

func TestExplainUsage(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no namespace":  {[]string{"router-0"}, exitUsage, "NAMESPACE/POD"},
		"no such pod":   {[]string{"edge/other"}, exitFindings, "has no port"},
		"another form":  {[]string{"edge/router-0", "-o", "xml"}, exitUsage, "--output"},
		"no such file":  {[]string{"edge/router-0", "--kubernetes", "testdata/none.yaml"}, exitUsage, "none.yaml"},
		"nothing asked": {nil, exitUsage, "argument"},
	} {
		var stdout, stderr strings.Builder
		args := append([]string{"explain", "--kubernetes", "testdata/explain-cluster.yaml"}, c.args...)
		if code := Main(args, &stdout, &stderr); code != c.code || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%s: code %d, %q, want %d and %q", name, code, &stderr, c.code, c.says)
		}
	}
}

// explain says of a port what OVN lets it send, what that means for frames, and what the audit finds.
func TestExplainPort(t *testing.T) {
	isolate(t)
	files := recorded(t)
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"open": {[]string{"pod/f10-vpc", "-n", "t-vpc"}, exitFindings, []string{
			"identity 0a:e9:a3:9a:ae:04 10.70.0.2, from the IP resource", "subnet vpc1-net",
			"may send Open: sends with any MAC", "10.70.0.3, another address allow",
			"high OVG001 open", "to do: kubectl annotate pod -n t-vpc f10-vpc",
		}},
		"wider": {[]string{"port/d02-vip-ps.t-plain"}, exitFindings, []string{
			"pod t-plain/d02-vip-ps, NIC ovn:", `port_security ["9e:f7:00:f3:70:76 10.16.0.25 10.16.200.1"], on switch ovn-default`,
			"10.16.0.26, another address drop", "ARP that says it has 10.16.0.26 drop",
			"high OVG003 wider-than-identity",
		}},
		"second NIC alone": {[]string{"t-nad/g01-nad", "--nic", "nad1.t-nad.ovn"}, exitFindings, []string{
			"pod t-nad/g01-nad, NIC nad1.t-nad.ovn:",
		}},
	} {
		code, out, errs := runMain(slices.Concat([]string{"explain"}, c.args, files)...)
		out = regexp.MustCompile(" +").ReplaceAllString(out, " ")
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", name, code, c.code, errs)
		}
		for _, want := range c.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: lacks %q:\n%s", name, want, out)
			}
		}
		if name == "second NIC alone" && strings.Contains(out, "NIC ovn:") {
			t.Errorf("%s: it has the other NIC as well:\n%s", name, out)
		}
	}
}

// explain says who has an address or a MAC, and who may send from it.
func TestExplainHolder(t *testing.T) {
	isolate(t)
	files := recorded(t)
	ask := func(question string) (held explain.Held) {
		t.Helper()
		code, out, errs := runMain(slices.Concat([]string{"explain", question, "-o", "json"}, files)...)
		if code != exitOK {
			t.Fatalf("%s: exit code %d: %s", question, code, errs)
		}
		if err := json.Unmarshal([]byte(out), &held); err != nil {
			t.Fatal(err)
		}
		return held
	}
	names := func(list []explain.Sender) (names []string) {
		for _, s := range list {
			names = append(names, s.Port)
		}
		return names
	}
	// The address was granted to a port besides its own: nobody has it.
	granted := ask("ip/10.16.200.1")
	if senders := names(granted.Senders); !slices.Contains(senders, "d02-vip-ps.t-plain") || granted.OpenTotal < 40 {
		t.Errorf("who may send from a virtual address: %v, and %d open ones", senders, granted.OpenTotal)
	}
	own := ask("ip/10.16.0.25")
	if len(own.Holders) != 1 || own.Holders[0].Pod != "d02-vip-ps" || own.Holders[0].Kind != "port" {
		t.Errorf("holders %+v", own.Holders)
	}
	if i := slices.IndexFunc(own.Senders, func(s explain.Sender) bool { return s.Own }); i < 0 ||
		own.Senders[i].Port != "d02-vip-ps.t-plain" || own.SendersTotal != len(own.Senders) {
		t.Errorf("senders %+v", own.Senders)
	}
	mac := ask("mac/9E-F7-00-F3-70-76")
	if diff := cmp.Diff(
		[]string{"d02-vip-ps.t-plain"},
		names(mac.Senders),
	); diff != "" ||
		mac.MAC != "9e:f7:00:f3:70:76" {
		t.Errorf("who may send from the MAC: %s", diff)
	}
	if nobody := ask("ip/203.0.113.9"); len(nobody.Holders) != 0 {
		t.Errorf("holders of an address that nobody has: %+v", nobody.Holders)
	}
}

// What is asked about can be written in several ways; what cannot be read is wrong usage, with an example.
func TestExplainTargets(t *testing.T) {
	for text, want := range map[string]target{
		"pod/a":    {kind: targetPod, name: "a"},
		"po/a":     {kind: targetPod, name: "a"},
		"shop/a":   {kind: targetPod, namespace: "shop", name: "a"},
		"deploy/a": {kind: "Deployment", name: "a"},
		"VMI/a":    {kind: targetVM, name: "a"},
	} {
		if got, err := targetOf(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a", "pod/", "/a", "a/b/c", "ip/10.0.0", "ip/fe80::1%eth0", "mac/01:02", "mac/x"} {
		if _, err := targetOf(text); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The pods of a workload, of a machine and of a selector are found by what they are.
func TestExplainPodsOf(t *testing.T) {
	isolate(t)
	cluster := written(t, "cluster.yaml", `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: d1}
spec: {template: {metadata: {annotations: {ovn.kubernetes.io/port_vips: 192.0.2.7}}, spec: {}}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata:
  name: web-1
  namespace: shop
  uid: r1
  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d1, controller: true}]
---
apiVersion: v1
kind: Pod
metadata:
  name: web-1-x
  namespace: shop
  uid: p1
  labels: {app: web}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: r1, controller: true}]
spec: {}
---
apiVersion: v1
kind: Pod
metadata: {name: tools, namespace: shop, uid: p2, labels: {app: tools}}
spec: {}
`)
	ports := func(args ...string) (names []string) {
		t.Helper()
		code, out, errs := runMain(slices.Concat([]string{"explain", "--from", cluster, "-o", "json"}, args)...)
		var list []struct{ Port string }
		if err := json.Unmarshal([]byte(out), &list); code != exitOK || err != nil {
			t.Fatalf("%v: exit code %d, %v: %s", args, code, err, errs)
		}
		for _, p := range list {
			names = append(names, p.Port)
		}
		return names
	}
	for name, c := range map[string]struct{ args, want []string }{
		"deployment": {[]string{"deployment/web", "-n", "shop"}, []string{"web-1-x.shop"}},
		"selector":   {[]string{"-l", "app in (tools)", "-n", "shop"}, []string{"tools.shop"}},
		"pod":        {[]string{"pod/tools", "-n", "shop"}, []string{"tools.shop"}},
	} {
		if diff := cmp.Diff(c.want, ports(c.args...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, args := range map[string][]string{
		"no pods":      {"deployment/other", "-n", "shop"},
		"no such NIC":  {"shop/tools", "--nic", "net1.shop.ovn"},
		"another name": {"pod/tools"},
	} {
		if code, _, errs := runMain(
			slices.Concat([]string{"explain", "--from", cluster}, args)...); code != exitFindings {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
	}
}
