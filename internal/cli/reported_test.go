package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ovnguard/ovnguard/portsec"
)

// Clusters that people reported, and the expected audit of their files: testdata/reported has a database and the
// cluster's objects for each.
func TestReportedClusters(t *testing.T) {
	isolate(t)
	type finding struct{ Rule, Port, Fix string }
	cases := map[string]struct {
		code     int
		findings []finding
		ports    map[string]int
		says     []string // each in the text of the table
		never    string   // not in it
	}{
		// A pod went while Kube-OVN's controller was away: its port is left, and its address was given out again.
		"stale-port-same-ip": {
			code: exitFindings,
			findings: []finding{
				{"OVG013", "nginx5.default", ""},
				{"OVG006", "nginx.default", "kubectl delete ips.kubeovn.io nginx.default"},
			},
			ports: map[string]int{"violation": 2},
			says: []string{
				"has 10.16.0.10 on switch ovn-default as well as port nginx.default",
				"its IP resource still exists too",
			},
		},
		// Of Kube-OVN before 1.0: addresses from OVN, a prefix with host bits, no marks.
		"dynamic-address-host-prefix": {code: exitOK, ports: map[string]int{"compliant": 1}},
		// Somebody added "unknown" for the MACs of a cluster in the machine.
		"nested-cluster-in-vm-unknown": {
			code: exitFindings,
			findings: []finding{
				{"OVG005", "vm1.kubevirt", "ovn-nbctl lsp-set-addresses vm1.kubevirt '00:00:00:8C:7D:C9 10.16.0.4'"},
			},
			ports: map[string]int{"violation": 1},
		},
		// The pod was made again while Kube-OVN's controller was away. The row is the fault, and one command puts it
		// right.
		"recreated-while-controller-away": {
			code: exitFindings,
			findings: []finding{
				{"OVG010", "web.shop", "ovn-nbctl lsp-set-addresses web.shop '0a:00:00:00:08:02 10.16.0.81' -- " +
					"lsp-set-port-security web.shop '0a:00:00:00:08:02 10.16.0.81'"},
			},
			ports: map[string]int{"violation": 1},
			says: []string{
				"are for 0a:00:00:00:08:01 10.16.0.80",
				"the IP resource says 0a:00:00:00:08:02 10.16.0.81",
			},
		},
		// Only the IP resource is wrong: its MAC would cut the machine off.
		"ip-resource-mac-not-honoured": {
			code:     exitFindings,
			findings: []finding{{"OVG010", "vm-instance-db.tenant-a", ""}},
			ports:    map[string]int{"violation": 1},
			says: []string{
				"the same as in the pod's annotations",
				"the IP resource says 52:54:00:aa:09:01",
				"created again",
			},
			never: "ovn-nbctl",
		},
		"neutron-in-the-same-database": {code: exitOK, ports: map[string]int{"compliant": 1}},
		"database-of-ovn-kubernetes": {
			code:  exitIncomplete,
			ports: map[string]int{"unknown": 2},
			says: []string{
				"none of the 3 ports in the Northbound database is Kube-OVN's",
				"--nb names the wrong database",
			},
		},
		// Nodes' ports are not counted; a finding says that pods cannot reach the node.
		"node-port-differs-from-annotation": {
			code: exitFindings,
			findings: []finding{
				{"OVG010", "node-node-1", "ovn-nbctl lsp-set-addresses node-node-1 '00:00:00:5c:8a:2d 100.64.0.4'"},
			},
			ports: map[string]int{"compliant": 1},
			says:  []string{"and so do the node's annotations"},
		},
		// A short-lived pod's random MAC collides on its own switch, and with a pod of another subnet on the same VLAN.
		"same-mac-on-underlay": {
			code: exitFindings,
			findings: []finding{
				{"OVG012", "billing.prod", ""},
				{"OVG012", "job-1.ci", ""},
				{"OVG012", "job-2.ci", ""},
			},
			ports: map[string]int{"violation": 3},
			says:  []string{"on another switch of VLAN vlan20"},
		},
		// What runs and would be refused is listed before admission is asked: once for a workload, and with the way.
		"pod-with-eip": {
			code:     exitFindings,
			findings: []finding{{Rule: "OVG032"}, {Rule: "OVG032"}, {Rule: "OVG032"}},
			ports:    map[string]int{"compliant": 4},
			says: []string{
				`admission would refuse pod pod8 when made again: metadata.annotations["ovn.kubernetes.io/eip"]: `,
				"admission would refuse the pods of Deployment shop (2 run) when made again: " +
					`spec.template.metadata.annotations["ovn.kubernetes.io/snat"]: `,
				"by spec.externalAddresses of a policy (OVGA18)",
				"admission would make the pods of CronJob report (none runs) without what they ask for: ",
			},
			never: "healthy",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			nb, cluster := unpack(t, "testdata/reported/"+name+"/nb.db.gz"), "testdata/reported/"+name+"/k8s.yaml"
			code, table, errs := runMain("audit", "--nb", nb, "--kubernetes", cluster)
			if code != c.code {
				t.Errorf("exit %d, want %d: %s%s", code, c.code, table, errs)
			}
			for _, want := range c.says {
				if !strings.Contains(table, want) {
					t.Errorf("%q is missing from\n%s", want, table)
				}
			}
			if c.never != "" && strings.Contains(table, c.never) {
				t.Errorf("%q stands in\n%s", c.never, table)
			}
			_, document, errs := runMain("audit", "--nb", nb, "--kubernetes", cluster, "-o", "json")
			var got struct {
				Ports    map[string]int
				Findings []finding
			}
			if err := json.Unmarshal([]byte(document), &got); err != nil {
				t.Fatal(err, errs)
			}
			if diff := cmp.Diff(c.findings, got.Findings, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for state, n := range got.Ports {
				if c.ports[state] != n {
					t.Errorf("%d ports are %s, want %d", n, state, c.ports[state])
				}
			}
		})
	}
}

