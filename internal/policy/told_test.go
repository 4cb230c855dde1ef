package policy

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// The step of a wish reports its real outcome: a key that admission wrote for a grant is not refused, and a wish that
// something overrules is not accepted.
func TestWishesAreToldAsTheyStand(t *testing.T) {
	const security, forward = "ovn.kubernetes.io/port_security", "ovn.kubernetes.io/layer2_forward"
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	all := Policy{Name: "all", ExceptionsIn: []string{"ns"}, Limits: Limits{Level: Open, Lifetime: time.Hour}}
	grant := Exception{
		Namespace:  "ns",
		Name:       "nested",
		Pods:       func(map[string]string) bool { return true },
		Level:      Open,
		Forwarding: Require,
		Asked:      now,
		Expires:    now.Add(time.Hour),
	}
	for name, c := range map[string]struct {
		pod, namespace, labels map[string]string
		exceptions             []Exception
		key                    string
		source                 Source
		want                   Outcome
	}{
		"forwarding that nothing grants": {
			pod: map[string]string{forward: "true"}, key: forward, source: FromPod, want: Refused,
		},
		"forwarding that admission wrote for a grant": {
			pod: map[string]string{forward: "true"}, exceptions: []Exception{grant}, key: forward, source: FromPod,
			want: Agreed,
		},
		"open, as it is granted": {
			pod: map[string]string{security: "false"}, exceptions: []Exception{grant}, key: security, source: FromPod,
			want: Agreed,
		},
		"no forwarding, against a grant": {
			pod: map[string]string{forward: "false"}, exceptions: []Exception{grant}, key: forward, source: FromPod,
			want: Overruled,
		},
		"strict, against a grant": {
			pod: map[string]string{security: "true"}, exceptions: []Exception{grant}, key: security, source: FromPod,
			want: Overruled,
		},
		"a namespace's false besides its label": {
			namespace: map[string]string{security: "false"}, labels: map[string]string{LevelLabel: "strict"},
			key: security, source: FromNamespace, want: Overruled,
		},
		"a namespace's label besides its true": {
			namespace: map[string]string{security: "true"}, labels: map[string]string{LevelLabel: "mac"},
			key: LevelLabel, source: FromNamespace, want: Overruled,
		},
		"a namespace's false alone": {
			namespace: map[string]string{security: "false"}, key: security, source: FromNamespace, want: Applied,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := Decide(Query{
				Provider:   kubeovn.DefaultProvider,
				Namespace:  Namespace{Name: "ns", Annotations: c.namespace, Labels: c.labels},
				Pod:        Pod{Annotations: c.pod},
				Policies:   []Policy{all},
				Exceptions: c.exceptions,
				Now:        now,
			})
			i := slices.IndexFunc(d.Steps, func(s Step) bool { return s.Key == c.key && s.Source == c.source })
			if i < 0 || d.Steps[i].Outcome != c.want {
				t.Errorf("want %s of %s: %+v", c.want, c.key, d.Steps)
			}
		})
	}
}

// A false that admission replaced by true is reported as false, and the true as nobody's wish.
func TestReplacedWishIsTold(t *testing.T) {
	const security = "ovn.kubernetes.io/port_security"
	annotations := map[string]string{security: "true", RecordAnnotation: Record(map[kubeovn.Provider]Recorded{
		kubeovn.DefaultProvider: {Level: "strict", From: "default", Overruled: "false"},
	})}
	d := Decide(Query{
		Provider: kubeovn.DefaultProvider, Namespace: Namespace{Name: "ns"},
		Pod: Pod{Annotations: annotations, Inherited: Inherited(annotations)},
	})
	steps := d.Told(annotations, kubeovn.DefaultProvider)
	if len(steps) != 1 || steps[0].Value != "false" || steps[0].Outcome != Refused || len(d.Steps) != 0 {
		t.Errorf("told %+v, of %+v", steps, d.Steps)
	}
}
