//go:build integration

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// victim is a pod in the tenant's namespace with a port that a test spoils.
type victim struct {
	pod  *corev1.Pod
	port string
	// identity is its MAC and addresses in the form of port_security.
	identity string
}

func (v victim) mac() string { return v.pod.Annotations[macAddress] }

func newVictim(t *testing.T) victim {
	t.Helper()
	pod := run(t, tenantNamespace, nil)
	return victim{
		pod: pod, port: kubeovn.PortName(pod.Name, pod.Namespace, kubeovn.DefaultProvider),
		identity: pod.Annotations[macAddress] + " " + pod.Annotations[ipAddress],
	}
}

func nbctl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := world.Nbctl(t.Context(), args...); err != nil {
		t.Fatal(err)
	}
}

// awaitColumn waits until OVN has this column for a port.
func awaitColumn(t *testing.T, port, want string) {
	t.Helper()
	eventually(
		t,
		"port_security of "+port+" to be "+want,
		func() (bool, error) { return portSecurityOf(t, port) == want, nil },
	)
}

// onlyAudited is a policy under which admission refuses nothing of the tenant.
const onlyAudited = `
apiVersion: ovnguard.io/v1alpha1
kind: PortSecurityPolicy
metadata: {name: only-audited}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ` + tenantNamespace + `}}
  mode: audit
`

// auditTenantOnly makes policy only audit the tenant's pods until the test ends, like pods from a time without the
// webhook.
func auditTenantOnly(t *testing.T) {
	t.Helper()
	p := tenant(t)
	follows := func(open bool) {
		t.Helper()
		eventually(t, "admission to follow the policy", func() (bool, error) {
			pod, err := p.dryRun(t.Context(), tenantNamespace, nil)
			return err == nil && (pod.Annotations[portSecurity] == "") == open, err
		})
	}
	if err := world.Apply(t.Context(), []byte(onlyAudited)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.Discovery().
			RESTClient().
			Delete().
			AbsPath("/apis/ovnguard.io/v1alpha1/portsecuritypolicies/only-audited").
			Do(cleanup(t)).
			Error(); err != nil {
			t.Error(err)
		}
	})
	follows(true)
}

