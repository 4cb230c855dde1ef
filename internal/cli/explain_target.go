package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/explain"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// target is what explain is asked about.
type target struct {
	kind            string
	namespace, name string
	// question is about an address or a MAC, where kind says so.
	question explain.Question
}

// Kinds of targets besides those of workloads, which are called as Kubernetes calls them.
const (
	targetPod  = "pod"
	targetPods = "pods"
	targetVM   = "vm"
	targetPort = "port"
	targetIP   = "ip"
	targetMAC  = "mac"
)

// targetKinds are the words for each kind; the first one is what completion offers.
var targetKinds = []struct {
	kind  string
	words []string
}{
	{targetPod, []string{"pod", "pods", "po"}},
	{targetVM, []string{"vm", "vms", "vmi", "virtualmachine", "virtualmachineinstance"}},
	{targetPort, []string{"port", "lsp"}},
	{"Deployment", []string{"deployment", "deployments", "deploy"}},
	{"StatefulSet", []string{"statefulset", "statefulsets", "sts"}},
	{"DaemonSet", []string{"daemonset", "daemonsets", "ds"}},
	{"Job", []string{"job", "jobs"}},
	{targetIP, []string{"ip"}},
	{targetMAC, []string{"mac"}},
}

// targetOf reads KIND/NAME, or NAMESPACE/POD where the first word is no kind.
func targetOf(text string) (target, error) {
	word, name, found := strings.Cut(text, "/")
	if !found || word == "" || name == "" || strings.Contains(name, "/") {
		return target{}, fmt.Errorf(
			"%q: want KIND/NAME, such as pod/web-0, vm/db, port/web-0.shop, deployment/web or ip/10.16.0.5, or NAMESPACE/POD",
			text,
		)
	}
	for _, k := range targetKinds {
		if !slices.Contains(k.words, strings.ToLower(word)) {
			continue
		}
		t := target{kind: k.kind, name: name}
		var err error
		switch k.kind {
		case targetIP:
			t.question, err = explain.AskIP(name)
		case targetMAC:
			t.question, err = explain.AskMAC(name)
		}
		return t, err
	}
	return target{kind: targetPod, namespace: word, name: name}, nil
}

// asks reports whether the question is who has an address or a MAC.
func (t target) asks() bool { return t.kind == targetIP || t.kind == targetMAC }

// inNamespace reports whether all that is asked about is in one namespace.
func (t target) inNamespace() bool { return !t.asks() && t.kind != targetPort }

// is reports whether a port is one of those that are asked about.
func (t target) is(p *inventory.Port, selects selector) bool {
	switch t.kind {
	case targetPort:
		return p.Name == t.name
	case targetVM:
		if p.Pod == nil {
			return p.Record != nil && p.Record.Keeper == "VirtualMachine" &&
				p.Record.Of == inventory.PodKey{Namespace: t.namespace, Name: t.name}
		}
		return p.Pod.Namespace == t.namespace && p.Pod.Owner == t.name && p.Pod.Name != t.name
	}
	if p.Pod == nil || p.Pod.Namespace != t.namespace {
		return false
	}
	switch t.kind {
	case targetPod:
		return p.Pod.Name == t.name
	case targetPods:
		return selects.matches(p.Pod)
	}
	return slices.ContainsFunc(p.Owners, func(o policy.Owner) bool { return o.Kind == t.kind && o.Name == t.name })
}
