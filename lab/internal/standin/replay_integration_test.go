//go:build integration

package standin

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// notModelled lists the recorded cases that the stand-in does not cover, with the reason. It holds for every version.
var notModelled = map[string]string{}

// recordedVersions maps the recordings' versions to release lines.
var recordedVersions = map[string]upstream.Version{
	"master":   upstream.Master,
	"v1.15.10": upstream.V1_15,
	"v1.14.41": upstream.V1_14,
}

// TestReplay repeats on the stand-in what was done to the real controller and compares the results, case by case: all
// ports of the pod with name, switch, addresses, port_security, external_ids, options, the other columns and the port
// groups, all annotations of the pod, and the warnings. Random addresses are translated; everything else must be equal,
// and nothing may be added.
func TestReplay(t *testing.T) {
	byVersion := map[string][]recording{}
	for _, r := range readRecordings(t) {
		byVersion[r.Version] = append(byVersion[r.Version], r)
	}
	if len(byVersion) != len(recordedVersions) {
		t.Fatalf("recordings of %d versions, want %d", len(byVersion), len(recordedVersions))
	}
	stale := maps.Clone(notModelled)
	total := replayCount{}
	for _, name := range slices.Sorted(maps.Keys(byVersion)) {
		t.Run(name, func(t *testing.T) {
			p := &replay{world: newWorld(t, recordedVersions[name]), runs: map[string]*run{}}
			p.play(byVersion[name])
			for _, r := range byVersion[name] {
				t.Run(r.ID, func(t *testing.T) { total.add(p.report(t, r)) })
				if p.runs[r.ID] == nil {
					delete(stale, r.ID)
				}
			}
		})
	}
	for id := range stale {
		t.Errorf("notModelled lists %s, which is no recorded case or is modelled", id)
	}
	t.Logf(
		"%d recorded cases: %d modelled with %d comparisons, %d not modelled for a listed reason",
		total.cases,
		total.modelled,
		total.comparisons,
		total.cases-total.modelled,
	)
}

type replayCount struct{ cases, modelled, comparisons int }

func (c *replayCount) add(modelled bool, comparisons int) {
	c.cases++
	if modelled {
		c.modelled++
	}
	c.comparisons += comparisons
}

// replay runs the recordings of one version in a world of its own.
type replay struct {
	*world
	runs map[string]*run
}

// run is one case while it runs.
type run struct {
	recording
	translation
	step        int // the next step
	asked       string
	comparisons int
	differences []string
}

func (r *run) diff(what string, want, got any) {
	r.comparisons++
	if d := cmp.Diff(want, got); d != "" {
		r.differences = append(r.differences, what+": -recorded +here\n"+d)
	}
}

// report fails the case's own test with its differences. A case is either listed as not modelled or was compared.
func (p *replay) report(t *testing.T, rec recording) (modelled bool, comparisons int) {
	reason, listed := notModelled[rec.ID]
	r := p.runs[rec.ID]
	switch {
	case listed && r != nil:
		t.Errorf("is played although it is listed as not modelled: %s", reason)
	case listed:
		t.Logf("not modelled: %s", reason)
		return false, 0
	case r == nil || r.comparisons == 0:
		t.Errorf("%q is neither compared nor listed as not modelled", rec.Title)
		return false, 0
	}
	for _, d := range r.differences {
		t.Error(d)
	}
	return true, r.comparisons
}

// play repeats all steps in the same order: pods are made, changed, and edited by hand; the controller is stopped, more
// is changed, and it is started again; then come the experiments that need all of that.
func (p *replay) play(list []recording) {
	p.t.Cleanup(p.stop)
	p.start()
	p.makeCluster()
	for _, r := range list {
		if r.Phase == "create" {
			p.playCreate(r)
		}
	}
	p.playActors()
	p.playPolicies(list)
	p.compareGroups()
	for _, r := range list {
		if r.Phase == "update" {
			p.playUpdate(r)
		}
	}
	p.playDrift(list)
	for _, r := range list {
		if r.Phase == "extra" {
			p.playExtra(r)
		}
	}
}

func (p *replay) begin(r recording) *run {
	text, err := json.Marshal(r.Given)
	check(p.t, err)
	started := &run{recording: r, translation: translation{}, asked: string(text)}
	p.runs[r.ID] = started
	return started
}

