package report

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// demo is the audit at the end of the demo.
func demo() Summary {
	rule := func(id string) audit.Rule {
		rules := audit.Rules()
		return rules[slices.IndexFunc(rules, func(r audit.Rule) bool { return r.ID == id })]
	}
	var all []Judged
	add := func(namespace, pod, network string, state audit.State) *Judged {
		all = append(all, Judged{
			Verdict: monitor.Verdict{
				Port: pod + "." + namespace + network, Pod: inventory.PodKey{Namespace: namespace, Name: pod},
				Provider: "ovn", Result: audit.Result{State: state},
			},
		})
		return &all[len(all)-1]
	}
	find := func(j *Judged, id, message, fix string) {
		j.Findings = append(j.Findings, audit.Finding{
			Rule: rule(id), Port: j.Port, Namespace: j.Pod.Namespace, Pod: j.Pod.Name, Provider: j.Provider,
			Message: message, Fix: fix,
		})
	}
	const annotate = "kubectl annotate pod -n before %s ovn.kubernetes.io/port_security=true --overwrite"
	const open = "port_security is empty, so any MAC and address passes; the built-in default asks for strict"
	for _, pod := range []string{"alice", "bob", "dave"} {
		find(add("before", pod, "", audit.Violation), "OVG001", open, fmt.Sprintf(annotate, pod))
	}
	carol := add("before", "carol", "", audit.Violation)
	find(carol, "OVG002", `port_security is ["unknown"], and OVN can use nothing of it, so the port is open`,
		fmt.Sprintf(annotate, "carol"))
	find(carol, "OVG005", `addresses holds "unknown", so frames for MACs that nobody has reach this port; the `+
		"built-in default forbids that", "ovn-nbctl lsp-set-addresses carol.before '86:a4:39:4f:cc:a4 10.16.0.5'")
	find(add("after", "erin", "", audit.Violation), "OVG001", open,
		"ovn-nbctl lsp-set-port-security erin.after '5a:94:b5:e9:84:a4 10.16.0.6'")
	for _, pod := range []string{"web", "mallory"} {
		add("strict", pod, "", audit.Compliant)
	}
	for _, pod := range []string{"frank", "grace", "heidi"} {
		add("nics", pod, "", audit.Compliant)
		add("nics", pod, ".blue.nics.ovn", audit.Compliant)
	}
	loose := add("loose", "web", "", audit.Compliant)
	loose.Permitted = []audit.Permission{{
		Level: audit.PermittedOpen, Namespace: "loose", Pod: "web", Port: loose.Port,
		By: []audit.Permitter{{Source: policy.FromNamespace, Name: "ovn.kubernetes.io/port_security"}},
	}}
	return Summarise(all, Options{})
}

// The README has the output of the audit at the end of the demo.
func TestReadmeShowsTheTable(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$ ovnguard audit\n" + written(t, Table, demo()) + "```\n"; !strings.Contains(string(text), want) {
		t.Errorf("README.md lacks\n%s", want)
	}
}
