package governance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const (
	aliceShares = "alice share subnets.ovnguard.io /ovn-default"
	bobShares   = "bob share subnets.ovnguard.io /ovn-default"
	bobApproves = "bob approve portsecurityexceptions.ovnguard.io shop/x"
)

// ofSubnet makes the exception ask for a range of the pods' subnet.
func ofSubnet(prefix string) func(*v1alpha1.PortSecurityException) {
	return pairs(v1alpha1.AddressPair{Prefix: prefix, SharedWith: "ovn-default"})
}

// standing returns whether an exception counts, and why, with the policies of the guard's inventory.
func standing(g *fedGuard, o *v1alpha1.PortSecurityException) (reason policy.Reason, why string) {
	g.Look(func(inv *inventory.State) {
		e := inv.Standing(kube.ExceptionOf(o))
		p := inv.Policies()[0]
		reason, why = e.Standing(&p, noon)
	})
	return reason, why
}

// Only a user who may share the Subnet grants a range of the pods' subnet, whoever else may write exceptions.
func TestThreatT31GrantOverAPodSubnet(t *testing.T) {
	cluster := honouring()
	cluster.rights = []string{aliceShares}
	g := guardOf(cluster)
	_, a, err := through(t, g, "mallory", asked(ofSubnet("10.16.5.0/24")), nil)
	expect(
		t,
		a,
		err,
		"spec.grant.pairs[0].sharedWith",
		`verb "share" on subnets.ovnguard.io ovn-default`,
		"user mallory does not have the verb",
	)
	forced := asked(ofSubnet("10.16.5.0/24"))
	if reason, why := standing(
		g,
		forced,
	); reason != policy.NotShared ||
		!strings.Contains(why, "ask a user with that verb to approve it") {
		t.Errorf("without a consent it stands as %s: %s", reason, why)
	}
	got, a, err := through(t, g, "alice", asked(ofSubnet("10.16.5.0/24")), nil)
	expect(t, a, err)
	if reason, why := standing(g, got); reason != policy.InEffect {
		t.Errorf("with the consent it stands as %s: %s", reason, why)
	}
	// A user who asks for more needs the right again.
	_, a, err = through(
		t,
		g,
		"mallory",
		asked(
			ofSubnet("10.16.6.0/24"),
			func(e *v1alpha1.PortSecurityException) { e.Spec.SharedBy = got.Spec.SharedBy },
		),
		got,
	)
	expect(t, a, err, "10.16.6.0/24 is not shared", "user mallory does not have the verb")
	// Narrowing is no consent, and needs no right.
	shorter, a, err := through(
		t,
		g,
		"mallory",
		edited(got, func(e *v1alpha1.PortSecurityException) { e.Spec.ExpiresAt = at(time.Hour) }),
		got,
	)
	expect(t, a, err)
	if len(shorter.Spec.SharedBy) != 1 || shorter.Spec.SharedBy[0].User != "alice" {
		t.Errorf("a shorter one is shared by %+v", shorter.Spec.SharedBy)
	}
	// Where the API server cannot be asked for the right, nobody has it.
	cluster.rightsErr = errors.New("timeout")
	_, a, err = through(t, g, "alice", asked(ofSubnet("10.16.5.0/24")), nil)
	expect(t, a, err, "is not shared")
}

// edited returns a copy with a change.
func edited(
	o *v1alpha1.PortSecurityException,
	change ...func(*v1alpha1.PortSecurityException),
) *v1alpha1.PortSecurityException {
	o = o.DeepCopy()
	for _, f := range change {
		f(o)
	}
	return o
}