// base returns the name of the case's port on the default network.
func (r *run) base() string {
	owner := r.Pod
	if kind, name, ok := strings.Cut(r.Owner, "/"); ok && kind == "VirtualMachineInstance" {
		owner = name
	}
	return kubeovn.PortName(owner, r.Namespace, kubeovn.DefaultProvider)
}

// playCreate makes a pod and compares the result.
func (p *replay) playCreate(rec recording) {
	r := p.begin(rec)
	p.makePod(&r.recording)
	p.settle()
	p.compare(r, "after creation", r.After, r.Ports)
	r.diff("warnings", r.Warnings, p.warnings(r.Namespace, r.Pod, len(r.Warnings)))
}

// compare compares a pod's annotations and ports. A nil map of annotations means that the pod is gone.
func (p *replay) compare(r *run, when string, annotations map[string]string, ports []recordedPort) {
	actual := map[string]string{}
	if len(annotations) > 0 {
		actual = p.getPod(r.Namespace, r.Pod).Annotations
		r.learn(annotations, actual, r.asked)
		for there, here := range r.translation {
			if strings.Contains(there, ":") == strings.Contains(here, ":") && here != "" {
				continue
			}
			r.differences = append(r.differences, fmt.Sprintf("%s: recorded %s became %q", when, there, here))
		}
	}
	if actual == nil {
		actual = map[string]string{}
	}
	r.diff(when+": annotations", r.values(annotations), actual)
	r.diff(when+": ports", r.ports(ports), p.portsNamed(r.base()))
}

// warnings returns the pod's distinct warnings. Events are written in the background, so it waits for the wanted
// number.
func (p *replay) warnings(namespace, pod string, want int) []string {
	p.t.Helper()
	for end := time.Now().Add(settleTimeout); ; time.Sleep(10 * time.Millisecond) {
		events, err := p.kube.CoreV1().
			Events(namespace).
			List(p.t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod})
		check(p.t, err)
		var list []string
		for _, e := range events.Items {
			if text := e.Reason + ": " + e.Message; e.Type == corev1.EventTypeWarning && !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
		if len(list) >= want || time.Now().After(end) {
			return list
		}
	}
}

// playUpdate makes a pod and takes it through its steps.
func (p *replay) playUpdate(rec recording) {
	r := p.begin(rec)
	if r.ID == "V02" {
		r.Owner = "VirtualMachineInstance/v02vm"
	}
	if r.Node == "" {
		r.Node = "node-a"
	}
	p.makePod(&r.recording)
	for r.step < len(r.Steps) {
		p.playStep(r)
	}
}

// playStep does one step and compares.
func (p *replay) playStep(r *run) {
	s := &r.Steps[r.step]
	before := map[string]string{}
	if r.step > 0 {
		before = r.Steps[r.step-1].Annotations
	}
	r.step++
	if text, err := json.Marshal(s.Patched); err == nil {
		r.asked += string(text)
	}
	p.act(r, s, before)
	if p.standin != nil {
		p.settle()
	}
	when := fmt.Sprintf("step %d, %s", r.step, s.Step)
	p.compare(r, when, s.Annotations, s.Ports)
	for name, want := range s.AddressSets {
		set, _, err := p.reader.AddressSet(p.t.Context(), name)
		check(p.t, err)
		p.compareSet(r, when+": address set "+name, want, set.Addresses)
	}
}

// compareSet compares the part of a shared address set that comes from a case: which of the case's addresses, and of
// the addresses that mean everybody, are in it.
func (p *replay) compareSet(r *run, what string, want, got []string) {
	own := func(list []string) []string {
		out := []string{}
		for _, a := range list {
			if slices.Contains(slices.Collect(maps.Values(r.translation)), a) || strings.Contains(r.asked, a) ||
				a == "0.0.0.0/0" ||
				a == "10.16.66.66" {
				out = append(out, a)
			}
		}
		slices.Sort(out)
		return out
	}
	r.diff(what, own(r.list(want)), own(got))
}