// faults are ways to make a port wrong, with the rules that find it.
var faults = map[string]struct {
	make  func(t *testing.T, v victim)
	rules []string
	// besides are rules that find it as well, and not of the port.
	besides []string
	// evidence is part of the message of the first finding.
	evidence string
}{
	"emptied in the database": {
		make:  func(t *testing.T, v victim) { nbctl(t, "lsp-set-port-security", v.port) },
		rules: []string{"OVG001"}, evidence: "port_security is empty",
	},
	"switched off by the tenant": {
		make: func(t *testing.T, v victim) {
			auditTenantOnly(t)
			tenant(t).annotate(t, v.pod, map[string]string{portSecurity: "false"})
		},
		rules: []string{"OVG001"}, evidence: "port_security is empty",
	},
	"switched off by a look-alike": {
		make: func(t *testing.T, v victim) {
			auditTenantOnly(t)
			tenant(t).annotate(t, v.pod, map[string]string{portSecurity: "True"})
		},
		rules: []string{"OVG001"}, evidence: "port_security is empty",
	},
	"annotation taken away": {
		make: func(t *testing.T, v victim) {
			auditTenantOnly(t)
			tenant(t).annotate(t, v.pod, map[string]string{portSecurity: ""})
		},
		rules: []string{"OVG001"}, evidence: "port_security is empty",
	},
	"only unknown": {
		make:  func(t *testing.T, v victim) { nbctl(t, "lsp-set-port-security", v.port, "unknown") },
		rules: []string{"OVG002"}, evidence: `"unknown"`,
	},
	"address without a MAC": {
		make: func(t *testing.T, v victim) {
			nbctl(t, "set", "logical_switch_port", v.port, `port_security=["`+v.pod.Annotations[ipAddress]+`"]`)
		},
		rules: []string{"OVG002"}, evidence: v4Of,
	},
	// Kube-OVN builds the column again from the pod's own annotations, which the tenant writes.
	"widened by the pod's own address annotation": {
		make: func(t *testing.T, v victim) {
			auditTenantOnly(t)
			p := tenant(t)
			p.annotate(t, v.pod, map[string]string{ipAddress: "0.0.0.0/0", portSecurity: "false"})
			awaitColumn(t, v.port, "[]")
			p.annotate(t, v.pod, map[string]string{portSecurity: "true"})
			awaitColumn(t, v.port, `["`+v.mac()+` 0.0.0.0/0"]`)
		},
		rules: []string{"OVG003", "OVG010"}, evidence: "may also send from",
	},
	"the gateway as its own virtual address": {
		make: func(t *testing.T, v victim) {
			auditTenantOnly(t)
			tenant(t).annotate(t, v.pod, map[string]string{portVIPs: "10.16.0.1"})
			awaitColumn(t, v.port, `["`+v.identity+` 10.16.0.1"]`)
		},
		rules: []string{"OVG003", "OVG017"}, besides: []string{"OVG032"}, evidence: "10.16.0.1",
	},
	"MAC only": {
		make:  func(t *testing.T, v victim) { nbctl(t, "lsp-set-port-security", v.port, v.mac()) },
		rules: []string{"OVG003"}, evidence: "may also send from",
	},
	"another's identity besides its own": {
		make: func(t *testing.T, v victim) {
			nbctl(t, "lsp-set-port-security", v.port, v.identity, "0a:00:00:00:00:99 192.0.2.9")
		},
		rules: []string{"OVG003"}, evidence: "192.0.2.9",
	},
	"another's address in place of its own": {
		make: func(t *testing.T, v victim) {
			nbctl(t, "lsp-set-port-security", v.port, v.mac()+" 192.0.2.9")
		},
		rules: []string{"OVG003", "OVG004"}, evidence: "192.0.2.9",
	},
	"unknown in addresses": {
		make:  func(t *testing.T, v victim) { nbctl(t, "lsp-set-addresses", v.port, v.identity, "unknown") },
		rules: []string{"OVG005"}, evidence: `"unknown"`,
	},
	"port deleted": {
		make:  func(t *testing.T, v victim) { nbctl(t, "lsp-del", v.port) },
		rules: []string{"OVG007"}, evidence: "OVN has none",
	},
	"open and attracting": {
		make: func(t *testing.T, v victim) {
			nbctl(t, "lsp-set-port-security", v.port, "--", "lsp-set-addresses", v.port, v.identity, "unknown")
		},
		rules: []string{"OVG001", "OVG005"}, evidence: "port_security is empty",
	},
}

// v4Of is a placeholder in evidence for the victim's own address.
const v4Of = "<address>"

// Each fault is really made; it appears in the metrics, on the pod and in `ovnguard audit`, and the command in the
// finding repairs it.
func TestFaults(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			v := newVictim(t)
			awaitNoFindings(t)
			compliant := ports(t, "compliant")

			f.make(t, v)
			all := slices.Concat(f.rules, f.besides)
			took := awaitRules(t, all...)
			if got := ports(t, "violation"); got != 1 {
				t.Errorf("%d ports in violation, want 1", got)
			}
			for _, rule := range all {
				awaitEvent(t, v.pod, "PortSecurityFinding", rule)
			}
			found := audit(t).findingsOf(v.port)
			checkFindings(t, v, found, f.rules, strings.ReplaceAll(f.evidence, v4Of, v.pod.Annotations[ipAddress]))

			repaired := 0
			for _, fix := range fixesOf(found) {
				shell(t, fix)
				repaired++
			}
			if repaired == 0 {
				t.Fatalf("no finding gives a fix: %+v", found)
			}
			healed := awaitNoFindings(t)
			for _, rule := range all {
				awaitEvent(t, v.pod, "PortSecurityCleared", rule)
			}
			if got := portSecurityOf(t, v.port); got != `["`+v.identity+`"]` {
				t.Errorf("after the fix OVN has port_security %s, want the identity %s", got, v.identity)
			}
			eventually(
				t,
				"the port to count as compliant again",
				func() (bool, error) { return ports(t, "compliant") == compliant, nil },
			)
			if again := audit(t); len(again.Findings) > 0 {
				t.Errorf("after the fix: %+v", again.Findings)
			}
			t.Logf(
				"found after %s, gone %s after the fix %q",
				took.Round(time.Millisecond),
				healed.Round(time.Millisecond),
				fixesOf(found),
			)
		})
	}
}

