//go:build integration

package standin

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// policyDrift is the case in which a policy's rows are removed by hand before a restart.
const policyDrift = "DR91"

// policyActors are the pods of the recorded policies, in the order in which they got their addresses. The last two came
// while the first case ran.
var policyActors = []struct{ namespace, name, app, node, networks string }{
	{namespace: "t-np-a", name: "web-1", app: "web", node: "node-a"},
	{namespace: "t-np-a", name: "web-2", app: "web", node: "node-b"},
	{namespace: "t-np-a", name: "db-1", app: "db", node: "node-a"},
	{namespace: "t-np-a", name: "client-a", app: "client", node: "node-b"},
	{namespace: "t-np-a", name: "web-nad", app: "web", node: "node-a", networks: "t-nad/nad1"},
	{namespace: "t-np-b", name: "client-b", app: "client", node: "node-a"},
	{namespace: "t-np-b", name: "other-b", app: "other", node: "node-b"},
	{namespace: "t-np-a", name: "client-new", app: "client", node: "node-a"},
	{namespace: "t-np-a", name: "web-3", app: "web", node: "node-a"},
}

// lateActors is the number of policyActors that a step makes.
const lateActors = 2

func (p *replay) makePolicyActor(i int) {
	a := policyActors[i]
	annotations := map[string]string{}
	if a.networks != "" {
		annotations[kubeovn.Networks] = a.networks
	}
	p.policyPod(a.namespace, a.name, a.app, a.node, annotations)
}

func (p *replay) policyPod(namespace, name, app, node string, annotations map[string]string) {
	p.pod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: name, Labels: map[string]string{"app": app}, Annotations: annotations,
		},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{
			Name: "c", Image: "none", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}},
		}}},
	})
	p.settle() // one after the other, since their addresses tell them apart
}

// playPolicies makes the pods of the recorded policies and the policies, one after the other.
func (p *replay) playPolicies(list []recording) {
	for i := range len(policyActors) - lateActors {
		p.makePolicyActor(i)
	}
	for name, app := range map[string]string{"np-dual-web": "web", "np-dual-client": "client"} {
		p.policyPod("t-dual", name, app, "node-a", nil)
	}
	for _, rec := range list {
		if rec.Phase != "np" {
			continue
		}
		r := p.begin(rec)
		p.translatePolicies(r, list)
		np := &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Policy, Annotations: r.Given},
		}
		check(p.t, json.Unmarshal(r.Spec, &np.Spec))
		made, err := p.kube.NetworkingV1().
			NetworkPolicies(r.Namespace).
			Create(p.t.Context(), np, metav1.CreateOptions{})
		check(p.t, err)
		p.awaitPolicy(made)
		p.comparePolicy(r, "after creation", r.Rows)
		for i := range r.Steps {
			p.actOnPolicy(r, &r.Steps[i])
			p.comparePolicy(r, r.Steps[i].Step, r.Steps[i].Rows)
		}
	}
}

// translatePolicies learns which recorded address is which pod's. The recording names no pods, but they got their
// addresses one after the other, and the first case has that of the only client.
func (p *replay) translatePolicies(r *run, list []recording) {
	recorded := func(id, set string) []string {
		for _, rec := range list {
			if rec.ID != id {
				continue
			}
			for _, s := range rec.Rows.Sets {
				if strings.HasSuffix(s.Name, set) {
					return s.Addresses
				}
			}
		}
		p.t.Fatalf("case %s has no address set %s", id, set)
		return nil
	}
	const client = 3
	there := netip.MustParseAddr(recorded("N01", ".ingress.allow.IPv4.0")[0])
	for range client {
		there = there.Prev()
	}
	for _, a := range policyActors {
		if here := p.policyAddress(a.namespace, a.name, kubeovn.DefaultProvider); here != "" {
			r.translation[there.String()] = here
		}
		there = there.Next()
	}
	for _, a := range recorded("N04", ".egress.allow.IPv4.0") {
		if strings.HasPrefix(a, "10.90.") {
			r.translation[a] = p.policyAddress("t-np-a", "web-nad", kubeovn.AttachmentProvider("t-nad", "nad1"))
		}
	}
	here := strings.Split(p.policyAddress("t-dual", "np-dual-client", kubeovn.DefaultProvider), ",")
	for i, set := range []string{".ingress.allow.IPv4.0", ".ingress.allow.IPv6.0"} {
		for _, a := range recorded("N06", set) {
			if !strings.Contains(a, "/") {
				r.translation[a] = here[i]
			}
		}
	}
}

// policyAddress returns the addresses of a NIC of a pod; empty if there is no such pod.
func (p *replay) policyAddress(namespace, name string, provider kubeovn.Provider) string {
	pod, ok := p.standin.podsSeen.get(namespace, name)
	if !ok {
		return ""
	}
	return pod.Annotations[provider.Key(kubeovn.IPAddress)]
}