// What a policy allows is refused no more, and under one that does not enforce, it is said when it would be.
func TestReportedPodWithExternalAddress(t *testing.T) {
	isolate(t)
	const dir = "testdata/reported/pod-with-eip/"
	nb, cluster := unpack(t, dir+"nb.db.gz"), filepath.Join(t.TempDir(), "cluster.yaml")
	for name, c := range map[string]struct {
		change []string // in the policy, from one to the other
		code   int
		says   string
	}{
		"allowed": {nil, exitOK, "1 findings"},
		"warned": {
			[]string{"mode: enforce", "mode: warn", "externalAddresses: Allow", "externalAddresses: Forbid"},
			exitFindings, "admission would refuse pod pod8 when made again once the policy enforces: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			for _, file := range []string{"k8s.yaml", "policy.yaml"} {
				data, err := os.ReadFile(dir + file)
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString("---\n" + string(data))
			}
			changed := strings.NewReplacer(c.change...).Replace(text.String())
			if err := os.WriteFile(cluster, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			code, table, errs := runMain("audit", "--nb", nb, "--kubernetes", cluster)
			if code != c.code || !strings.Contains(table, c.says) {
				t.Errorf("exit %d, want %d with %q: %s%s", code, c.code, c.says, table, errs)
			}
		})
	}
}

// readAt matches the line that says when a report was made.
var readAt = regexp.MustCompile(`^\s*"?time"?: |^Read at `)

// The output does not change from run to run, except for its time: a user who compares two audits sees only changes of
// the cluster.
func TestAuditSaysTheSameEachTime(t *testing.T) {
	isolate(t)
	db, cluster := unpack(
		t,
		recordedDatabase,
	), unpack(
		t,
		recordedCluster,
	)
	for _, output := range []string{"table", "wide", "json", "yaml", "csv", "jsonl", "markdown"} {
		var first string
		for i := range 3 {
			_, out, _ := runMain("audit", "--nb", db, "--kubernetes", cluster, "-o", output)
			lines := slices.DeleteFunc(
				strings.Split(out, "\n"),
				func(line string) bool { return strings.Contains(line, " ago") || readAt.MatchString(line) },
			)
			if out = strings.Join(lines, "\n"); i == 0 {
				first = out
			} else if diff := cmp.Diff(first, out); diff != "" {
				t.Fatalf("%s, run %d (-first +now):\n%s", output, i, diff)
			}
		}
	}
}

// The address in a column of 2019, a prefix with host bits, is one address.
func TestReportedHostBits(t *testing.T) {
	code, out, errs := runMain(
		"portsec",
		"explain",
		"--identity",
		"0a:00:00:32:01:06 172.50.1.5",
		"0a:00:00:32:01:06 172.50.1.5/24",
	)
	if want := "means the one address 172.50.1.5"; code != exitOK || !strings.Contains(out, want) {
		t.Errorf("exit %d, %q is missing from %s%s", code, want, out, errs)
	}
}

// A guest asks for routers from its link-local address: OVN lets that pass where the port has an IPv6 address, and
// never from the unspecified address.
func TestReportedRouterSolicitation(t *testing.T) {
	const (
		mac = "0a:58:c5:bf:5a:ce"
		own = mac + " 10.128.0.5"
		six = own + " fd01::5"
		hex = "3333000000020a58c5bf5ace86dd600f632b00083afffe800000000000000858c5fffebf5ace" +
			"ff0200000000000000000000000000028500555100000000"
	)
	bare := strings.Fields(
		"--src-mac " + mac + " --src-ip :: --dst-ip ff02::2 --dst-mac 33:33:00:00:00:02 --proto 58 --icmp-type 133",
	)
	for name, c := range map[string]struct {
		column string
		frame  []string
		want   string
	}{
		"no IPv6 address is listed": {own, []string{"--hex", hex}, "drop: "},
		"an IPv6 address is listed": {six, []string{"--hex", hex}, "allow: "},
		"by no address":             {six, bare, "drop: "},
	} {
		t.Run(name, func(t *testing.T) {
			for _, era := range portsec.Eras() {
				args := append([]string{"frame", "--era", era.String(), "--port-security", c.column}, c.frame...)
				if code, out, errs := runMain(args...); code != exitOK || !strings.HasPrefix(out, c.want) {
					t.Errorf("%s: exit %d, %s%s, want %q", era, code, out, errs, c.want)
				}
			}
		})
	}
}

// A capture of tcpdump -i any has no Ethernet header: the error says what to capture instead.
func TestReportedCaptureOfAnyInterface(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := Main(
		[]string{"frame", "--port-security", testElement, "--pcap", "testdata/reported/sll2.pcap"},
		&stdout,
		&stderr,
	)
	if code != exitUsage || stdout.Len() > 0 ||
		!strings.Contains(stderr.String(), "Linux SLL2; capture Ethernet frames") {
		t.Errorf("exit %d, %s%s", code, &stdout, &stderr)
	}
}