// fixesOf returns the commands of the findings, each once.
func fixesOf(findings []finding) []string {
	var fixes []string
	for _, f := range findings {
		if f.Fix != "" && !slices.Contains(fixes, f.Fix) {
			fixes = append(fixes, f.Fix)
		}
	}
	return fixes
}

// checkFindings compares the JSON report and the table for the victim.
func checkFindings(t *testing.T, v victim, found []finding, ids []string, evidence string) {
	t.Helper()
	table, _, code := ovnguard(t, "audit")
	if code != 1 {
		t.Errorf("ovnguard audit ended with %d, want 1", code)
	}
	var got []string
	for _, f := range found {
		got = append(got, f.Rule)
		if f.Namespace != v.pod.Namespace || f.Pod != v.pod.Name || f.Severity == "" || f.Message == "" {
			t.Errorf("finding %+v does not say whose it is, how bad, or what", f)
		}
		if f.Evidence.Identity != v.identity || f.Evidence.IdentityFrom != "IP resource" {
			t.Errorf(
				"%s: identity %q from %q, want %q from the IP resource",
				f.Rule,
				f.Evidence.Identity,
				f.Evidence.IdentityFrom,
				v.identity,
			)
		}
		for _, part := range []string{f.Rule + " " + f.Name, v.pod.Namespace + "/" + v.pod.Name, f.Message, f.Fix} {
			if !strings.Contains(table, part) {
				t.Errorf("the table lacks %q:\n%s", part, table)
			}
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Fatalf("ovnguard audit finds %q, want %q", got, ids)
	}
	if first := found[0]; !strings.Contains(first.Message, evidence) {
		t.Errorf("%s: message %q lacks %q", first.Rule, first.Message, evidence)
	}
}

// A port that names a missing pod is found, and a port that Kube-OVN did not make is ignored.
func TestPortWithoutPod(t *testing.T) {
	awaitNoFindings(t)
	foreign, ghost := unique("foreign")+".tenant", unique("ghost")+".tenant"
	add := func(port, vendor string) {
		nbctl(t, "lsp-add", "ovn-default", port, "--", "set", "logical_switch_port", port,
			"external_ids:vendor="+vendor, "external_ids:pod=tenant/"+strings.TrimSuffix(port, ".tenant"))
		t.Cleanup(func() {
			if _, err := world.Nbctl(cleanup(t), "--if-exists", "lsp-del", port); err != nil {
				t.Error(err)
			}
		})
	}
	add(foreign, "somebody-else")
	add(ghost, kubeovn.Vendor) // when this port is found, the other one would have been found before
	awaitRules(t, "OVG006")
	report := audit(t)
	found := report.findingsOf(ghost)
	if len(report.Findings) != 1 || len(found) != 1 || found[0].Rule != "OVG006" ||
		!strings.Contains(found[0].Message, "tenant/") {
		t.Fatalf("findings %+v, want OVG006 of %s only", report.Findings, ghost)
	}
	shell(t, found[0].Fix)
	awaitNoFindings(t)
}

// A deleted pod's findings end with it.
func TestFindingGoesWithItsPod(t *testing.T) {
	v := newVictim(t)
	awaitNoFindings(t)
	nbctl(t, "lsp-set-port-security", v.port)
	awaitRules(t, "OVG001")
	deletePod(t, v.pod)
	awaitNoFindings(t)
}

// The audit follows the namespace as admission does: a port that was rightly open is a finding once the namespace is
// strict.
func TestNamespaceIsClosed(t *testing.T) {
	ns := namespace(t, map[string]string{portSecurity: "false"})
	pod := run(t, ns, nil)
	awaitNoFindings(t)
	annotateNamespace := func(value string) {
		body, err := annotationPatch(map[string]string{portSecurity: value})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := world.Kube.CoreV1().
			Namespaces().
			Patch(t.Context(), ns, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	annotateNamespace("true")
	awaitRules(t, "OVG001")
	annotateNamespace("false")
	awaitNoFindings(t)
	annotateNamespace("")
	awaitRules(t, "OVG001")
	for _, fix := range fixesOf(audit(t).Findings) {
		shell(t, fix)
	}
	awaitNoFindings(t)
	if want := `["` + pod.Annotations[macAddress] + " " + pod.Annotations[ipAddress] + `"]`; portSecurityOf(
		t,
		kubeovn.PortName(pod.Name, ns, kubeovn.DefaultProvider),
	) != want {
		t.Errorf("after the fix the port is not %s", want)
	}
}