// awaitPolicy waits until the stand-in has seen a policy as it is, and has done what is due.
func (p *replay) awaitPolicy(np *networkingv1.NetworkPolicy) {
	p.t.Helper()
	p.waitFor("policy "+np.Name, func() bool {
		seen, ok := p.standin.policies.get(np.Namespace, np.Name)
		return ok && seen.ResourceVersion == np.ResourceVersion
	})
	p.settle()
}

// actOnPolicy repeats a step of the first case, which is recognised by its words.
func (p *replay) actOnPolicy(r *run, s *recordedStep) {
	const ns = "t-np-a"
	group := upstream.PolicyGroup(r.Namespace, r.Policy)
	label := func(pod, key, value string) {
		p.patchPod(ns, pod, map[string]any{"metadata": map[string]any{"labels": map[string]any{key: value}}})
	}
	patch := func(text string) {
		np, err := p.kube.NetworkingV1().NetworkPolicies(r.Namespace).
			Patch(p.t.Context(), r.Policy, types.MergePatchType, []byte(text), metav1.PatchOptions{})
		check(p.t, err)
		p.awaitPolicy(np)
	}
	newClient, web3 := len(policyActors)-2, len(policyActors)-1
	switch name := s.Step; {
	case strings.HasPrefix(name, "label change: db-1"):
		label("db-1", "app", "web")
	case name == "label change back":
		label("db-1", "app", "db")
	case name == "new client pod appears":
		p.makePolicyActor(newClient)
		p.translatePolicies(r, []recording{r.recording, p.caseOf(r, "N04"), p.caseOf(r, "N06")})
	case name == "that client pod is deleted":
		p.deletePod(ns, policyActors[newClient].name)
		p.waitFor("the pod to be gone", func() bool {
			_, ok := p.standin.podsSeen.get(ns, policyActors[newClient].name)
			return !ok
		})
	case strings.HasPrefix(name, "DRIFT acl-del"):
		p.nbctl("--type=port-group", "acl-del", group)
	case name == "DRIFT port group emptied":
		p.nbctl("clear", "Port_Group", group, "ports")
	case strings.HasPrefix(name, "DRIFT address set"):
		p.nbctl("clear", "Address_Set", group+".ingress.allow.IPv4.0", "addresses")
	case strings.HasPrefix(name, "(a) unrelated label on a selected pod"):
		label("web-1", "x", strconv.Itoa(p.changes))
	case strings.HasPrefix(name, "(a) unrelated label on a peer pod"):
		label("client-a", "x", "1")
	case strings.HasPrefix(name, "(b) annotation touch"):
		patch(`{"metadata":{"annotations":{"touch":"1"}}}`)
	case strings.HasPrefix(name, "(b2) spec touch"):
		ports := `[{"protocol":"TCP","port":"web"},{"protocol":"TCP","port":8080}]`
		patch(
			`{"spec":{"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"client"}}}],"ports":` + ports + `}]}}`,
		)
	case strings.HasPrefix(name, "(b) label change on another pod"):
		label("web-2", "y", "1")
	case name == "(c) new matching pod appears":
		p.makePolicyActor(web3)
	default:
		p.t.Fatalf("%s: nothing is known about what step %q did", r.ID, name)
	}
	p.settle()
}

// caseOf returns another case of the same version.
func (p *replay) caseOf(r *run, id string) recording {
	for _, rec := range readRecordings(p.t) {
		if rec.ID == id && rec.Version == r.Version {
			return rec
		}
	}
	p.t.Fatalf("no case %s of %s", id, r.Version)
	return recording{}
}

// driftPolicies removes rows of a policy by hand, as before the recorded restart.
func (p *replay) driftPolicies(list []recording) *run {
	for _, rec := range list {
		if rec.ID != policyDrift {
			continue
		}
		r := p.begin(rec)
		p.translatePolicies(r, list)
		group := rec.Steps[0].Rows.Groups[0].Name
		p.nbctl("clear", "Port_Group", group, "ports")
		p.nbctl("--type=port-group", "acl-del", group)
		p.nbctl("clear", "Address_Set", group+".ingress.allow.IPv4.0", "addresses")
		p.comparePolicyStep(r, 0)
		return r
	}
	p.t.Fatal("no case " + policyDrift)
	return nil
}

func (p *replay) comparePolicyStep(r *run, i int) {
	p.comparePolicy(r, r.Steps[i].Step, r.Steps[i].Rows)
}

// comparePolicy compares the port group, the address sets and the ACLs of a policy.
func (p *replay) comparePolicy(r *run, when string, want *recordedRows) {
	p.t.Helper()
	got := p.policyRows(want.Groups[0].ExternalIDs[upstream.PolicyKey])
	expected := recordedRows{Groups: slices.Clone(want.Groups), ACLs: append([]recordedACL{}, want.ACLs...)}
	for i := range expected.Groups {
		expected.Groups[i].Ports = sortedCopy(expected.Groups[i].Ports)
	}
	for _, s := range want.Sets {
		s.Addresses = r.list(s.Addresses)
		expected.Sets = append(expected.Sets, s)
	}
	sortPolicyRows(&expected)
	r.diff(when+": port group", expected.Groups, got.Groups)
	r.diff(when+": address sets", expected.Sets, got.Sets)
	r.diff(when+": ACLs", expected.ACLs, got.ACLs)
}

