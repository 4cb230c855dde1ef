package admission

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// refusedBy is a request that a check refuses, in town after the change by scene.
type refusedBy struct {
	user     string // the tenant where empty
	old, pod Pod    // old has annotations for a change
	scene    func(*scene)
	policy   func(*policy.Policy)
	late     bool
	undo     undoing
}

// refusals returns what the checks refuse.
func (c *refusedBy) refusals(mode policy.Mode) []Refusal {
	s := newScene()
	if c.scene != nil {
		c.scene(s)
	}
	s.policy(func(p *policy.Policy) {
		if p.Mode = mode; c.policy != nil {
			c.policy(p)
		}
	})
	v := &View{
		Accounts: DefaultAccounts(), User: c.user, Namespace: s.namespace, Inventory: s.inventory.Snapshot(), Now: now,
		Undo: c.undo,
	}
	if v.User == "" {
		v.User = tenant
	}
	if c.late {
		over := make(chan struct{})
		close(over)
		v.Done = over
	}
	p := ParsePod(s.namespace.Name, &c.pod, nil)
	if r := p.Excess(nil); r != nil {
		return []Refusal{*r}
	}
	if c.old.Metadata.Annotations == nil {
		refusals, _ := v.CheckCreate(p)
		return refusals
	}
	refusals, _ := v.CheckUpdate(ParsePod(s.namespace.Name, &c.old, nil), p)
	return refusals
}

// refusedByCheck returns a request for each check.
func refusedByCheck() map[*Check]refusedBy {
	gateways, owner := egressScene()
	ofGateway := func(s *scene) { *s = *gateways }
	owned := func(p Pod) Pod {
		p.Metadata.Owners = []OwnerReference{owner}
		return p
	}
	named := pod(ps, "true")
	named.Metadata.Name = "victim.u.nad.n"
	labelled := running()
	labelled.Metadata.Labels = map[string]string{"app": "router"}
	excepted := func(s *scene) { s.exception(func(*policy.Exception) {}) }
	honours := func(p *policy.Policy) { p.ExceptionsIn = []string{"t"} }
	routed := pod(ps, "true", groups, "web")
	routed.Metadata.Labels = labelled.Metadata.Labels
	unread := func(s *scene) { s.inventory.Expect(inventory.Records) }
	forbids := undoing{changed: true, err: ErrNoUndo}
	many := make([]string, policy.ListLimit+1)
	for i := range many {
		many[i] = fmt.Sprintf("10.16.1.%d", i)
	}
	return map[*Check]refusedBy{
		tooMuch:            {pod: pod(ps, "true", vips, strings.Join(many, ","))},
		outOfTime:          {pod: pod(ps, "true"), late: true},
		notReadYet:         {pod: pod(ps, "true", ip, "10.16.0.30"), scene: unread},
		unreadableNetworks: {pod: pod(ps, "true", networks, "[null]")},
		fixedNetworks: {
			old: running(),
			pod: running(networks, "blue", "blue.t.ovn.kubernetes.io/port_security", "true"),
		},
		misleadingInterface: {
			pod: pod(ps, "true", networks, "blue@ovn", "blue.t.ovn.ovn.kubernetes.io/port_security", "true"),
		},
		outsideOVN: {
			pod:    pod(ps, "true", networks, "gone", "gone.t.ovn.kubernetes.io/port_security", "true"),
			policy: func(p *policy.Policy) { p.ForbidsOthers = true },
		},
		portSecurityOff: {pod: pod(ps, "false")},
		layer2Forward:   {pod: pod(ps, "true", l2, "true")},
		grantedAddress:  {pod: pod(ps, "true", vips, "10.16.0.99")},
		takesVip:        {pod: pod(ps, "true", "ovn.kubernetes.io/vip", "foreign")},
		chosenAddress:   {pod: pod(ps, "true", ip, "10.16.0.5")},
		chosenMAC:       {pod: pod(ps, "true", hw, "0a:00:00:00:00:05")},
		foreignSubnet:   {pod: pod(ps, "true", lsp, "theirs")},
		ownKey:          {pod: pod(ps, "true", "ovn.kubernetes.io/allocated", "true")},
		machineKey:      {pod: pod(ps, "true", kubeovn.MigrationJob, "job")},
		anotherPort:     {pod: pod(ps, "true", "ovn.eth0.kubernetes.io/ip_address", "")},
		externalAddress: {pod: pod(ps, "true", "ovn.kubernetes.io/eip", "203.0.113.9")},
		securityGroup:   {pod: routed, scene: excepted, policy: honours},
		forgedOwner:     {pod: owned(pod(ps, "true"))},
		portOfOther:     {pod: named, scene: func(s *scene) { s.namespace.Name = "ovn" }},
		notAllocated: {
			old: without(running(), "ovn.kubernetes.io/allocated", ip, hw),
			pod: without(running(groups, "web"), "ovn.kubernetes.io/allocated", ip, hw),
		},
		loosened: {old: running(), pod: labelled, scene: excepted, policy: honours},
		adoption: {user: replicas, old: running(), pod: owned(running()), scene: ofGateway},
		decisionForgotten: {
			old:   owned(running()),
			pod:   owned(without(running(), policy.RecordAnnotation)),
			scene: ofGateway,
		},
		undoMark: {old: running(), pod: running(policy.UndoAnnotation, "0001-0000"), undo: forbids},
	}
}

// Every check refuses under the mode of the policy; the checks that always refuse do so under every mode. Each has an
// ID of its own, in order, and its refusals and the documents use the ID.
func TestEveryCheckUnderEachMode(t *testing.T) {
	page, err := os.ReadFile("../../docs/admission.md")
	if err != nil {
		t.Fatal(err)
	}
	requests := refusedByCheck()
	for i, c := range Checks {
		if want := fmt.Sprintf("OVGA%02d", i+1); c.ID != want {
			t.Errorf("%s is %s, want %s", c.Name, c.ID, want)
		}
		always := ""
		if c.Always {
			always = "always"
		}
		row := fmt.Sprintf(
			"| <a id=%q></a>%s | `%s` | %s | %s |\n",
			strings.ToLower(c.ID),
			c.ID,
			c.Name,
			c.Summary,
			always,
		)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/admission.md lacks the row\n%s", row)
		}
		request, ok := requests[c]
		if !ok {
			t.Errorf("%s %s: no request is tried", c.ID, c.Name)
			continue
		}
		for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
			want := mode
			if c.Always {
				want = policy.Enforce
			}
			refusals := request.refusals(mode)
			at := slices.IndexFunc(refusals, func(r Refusal) bool { return r.Check == c })
			if at < 0 || refusals[at].Mode != want || !strings.Contains(refusals[at].String(), c.ID) {
				t.Errorf("%s %s under %s: want it refused under %s, got %+v", c.ID, c.Name, mode, want, refusals)
			}
			for _, r := range refusals {
				if !r.Check.Always && r.Mode != mode {
					t.Errorf("%s under %s: refused under %s: %s", r.Check.ID, mode, r.Mode, r)
				}
			}
		}
	}
}