// Admission writes consents for the user of the request, and nothing else does.
func TestThreatT32ForgedConsent(t *testing.T) {
	cluster := honouring()
	cluster.rights = []string{aliceShares}
	g := guardOf(cluster)
	share := func(resource, name, user string) v1alpha1.Share {
		return v1alpha1.Share{Resource: resource, Name: name, User: user}
	}
	forged := func(s v1alpha1.Share) *v1alpha1.PortSecurityException {
		return asked(
			ofSubnet("10.16.5.0/24"),
			func(e *v1alpha1.PortSecurityException) { e.Spec.SharedBy = []v1alpha1.Share{s} },
		)
	}
	got, a, err := through(t, g, "mallory", forged(share("subnets", "ovn-default", "alice")), nil)
	expect(t, a, err, "is not shared")
	if len(got.Spec.SharedBy) > 0 {
		t.Errorf("what mallory wrote stays: %+v", got.Spec.SharedBy)
	}
	// A consent that something writes after the mutating judge is refused by the validating judge.
	without := asked(
		ofSubnet("10.16.5.0/24"),
		func(e *v1alpha1.PortSecurityException) { e.Spec.RequestedBy = "mallory" },
	)
	for name, c := range map[string]struct {
		user string
		s    v1alpha1.Share
		old  *v1alpha1.PortSecurityException
	}{
		"in another's name": {"mallory", share("subnets", "ovn-default", "alice"), nil},
		"without the right": {"mallory", share("subnets", "ovn-default", "mallory"), nil},
		"of another subnet": {"alice", share("subnets", "bank-net", "alice"), nil},
		"of a later subnet": {
			"alice", v1alpha1.Share{Resource: "subnets", Name: "ovn-default", UID: "later", User: "alice"}, nil,
		},
		"while nothing is approved": {"alice", share("subnets", "ovn-default", "alice"), without},
	} {
		t.Run(name, func(t *testing.T) {
			object := forged(c.s)
			object.Spec.RequestedBy = c.user
			var old any
			if c.old != nil {
				old, object.Spec.RequestedBy = c.old, c.old.Spec.RequestedBy
			}
			req := request(t, exceptions, object, old)
			req.UserInfo.Username = c.user
			a, err := g.Exception(t.Context(), req)
			expect(t, a, err, "spec.sharedBy[0]", "admission writes it")
		})
	}
	// Labels and a changed order are no consent: a user who may share edits the exception of another without sharing.
	labelled, a, err := through(
		t,
		g,
		"alice",
		edited(without, func(e *v1alpha1.PortSecurityException) { e.Labels = map[string]string{"a": "b"} }),
		without,
	)
	expect(t, a, err)
	if len(labelled.Spec.SharedBy) > 0 {
		t.Errorf("a label is taken for a consent: %+v", labelled.Spec.SharedBy)
	}
}

// Where an approval is awaited, the approver may be the one who consents, and must be if the author may not consent.
func TestThreatT31ApproverConsents(t *testing.T) {
	cluster := honouring(func(p *policy.Policy) { p.Approval = true })
	cluster.rights = []string{bobApproves, bobShares, "carol approve portsecurityexceptions.ovnguard.io shop/x"}
	g := guardOf(cluster)
	pending, a, err := through(t, g, "mallory", asked(ofSubnet("10.16.5.0/24")), nil)
	expect(t, a, err)
	if !strings.Contains(strings.Join(a.Warnings, " "), `"share" on subnets.ovnguard.io ovn-default`) ||
		len(pending.Spec.SharedBy) > 0 {
		t.Errorf("shared by %+v, warnings %q", pending.Spec.SharedBy, a.Warnings)
	}
	approval := func(by string) *v1alpha1.PortSecurityException {
		return edited(pending, func(e *v1alpha1.PortSecurityException) {
			e.Spec.ApprovedBy, e.Spec.ApprovedRequest = by, e.Spec.RequestID
		})
	}
	_, a, err = through(t, g, "carol", approval("carol"), pending)
	expect(
		t,
		a,
		err,
		"spec.approvedBy: neither carol nor the user who asked",
		`"share" on subnets.ovnguard.io ovn-default`,
	)
	approved, a, err := through(t, g, "bob", approval("bob"), pending)
	expect(t, a, err)
	if reason, why := standing(g, approved); reason != policy.InEffect || approved.Spec.SharedBy[0].User != "bob" {
		t.Errorf("approved by bob it stands as %s: %s; shared by %+v", reason, why, approved.Spec.SharedBy)
	}
	// Sharing is no approval: nobody shares and approves their own request.
	cluster.rights = append(cluster.rights, aliceShares)
	own, a, err := through(t, g, "alice", asked(ofSubnet("10.16.5.0/24")), nil)
	expect(t, a, err)
	if reason, _ := standing(g, own); reason != policy.NotApproved {
		t.Errorf("what its author shares stands as %s", reason)
	}
}

// An exception from before there were consents says what to do, and an approval by a user who may share puts it right,
// even where policy asks for no approval.
func TestExceptionFromBeforeConsents(t *testing.T) {
	cluster := honouring()
	cluster.rights = []string{bobApproves, bobShares}
	g := guardOf(cluster)
	before := asked(ofSubnet("10.16.5.0/24"))
	if reason, why := standing(
		g,
		before,
	); reason != policy.NotShared ||
		!strings.Contains(why, `"share" on subnets.ovnguard.io ovn-default`) {
		t.Errorf("it stands as %s: %s", reason, why)
	}
	approved, a, err := through(t, g, "bob", edited(before, func(e *v1alpha1.PortSecurityException) {
		e.Spec.ApprovedBy, e.Spec.ApprovedRequest = "bob", e.Spec.RequestID
	}), before)
	expect(t, a, err)
	if reason, why := standing(g, approved); reason != policy.InEffect {
		t.Errorf("afterwards it stands as %s: %s", reason, why)
	}
}