// policyRows returns the rows of a policy in the recording's form.
func (p *replay) policyRows(id string) recordedRows {
	p.t.Helper()
	ctx := p.t.Context()
	check(p.t, p.reader.Sync(ctx))
	rows := recordedRows{ACLs: []recordedACL{}}
	ports, err := p.reader.Ports(ctx, func(*nb.LogicalSwitchPort) bool { return true })
	check(p.t, err)
	names := map[string]string{}
	for _, port := range ports {
		names[port.UUID] = port.Name
	}
	groups, err := p.reader.PortGroups(ctx)
	check(p.t, err)
	for _, g := range groups {
		if g.ExternalIDs[upstream.PolicyKey] != id {
			continue
		}
		row := recordedGroup{Name: g.Name, ExternalIDs: g.ExternalIDs, Ports: []string{}}
		for _, uuid := range g.Ports {
			row.Ports = append(row.Ports, names[uuid])
		}
		slices.Sort(row.Ports)
		rows.Groups = append(rows.Groups, row)
		rows.ACLs = append(rows.ACLs, p.aclsOf(g.Name)...)
	}
	sets, err := p.reader.AddressSets(ctx, func(s *nb.AddressSet) bool {
		return strings.HasPrefix(s.ExternalIDs[upstream.PolicyKey], id+"/")
	})
	check(p.t, err)
	for _, s := range sets {
		rows.Sets = append(rows.Sets, recordedSet{s.Name, sortedCopy(s.Addresses), s.ExternalIDs})
	}
	sortPolicyRows(&rows)
	return rows
}

// aclsOf returns the ACLs of a port group in the recording's form.
func (w *world) aclsOf(group string) []recordedACL {
	w.t.Helper()
	list, err := w.reader.GroupACLs(w.t.Context(), group)
	check(w.t, err)
	var rows []recordedACL
	for _, a := range list {
		row := recordedACL{
			Direction: a.Direction, Priority: a.Priority, Tier: a.Tier, Action: a.Action, Match: a.Match,
			Options: a.Options, Log: a.Log, ExternalIDs: a.ExternalIDs,
		}
		if row.Options == nil {
			row.Options = map[string]string{}
		}
		if a.Name != nil {
			row.Name = *a.Name
		}
		if a.Severity != nil {
			row.Severity = *a.Severity
		}
		rows = append(rows, row)
	}
	return rows
}

// compareGroups compares the ACLs of SecurityGroups with those in the recorded database, which is of one release line.
func (p *replay) compareGroups() {
	p.t.Helper()
	if p.version != upstream.Master {
		return
	}
	f, err := os.Open("upstream/testdata/final.json.gz")
	check(p.t, err)
	defer func() { check(p.t, f.Close()) }()
	z, err := gzip.NewReader(f)
	check(p.t, err)
	var list []struct{ Rows recordedRows }
	check(p.t, json.NewDecoder(z).Decode(&list))
	compared := 0
	for _, g := range list[0].Rows.Groups {
		if g.ExternalIDs["sg"] == "" {
			continue
		}
		want := recordedRows{ACLs: slices.DeleteFunc(slices.Clone(list[0].Rows.ACLs), func(a recordedACL) bool {
			return a.ExternalIDs["parent"] != g.Name
		})}
		got := recordedRows{ACLs: p.aclsOf(g.Name)}
		sortPolicyRows(&want)
		sortPolicyRows(&got)
		if diff := cmp.Diff(want, got); diff != "" {
			p.t.Errorf("ACLs of %s: -recorded +here\n%s", g.Name, diff)
		}
		compared++
	}
	if compared != 3 { // two groups, and the one that denies all
		p.t.Errorf("%d groups were compared, want 3", compared)
	}
}

func sortPolicyRows(rows *recordedRows) {
	slices.SortFunc(rows.Sets, func(a, b recordedSet) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(rows.ACLs, func(a, b recordedACL) int {
		return strings.Compare(fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b))
	})
}

// labelNamespace sets labels of a namespace and waits until the stand-in, if it runs, has seen them.
func (w *world) labelNamespace(name string, set map[string]any) {
	w.t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": set}})
	check(w.t, err)
	ns, err := w.kube.CoreV1().Namespaces().
		Patch(w.t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	check(w.t, err)
	if w.standin == nil {
		return
	}
	for end := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		seen, ok := w.standin.namespaces.get("", name)
		if ok && maps.Equal(seen.Labels, ns.Labels) && w.standin.queue.idle() {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("the labels of namespace %s are not seen", name)
		}
	}
}
