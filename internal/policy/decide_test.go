package policy

import (
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

const (
	ps = "ovn.kubernetes.io/port_security"
	l2 = "ovn.kubernetes.io/layer2_forward"
)

func TestDecideLevel(t *testing.T) {
	cases := map[string]struct {
		namespace, pod map[string]string
		err            error
		level          Level
		from           Source
		refused        int
	}{
		"nothing said": {level: Strict, from: FromDefault},
		"namespace true": {
			namespace: map[string]string{ps: "true"},
			level:     Strict,
			from:      FromNamespace,
		},
		"namespace false": {
			namespace: map[string]string{ps: "false"},
			level:     Open,
			from:      FromNamespace,
		},
		"namespace look-alike of false": {
			namespace: map[string]string{ps: " FALSE"},
			level:     Open,
			from:      FromNamespace,
		},
		"namespace garbage": {
			namespace: map[string]string{ps: "maybe"},
			level:     Strict,
			from:      FromDefault,
			refused:   1,
		},
		"namespace empty value": {namespace: map[string]string{ps: ""}, level: Strict, from: FromDefault},
		"pod false": {
			pod:     map[string]string{ps: "false"},
			level:   Strict,
			from:    FromDefault,
			refused: 1,
		},
		"pod zero": {
			pod:     map[string]string{ps: "0"},
			level:   Strict,
			from:    FromDefault,
			refused: 1,
		},
		"pod true": {pod: map[string]string{ps: "true"}, level: Strict, from: FromDefault},
		"pod garbage": {
			pod:     map[string]string{ps: "tru"},
			level:   Strict,
			from:    FromDefault,
			refused: 1,
		},
		"pod tightens an open namespace": {
			namespace: map[string]string{ps: "false"},
			pod:       map[string]string{ps: "True"},
			level:     Strict,
			from:      FromPod,
		},
		"pod agrees with an open one": {
			namespace: map[string]string{ps: "false"},
			pod:       map[string]string{ps: "false"},
			level:     Open,
			from:      FromNamespace,
		},
		"pod against a strict namespace": {
			namespace: map[string]string{ps: "true"},
			pod:       map[string]string{ps: "false"},
			level:     Strict,
			from:      FromNamespace,
			refused:   1,
		},
		"namespace not readable": {err: errors.New("timeout"), level: Strict, from: FromDefault},
		"not readable and the pod loosens": {
			err:     errors.New("timeout"),
			pod:     map[string]string{ps: "false"},
			level:   Strict,
			from:    FromDefault,
			refused: 1,
		},
		"another provider's key": {
			namespace: map[string]string{"nad.ns.ovn.kubernetes.io/port_security": "false"},
			level:     Strict,
			from:      FromDefault,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Decide(Query{
				Provider:  kubeovn.DefaultProvider,
				Namespace: Namespace{Name: "ns", Annotations: c.namespace, Err: c.err},
				Pod:       Pod{Annotations: c.pod},
			})
			if d.Level != c.level || d.LevelFrom != c.from {
				t.Errorf("level %v from %v, want %v from %v; steps %+v", d.Level, d.LevelFrom, c.level, c.from, d.Steps)
			}
			if got := len(d.Refusals()); got != c.refused {
				t.Errorf("%d refusals, want %d: %+v", got, c.refused, d.Steps)
			}
		})
	}
}

func TestDecideForwarding(t *testing.T) {
	cases := map[string]struct {
		namespace, pod map[string]string
		err            error
		forwarding     Forwarding
		from           Source
		refused        int
	}{
		"nothing said": {forwarding: Forbid, from: FromDefault},
		"pod asks": {
			pod:        map[string]string{l2: "true"},
			forwarding: Forbid,
			from:       FromDefault,
			refused:    1,
		},
		"namespace allows": {
			namespace:  map[string]string{l2: "true"},
			forwarding: Allow,
			from:       FromNamespace,
		},
		"namespace allows and pod asks": {
			namespace:  map[string]string{l2: "true"},
			pod:        map[string]string{l2: "true"},
			forwarding: Allow,
			from:       FromNamespace,
		},
		"namespace allows, pod declines": {
			namespace:  map[string]string{l2: "true"},
			pod:        map[string]string{l2: "false"},
			forwarding: Forbid,
			from:       FromPod,
		},
		"namespace forbids and pod asks": {
			namespace:  map[string]string{l2: "no"},
			pod:        map[string]string{l2: "1"},
			forwarding: Forbid,
			from:       FromNamespace,
			refused:    1,
		},
		"namespace not readable, pod ask": {
			err:        errors.New("timeout"),
			pod:        map[string]string{l2: "true"},
			forwarding: Forbid,
			from:       FromDefault,
			refused:    1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := Decide(Query{
				Provider:  kubeovn.DefaultProvider,
				Namespace: Namespace{Name: "ns", Annotations: c.namespace, Err: c.err},
				Pod:       Pod{Annotations: c.pod},
			})
			if d.Forwarding != c.forwarding || d.ForwardingFrom != c.from {
				t.Errorf(
					"forwarding %v from %v, want %v from %v; steps %+v",
					d.Forwarding,
					d.ForwardingFrom,
					c.forwarding,
					c.from,
					d.Steps,
				)
			}
			if got := len(d.Refusals()); got != c.refused {
				t.Errorf("%d refusals, want %d: %+v", got, c.refused, d.Steps)
			}
		})
	}
}

// A pod's wish never lowers the level of its parents, whatever it writes.
func TestPodNeverLoosens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.SampledFrom([]string{"", "true", "false", "True", "0", "1", "off", "x"}),
			rapid.String(),
		)
		annotations := rapid.MapOf(rapid.SampledFrom([]string{ps, l2, "nad.ns.ovn.kubernetes.io/port_security"}), value)
		ns := Namespace{Name: "ns", Annotations: annotations.Draw(t, "namespace")}
		if rapid.Bool().Draw(t, "unreadable") {
			ns.Err = errors.New("timeout")
		}
		floor := Decide(Query{Provider: kubeovn.DefaultProvider, Namespace: ns})
		got := Decide(
			Query{Provider: kubeovn.DefaultProvider, Namespace: ns, Pod: Pod{Annotations: annotations.Draw(t, "pod")}},
		)
		if got.Level > floor.Level || got.Forwarding > floor.Forwarding {
			t.Fatalf("floor %v/%v, with the pod's wish %v/%v", floor.Level, floor.Forwarding, got.Level, got.Forwarding)
		}
	})
}
