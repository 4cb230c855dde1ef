package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// drawQuery returns a port of a pod in namespace gw, with random policies, wishes and exceptions.
func drawQuery(t *rapid.T) Query {
	value := rapid.SampledFrom([]string{"", "true", "false", "True", "0", "rubbish"})
	some := func(what string) bool { return rapid.Bool().Draw(t, what) }
	selector := func(what string) Selector {
		app := rapid.SampledFrom([]string{"router", "web"}).Draw(t, what)
		return func(l map[string]string) bool { return l["app"] == app }
	}
	q := Query{
		Provider: kubeovn.DefaultProvider,
		Now:      noon.Add(time.Duration(rapid.IntRange(-180, 180).Draw(t, "minutes")) * time.Minute),
		Namespace: Namespace{
			Name:   "gw",
			Labels: map[string]string{},
			Annotations: map[string]string{
				ps: value.Draw(t, "namespace's wish"),
				l2: value.Draw(t, "namespace's layer 2"),
			},
		},
		Pod: Pod{
			Labels:      map[string]string{"app": rapid.SampledFrom([]string{"router", "web"}).Draw(t, "app")},
			Annotations: map[string]string{ps: value.Draw(t, "pod's wish"), l2: value.Draw(t, "pod's layer 2")},
		},
	}
	if some("labelled") {
		q.Namespace.Labels[LevelLabel] = rapid.SampledFrom([]string{"strict", "mac", "open", "rubbish"}).
			Draw(t, "label")
	}
	if some("inherited") {
		q.Pod.Inherited = []kubeovn.Provider{kubeovn.DefaultProvider}
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
		q.Policies = append(q.Policies, drawPolicy(t, string(rune('a'+i)), selector))
	}
	SortPolicies(q.Policies)
	for range rapid.IntRange(0, 3).Draw(t, "exceptions") {
		q.Exceptions = append(q.Exceptions, drawException(t, selector))
	}
	return q
}

func drawPolicy(t *rapid.T, name string, selector func(string) Selector) Policy {
	p := gateways(func(p *Policy) {
		p.Name, p.Priority = name, int32(rapid.IntRange(0, 2).Draw(t, "priority"))
		p.Level = rapid.SampledFrom([]Level{Strict, MAC, Open}).Draw(t, "level")
		p.Forwarding = rapid.SampledFrom([]Forwarding{Forbid, Allow}).Draw(t, "forwarding")
		p.Limits.Level = rapid.SampledFrom([]Level{Strict, MAC, Open}).Draw(t, "loosest")
		p.ExternalAddresses = rapid.Bool().Draw(t, "external")
		p.ForbidsOthers = rapid.Bool().Draw(t, "forbids others")
	})
	if rapid.Bool().Draw(t, "for some pods") {
		p.Pods = selector("policy for")
	}
	if rapid.Bool().Draw(t, "honours none") {
		p.ExceptionsIn = nil
	}
	return p
}

func drawException(t *rapid.T, selector func(string) Selector) Exception {
	return routes(func(e *Exception) {
		e.Name = rapid.StringMatching(`[a-z]{1,3}`).Draw(t, "name")
		e.Pods = selector("exception for")
		e.Level = rapid.SampledFrom([]Level{Strict, MAC, Open}).Draw(t, "granted level")
		e.Forwarding = rapid.SampledFrom([]Forwarding{Forbid, Require}).Draw(t, "granted forwarding")
		e.Pairs = nil
		for range rapid.IntRange(0, 2).Draw(t, "pairs") {
			p := pair(
				rapid.SampledFrom([]string{"10.20.0.0/24", "10.20.0.0/28", "10.21.0.1/32", "fd00:20::/64"}).
					Draw(t, "prefix"),
			)
			if rapid.Bool().Draw(t, "with a MAC") {
				p.MAC = portsec.MAC{0x0a, 0, 0, 0, 0, 9}
			}
			e.Pairs = append(e.Pairs, p)
		}
		e.NotBefore = noon.Add(time.Duration(rapid.IntRange(-60, 60).Draw(t, "begins")) * time.Minute)
		e.Expires = e.NotBefore.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "lasts")) * time.Minute)
	})
}

// A pod's wish never makes its port looser than without it.
func TestThePodsWishNeverLowersTheFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		without := q
		without.Pod.Annotations = nil
		if with, floor := Decide(q), Decide(without); with.Looser(floor) {
			t.Fatalf("%+v\nis looser than without the wish\n%+v", with, floor)
		}
	})
}

// A policy that selects pods by labels never loosens what the other policies say, because the pods' authors choose
// their labels.
func TestAPolicyForPodsNeverLowersTheFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		q.Exceptions = nil // their bounds come from the policy of the port, which is another one then
		without := q
		without.Policies = slices.DeleteFunc(slices.Clone(q.Policies), func(p Policy) bool { return p.Pods != nil })
		if with, floor := Decide(q), Decide(without); with.Looser(floor) {
			t.Fatalf("%+v\nis looser than without policies for pods\n%+v", with, floor)
		}
	})
}

// Removing an exception never lets a port do more, and an exception outside its time has no effect at all.
func TestAnExceptionThatGoesNeverWidens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		with := Decide(q)
		for i := range q.Exceptions {
			less := q
			less.Exceptions = slices.Delete(slices.Clone(q.Exceptions), i, i+1)
			if without := Decide(less); without.Looser(with) {
				t.Fatalf("without exception %d\n%+v\nis looser than with it\n%+v", i, without, with)
			}
		}
		late, none := q, q
		late.Now, none.Exceptions = noon.Add(1000*time.Hour), nil
		if got, want := summary(Decide(late)), summary(Decide(none)); got != want {
			t.Fatalf("when all exceptions have ended it is %s, and %s without any", got, want)
		}
	})
}

// A decision does not change by itself until the time that it names, and it may change then.
func TestADecisionHoldsUntilItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuery(t)
		d := Decide(q)
		until := d.NextChange
		if until.IsZero() {
			until = q.Now.Add(1000 * time.Hour)
		} else if !until.After(q.Now) {
			t.Fatalf("at %s it says that it changes at %s", q.Now, until)
		}
		later := q
		later.Now = q.Now.Add(time.Duration(rapid.Int64Range(0, int64(until.Sub(q.Now)-1)).Draw(t, "later")))
		if got := summary(Decide(later)); got != summary(d) {
			t.Fatalf("at %s it is %s, and at %s, before %s, %s", q.Now, summary(d), later.Now, until, got)
		}
	})
}

// summary describes what a decision lets a port do.
func summary(d Decision) string {
	words := append([]string{d.Level.String(), d.Forwarding.String()}, d.OthersForbiddenBy...)
	for _, p := range d.Pairs {
		words = append(words, p.MAC.String()+"/"+p.Prefix.String())
	}
	return strings.Join(words, " ")
}