// act repeats a step. A step without a recorded patch is recognised by its words, and its annotations by the difference
// between the pod before and after.
func (p *replay) act(r *run, s *recordedStep, before map[string]string) {
	ns, pod := r.Namespace, r.Pod
	label := func() {
		p.patchPod(
			ns,
			pod,
			map[string]any{"metadata": map[string]any{"labels": map[string]any{"touched": strconv.Itoa(r.step)}}},
		)
	}
	switch name := s.Step; {
	case name == "create" || strings.Contains(name, "idle until") || strings.Contains(name, "s after controller "+
		"restart") || name == "sg1 address sets":
	case len(s.Labels) > 0 || strings.Contains(name, "unrelated label"):
		label()
	case len(s.ByHand) > 0:
		for _, port := range s.Ports {
			p.edit(r.port(port))
		}
	case s.Patched != nil:
		set := map[string]any{}
		for key, value := range s.Patched {
			set[key] = value
		}
		p.annotatePod(ns, pod, set)
	case strings.HasPrefix(name, "namespace annotated"):
		p.annotateNamespace(ns, map[string]any{"ovn.kubernetes.io/port_security": "true"})
	case strings.HasPrefix(name, "11 patches"):
		for i := range 11 {
			p.annotatePod(ns, pod, map[string]any{"ovn.kubernetes.io/port_security": strconv.FormatBool(i%2 == 0)})
		}
	case name == "status.phase -> Succeeded":
		p.patchPod(ns, pod, map[string]any{"status": map[string]any{"phase": "Succeeded"}}, "status")
	case name == "second virt-launcher pod created":
		second := r.recording
		second.Pod, second.Node = "virt-launcher-v02vm-dst", "node-b"
		p.makePod(&second)
	case name == "port_security=false on the target pod":
		p.annotatePod(ns, "virt-launcher-v02vm-dst", map[string]any{"ovn.kubernetes.io/port_security": "false"})
	default:
		set := changes(before, s.Annotations)
		if len(set) == 0 {
			p.t.Fatalf("%s: nothing is known about what step %q did", r.ID, name)
		}
		p.annotatePod(ns, pod, set)
		if strings.HasSuffix(name, "port_security touched") {
			for _, value := range []string{"false", "true"} {
				p.settle()
				p.annotatePod(ns, pod, map[string]any{"ovn.kubernetes.io/port_security": value})
			}
		}
	}
}

// changes returns the annotation patch from one copy of a pod to the next.
func changes(before, after map[string]string) map[string]any {
	set := map[string]any{}
	for key := range before {
		if _, ok := after[key]; !ok {
			set[key] = nil
		}
	}
	for key, value := range after {
		if old, ok := before[key]; !ok || old != value {
			set[key] = value
		}
	}
	return set
}

// playDrift runs the cases around a restart together: first the steps before it, then all steps while the controller is
// down, then the comparison after it, and after two rounds of garbage collection.
func (p *replay) playDrift(list []recording) {
	var runs []*run
	var foreign *run
	for _, rec := range list {
		switch {
		case rec.Phase != "drift" || rec.ID == policyDrift || notModelled[rec.ID] != "":
		case rec.Foreign != nil:
			foreign = p.begin(rec)
		default:
			runs = append(runs, p.begin(rec))
		}
	}
	until := func(words string, f func(*run)) {
		for _, r := range runs {
			for r.step < len(r.Steps) && !strings.Contains(r.Steps[r.step].Step, words) {
				f(r)
			}
		}
	}
	for _, r := range runs {
		r.Node = nodeOf(&r.recording)
		if r.ID != "R08" {
			p.makePod(&r.recording)
		}
	}
	p.settle()
	play := func(r *run) { p.playStep(r) }
	for _, r := range runs {
		if isDown(r) {
			p.playStep(r) // creation
		}
	}
	for _, r := range runs {
		for !isDown(r) && r.step < len(r.Steps) && !strings.Contains(r.Steps[r.step].Step, "after controller restart") {
			p.playStep(r)
		}
	}
	p.makeForeign(true)
	p.compareForeign(foreign, 0)
	policies := p.driftPolicies(list)
	p.stop()
	for _, r := range runs {
		if isDown(r) {
			p.playDown(r)
		}
	}
	p.start()
	p.comparePolicyStep(policies, 1)
	p.compareForeign(foreign, 1)
	if p.version == upstream.Master { // only there did the probe of each minute run before the next look
		check(p.t, p.standin.probeNodes(p.t.Context()))
	}
	until("idle until", play)
	check(p.t, p.standin.inspect(p.t.Context()))
	collected := false
	for _, r := range runs {
		if r.step < len(r.Steps) && strings.Contains(r.Steps[r.step].Step, "760 s") && !collected {
			collected = true
			check(p.t, p.standin.collect(p.t.Context()))
			check(p.t, p.standin.collect(p.t.Context()))
		}
	}
	p.settle()
	p.compareForeign(foreign, 2)
	until("nothing has this name", play)
}

