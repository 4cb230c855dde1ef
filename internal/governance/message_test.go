package governance

import (
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// The refusal of an exception that does not count under policy names the field, the rule, who may allow it, and the
// field of the policy that forbids it. It has no command that changes the policy, because the author of an exception
// does not decide about policies.
func TestExceptionRefusalsTeach(t *testing.T) {
	type spec = v1alpha1.PortSecurityExceptionSpec
	const administrator = "an administrator"
	three := []v1alpha1.AddressPair{{Prefix: "10.1.0.1"}, {Prefix: "10.1.0.2"}, {Prefix: "10.1.0.3"}}
	cases := map[string]struct {
		edit  func(*spec)
		rule  func(*policy.Policy)
		words []string
	}{
		"namespace": {
			func(*spec) {},
			func(p *policy.Policy) { p.ExceptionsIn = nil },
			[]string{"spec.exceptions.namespaces", administrator},
		},
		"pairs": {
			func(s *spec) { s.Grant.Pairs = three },
			nil,
			[]string{"spec.grant.pairs", "grants 2", administrator, "spec.limits.maxPairs"},
		},
		"prefix": {
			func(s *spec) { s.Grant.Pairs[0].Prefix = "10.30.0.0/20" },
			nil,
			[]string{"spec.grant.pairs", "/24", administrator, "spec.limits.minPrefixLengthIPv4"},
		},
		"IPv6": {
			func(s *spec) { s.Grant.Pairs[0].Prefix = "fd00::/48" },
			nil,
			[]string{"spec.grant.pairs", "/64", administrator, "spec.limits.minPrefixLengthIPv6"},
		},
		"both": {
			func(s *spec) { s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.30.0.0/20"}, {Prefix: "fd00::/48"}} },
			nil,
			[]string{"spec.grant.pairs", administrator, "spec.limits of PortSecurityPolicy all"},
		},
		"anything": {
			func(s *spec) { s.Grant.Pairs[0].Prefix = "0.0.0.0/0" },
			nil,
			[]string{"spec.grant.pairs", "/24", "no policy grants", "level: mac"},
		},
		"level": {
			func(s *spec) { s.Grant.Level = v1alpha1.LevelOpen },
			nil,
			[]string{"spec.grant.level", "no level looser than mac", administrator, "spec.limits.maxLevel"},
		},
		"owner": {
			func(*spec) {},
			func(p *policy.Policy) { p.Limits.Owner = true },
			[]string{"spec.target.owner", administrator, "spec.limits.requireOwner"},
		},
		"lifetime": {
			func(s *spec) { s.ExpiresAt = at(99*time.Hour + time.Minute) },
			nil,
			[]string{"spec.expiresAt", "48h", administrator, "spec.limits.maxLifetime"},
		},
		"ticket": {
			func(s *spec) { s.Ticket = "" },
			nil,
			[]string{"spec.ticket", "NET-", administrator, "spec.exceptions.ticketPattern"},
		},
		"past": {
			func(s *spec) { s.ExpiresAt = at(-time.Hour) },
			nil,
			[]string{"spec.expiresAt", "past", "a time in the future"},
		},
		"another's": {
			func(s *spec) { s.Grant.Pairs[0].Prefix = "10.16.0.20" },
			nil,
			[]string{"spec.grant.pairs[0].prefix", "port web-0.bank", "sharedWith"},
		},
		"approval": {
			func(s *spec) { s.ApprovedBy = "alice" },
			nil,
			[]string{"spec.approvedBy", "is new", "let another user approve it"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cluster := honouring()
			if c.rule != nil {
				c.rule(&cluster.policies[0])
			}
			object := asked()
			c.edit(&object.Spec)
			object.Spec.RequestID = idOf(object)
			a, err := guardOf(cluster).Exception(t.Context(), request(t, exceptions, object, nil))
			expect(t, a, err, c.words...)
			if said := strings.Join(
				a.Denials(),
				"\n",
			); strings.Contains(said, "kubectl patch portsecuritypolicy ") ||
				strings.Contains(said, "kubectl edit") {
				t.Errorf("it gives a command that changes policy: %q", said)
			}
			if n := strings.Count(strings.Join(a.Denials(), "\n"), administrator); n > 1 {
				t.Errorf("said %d times who may allow it: %q", n, a.Denials())
			}
		})
	}
}