// isDown reports whether a case changes something while the controller is down.
func isDown(r *run) bool { return strings.HasPrefix(r.ID, "R") }

// playDown does a step while the controller is down.
func (p *replay) playDown(r *run) {
	s := &r.Steps[r.step]
	switch r.ID {
	case "R07":
		p.deletePod(r.Namespace, r.Pod)
		r.step++
		p.compare(r, s.Step, s.Annotations, s.Ports)
	case "R08":
		p.makePod(&r.recording)
		r.step++
		p.compare(r, s.Step, s.Annotations, s.Ports)
	default:
		p.playStep(r)
	}
}

// nodeOf returns the node in the recorded groups.
func nodeOf(r *recording) string {
	for _, s := range r.Steps {
		for _, port := range s.Ports {
			for _, g := range port.Groups {
				if node, ok := strings.CutPrefix(g, "node."); ok {
					return strings.ReplaceAll(node, ".", "-")
				}
			}
		}
	}
	return "node-a"
}

func (p *replay) annotateNamespace(name string, set map[string]any) {
	p.t.Helper()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": set}})
	check(p.t, err)
	_, err = p.kube.CoreV1().Namespaces().Patch(p.t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{})
	check(p.t, err)
}

// makeForeign makes rows that Kube-OVN did not make, and one that looks like a pod's without a pod. They may exist
// already.
func (p *replay) makeForeign(withGroup bool) {
	p.t.Helper()
	p.nbctl("--may-exist", "ls-add", "foreign-ls")
	p.nbctl(
		"--may-exist",
		"lsp-add",
		"foreign-ls",
		"foreign-on-foreign-ls",
		"--",
		"lsp-set-addresses",
		"foreign-on-foreign-ls",
		"00:00:00:fe:00:01 10.200.0.1",
	)
	p.nbctl(
		"--may-exist",
		"lsp-add",
		DefaultSubnet,
		"foreign-novendor",
		"--",
		"lsp-set-addresses",
		"foreign-novendor",
		"00:00:00:fe:00:02 10.16.9.50",
	)
	p.nbctl(
		"--may-exist",
		"lsp-add",
		DefaultSubnet,
		"foreign-router",
		"--",
		"lsp-set-type",
		"foreign-router",
		"localport",
	)
	p.nbctl(
		"--may-exist",
		"lsp-add",
		DefaultSubnet,
		"ghost.t-drift",
		"--",
		"set",
		"Logical_Switch_Port",
		"ghost.t-drift",
		"external_ids:vendor=kube-ovn",
		"external_ids:ls=ovn-default",
		"external_ids:pod=t-drift/ghost",
	)
	if withGroup {
		p.nbctl("pg-add", "foreign_pg")
		p.nbctl("create", "Address_Set", "name=foreign_as", "addresses=192.0.2.1")
		p.nbctl("--type=port-group", "acl-add", "foreign_pg", "to-lport", "1235", "ip4", "drop")
		p.nbctl("acl-add", DefaultSubnet, "from-lport", "1234", "ip4", "drop")
	}
}

// compareForeign compares which of the foreign rows exist.
func (p *replay) compareForeign(r *run, i int) {
	if r == nil {
		return
	}
	want := r.Foreign[i]
	ports := map[string]bool{}
	for name := range want.Ports {
		_, ports[name] = p.port(name)
	}
	r.diff(want.When+": ports", want.Ports, ports)
	_, ok, err := p.reader.PortGroup(p.t.Context(), "foreign_pg")
	check(p.t, err)
	r.diff(want.When+": port group", slices.Contains(want.Groups, "foreign_pg"), ok)
	acls, err := p.reader.ACLs(p.t.Context())
	check(p.t, err)
	acls = slices.DeleteFunc(acls, func(a nb.ACL) bool { return a.ExternalIDs["parent"] != "" })
	r.diff(want.When+": number of ACLs", want.ACLs, len(acls))
	_, ok, err = p.reader.AddressSet(p.t.Context(), "foreign_as")
	check(p.t, err)
	r.diff(want.When+": address set", true, ok)
}

// playExtra runs one of the experiments on the finished cluster.
func (p *replay) playExtra(rec recording) {
	var result struct {
		Before    map[string]map[string]string `json:"virtual_before"`
		After     map[string]map[string]string `json:"virtual_after"`
		Virtual   map[string]map[string]string
		Still     map[string]bool `json:"still_there"`
		Groups    []string
		CameBack  map[string]float64 `json:"came_back_after_s"`
		Unchanged []string           `json:"after_label_touch"`
	}
	if rec.Result != nil {
		check(p.t, json.Unmarshal(rec.Result, &result))
	}
	virtual := func(m map[string]map[string]string) map[string]map[string]string {
		out := map[string]map[string]string{}
		for name, options := range m {
			out[name] = sortParents(options)
		}
		return out
	}
	touch := func(names ...string) {
		for _, name := range names {
			p.patchPod(
				"t-plain",
				name,
				map[string]any{"metadata": map[string]any{"labels": map[string]any{"touched": rec.ID}}},
			)
		}
		p.settle()
	}
	switch rec.ID {
	case "X02":
		r := p.begin(rec)
		touch("e01-aap") // brings back the port of its Vip, which the restart removed
		r.diff("before", virtual(result.Before), p.virtualPorts())
		p.touchSubnet(DefaultSubnet)
		r.diff("after", virtual(result.After), p.virtualPorts())
	case "X02b":
		r := p.begin(rec)
		touch("e01-aap", "e04-aap-sel1")
		r.diff("after", virtual(result.After), p.virtualPorts())
	case "X09":
		r := p.begin(rec)
		port := p.portsNamed("a02-ps-true.t-plain")[0]
		r.diff("groups", result.Groups, port.Groups)
		port.Groups = nil
		p.edit(port)
		p.settle()
		r.diff("nothing comes back by itself", []string{}, p.portsNamed("a02-ps-true.t-plain")[0].Groups)
		check(p.t, p.standin.probeNodes(p.t.Context()))
		r.diff(
			"after the probe",
			slices.Sorted(maps.Keys(result.CameBack)),
			p.portsNamed("a02-ps-true.t-plain")[0].Groups,
		)
		touch("a02-ps-true")
		r.diff("after a label", result.Unchanged, p.portsNamed("a02-ps-true.t-plain")[0].Groups)
	case "X10-false", "X10-true":
		r := p.begin(rec)
		p.makeForeign(false)
		p.stop()
		p.externalVPC = rec.ID == "X10-true"
		p.start()
		check(p.t, p.standin.collect(p.t.Context()))
		check(p.t, p.standin.collect(p.t.Context()))
		p.settle()
		still := map[string]bool{}
		for name := range result.Still {
			_, still[name] = p.port(name)
		}
		_, ls, err := p.reader.Switch(p.t.Context(), "foreign-ls")
		check(p.t, err)
		still["foreign-ls"] = ls
		r.diff("still there", result.Still, still)
		r.diff("virtual ports", virtual(result.Virtual), p.virtualPorts())
	default:
		rec.Node = nodeOfPorts(rec.Ports)
		p.playCreate(rec)
	}
}

func nodeOfPorts(ports []recordedPort) string {
	return nodeOf(&recording{Steps: []recordedStep{{Ports: ports}}})
}

// touchSubnet changes the spec of a subnet.
func (p *replay) touchSubnet(name string) {
	p.t.Helper()
	patch := `{"spec":{"excludeIps":["10.16.0.1","10.16.255.253"]}}`
	_, err := p.dyn.Resource(crd.Subnets).
		Patch(p.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	check(p.t, err)
	p.settle()
	// The subnet's event comes over another watch.
	for end := time.Now().Add(settleTimeout); ; time.Sleep(time.Millisecond) {
		s, ok := p.standin.subnets.get("", name)
		if ok && slices.Contains(s.Spec.ExcludeIPs, "10.16.255.253") && p.standin.queue.idle() {
			return
		}
		if time.Now().After(end) {
			p.t.Fatal("the subnet's change is not seen")
		}
	}
}
