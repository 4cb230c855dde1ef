package admission

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const (
	ps    = "ovn.kubernetes.io/port_security"
	l2    = "ovn.kubernetes.io/layer2_forward"
	nadPS = "nad1.t.ovn.kubernetes.io/port_security"
)

var (
	oneNIC  = []kubeovn.NIC{{Provider: kubeovn.DefaultProvider, Kind: kubeovn.KindOVN}}
	twoNICs = append(oneNIC, kubeovn.NIC{Provider: "nad1.t.ovn", Kind: kubeovn.KindOVN})
)

// changePod calls ChangePod for a pod with these annotations in an empty cluster.
func changePod(annotations map[string]string, nics []kubeovn.NIC, ns policy.Namespace) Change {
	v := &View{
		Accounts:  DefaultAccounts(),
		User:      "tenant",
		Namespace: ns,
		Inventory: inventory.New().Snapshot(),
		Now:       time.Unix(1e9, 0),
	}
	annotations = maps.Clone(annotations)
	if len(nics) > 1 {
		if annotations == nil {
			annotations = make(map[string]string)
		}
		annotations[networks] = "t/nad1"
	}
	return v.ChangePod(ParsePod("t", &Pod{Metadata: Metadata{Name: "p", Annotations: annotations}}, nil))
}

func TestChangePod(t *testing.T) {
	cases := map[string]struct {
		pod, namespace map[string]string
		err            error
		nics           []kubeovn.NIC
		set            map[string]string // without policy.RecordAnnotation
		remove         []string
		warnings       int
	}{
		"plain pod becomes strict": {nics: oneNIC, set: map[string]string{ps: "true"}},
		"each NIC by its own key":  {nics: twoNICs, set: map[string]string{ps: "true", nadPS: "true"}},
		"look-alike is normalised": {
			pod:  map[string]string{ps: "True"},
			nics: oneNIC,
			set:  map[string]string{ps: "true"},
		},
		"one is normalised": {
			pod:  map[string]string{ps: "1"},
			nics: oneNIC,
			set:  map[string]string{ps: "true"},
		},
		"already right": {pod: map[string]string{ps: "true"}, nics: oneNIC},
		"pod's own opt-out": {
			pod:      map[string]string{ps: "false"},
			nics:     oneNIC,
			set:      map[string]string{ps: "true"},
			warnings: 1,
		},
		"second NIC's opt-out": {
			pod:      map[string]string{nadPS: "0"},
			nics:     twoNICs,
			set:      map[string]string{ps: "true", nadPS: "true"},
			warnings: 1,
		},
		"open namespace": {
			namespace: map[string]string{ps: "false"},
			nics:      oneNIC,
			set:       map[string]string{ps: "false"},
		},
		"open namespace, second NIC strict": {
			namespace: map[string]string{ps: "false"},
			nics:      twoNICs,
			set:       map[string]string{ps: "false", nadPS: "true"},
		},
		"pod tightens an open namespace": {
			namespace: map[string]string{ps: "false"},
			pod:       map[string]string{ps: "yes"},
			nics:      oneNIC,
			set:       map[string]string{ps: "true"},
		},
		"namespace not readable": {
			err:      errors.New("timeout"),
			nics:     oneNIC,
			set:      map[string]string{ps: "true"},
			warnings: 1,
		},
		"namespace garbage": {
			namespace: map[string]string{ps: "x"},
			nics:      oneNIC,
			set:       map[string]string{ps: "true"},
			warnings:  1,
		},
		"forwarding nobody allows": {
			pod:      map[string]string{l2: "true"},
			nics:     oneNIC,
			set:      map[string]string{ps: "true"},
			remove:   []string{l2},
			warnings: 1,
		},
		"forwarding look-alike not allowed": {
			pod:      map[string]string{l2: "1"},
			nics:     oneNIC,
			set:      map[string]string{ps: "true"},
			remove:   []string{l2},
			warnings: 1,
		},
		"forwarding allowed": {
			namespace: map[string]string{l2: "true"},
			pod:       map[string]string{l2: "True"},
			nics:      oneNIC,
			set:       map[string]string{ps: "true", l2: "true"},
		},
		"forwarding is not imposed": {
			namespace: map[string]string{l2: "true"},
			nics:      oneNIC,
			set:       map[string]string{ps: "true"},
		},
		"forwarding declined stays declined": {
			pod:  map[string]string{l2: "false"},
			nics: oneNIC,
			set:  map[string]string{ps: "true"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := changePod(c.pod, c.nics, policy.Namespace{Name: "t", Annotations: c.namespace, Err: c.err})
			if slices.ContainsFunc(got.Refusals, func(r Refusal) bool { return r.Mode == policy.Enforce }) {
				t.Fatalf("refused: %v", got.Refusals)
			}
			set := got.Apply(nil)
			delete(set, policy.RecordAnnotation)
			if diff := cmp.Diff(c.set, set, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("set: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(c.remove, got.Remove, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("remove: -want +got\n%s", diff)
			}
			if len(got.Warnings) != c.warnings {
				t.Errorf("%d warnings, want %d: %q", len(got.Warnings), c.warnings, got.Warnings)
			}
		})
	}
}

func TestChangePodDeniesGarbage(t *testing.T) {
	for _, key := range []string{ps, l2, nadPS} {
		got := changePod(map[string]string{key: "tru"}, twoNICs, policy.Namespace{Name: "t"})
		if len(got.Refusals) != 1 || got.Refusals[0].Mode != policy.Enforce ||
			!strings.Contains(got.Refusals[0].String(), key) || !strings.Contains(got.Refusals[0].String(), `"true"`) {
			t.Errorf("%s=tru: refusals %v, want one that names the key and a value to write", key, got.Refusals)
		}
		if !got.Empty() {
			t.Errorf("%s=tru: a denied pod is also changed: %+v", key, got)
		}
	}
}

// Whatever a pod writes, after the change Kube-OVN reads what policy decided, and a second pass changes nothing.
func TestChangePodIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.SampledFrom([]string{"", " ", "true", "false", "True", "FALSE ", "0", "1", "off"})
		annotations := rapid.MapOf(rapid.SampledFrom([]string{ps, l2, nadPS, "app", policy.RecordAnnotation}), value)
		ns := policy.Namespace{Name: "t", Annotations: annotations.Draw(t, "namespace")}
		if rapid.Bool().Draw(t, "unreadable") {
			ns.Err = errors.New("timeout")
		}
		pod := annotations.Draw(t, "pod")
		after := changePod(pod, twoNICs, ns).Apply(pod)
		for _, nic := range twoNICs {
			d := policy.Decide(
				policy.Query{
					Provider:  nic.Provider,
					Namespace: ns,
					Pod:       policy.Pod{Annotations: pod, Inherited: policy.Inherited(pod)},
				},
			)
			if on := after[nic.Provider.Key(kubeovn.PortSecurity)] == kubeovn.True; on != (d.Level == policy.Strict) {
				t.Fatalf(
					"%s: Kube-OVN reads port_security %v, decided %v; annotations %v",
					nic.Provider,
					on,
					d.Level,
					after,
				)
			}
			if after[nic.Provider.Key(kubeovn.Layer2Forward)] == kubeovn.True && d.Forwarding != policy.Allow {
				t.Fatalf("%s: forwarding is on though forbidden: %v", nic.Provider, after)
			}
		}
		if again := changePod(after, twoNICs, ns); !again.Empty() {
			t.Fatalf("a second pass changes %+v after %v", again, after)
		}
	})
}

// The patch, applied by an independent implementation, has the same result as Apply and touches nothing else.
func TestPatchMeansApply(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		annotations := rapid.MapOf(
			rapid.SampledFrom(
				[]string{ps, l2, nadPS, "a/b~c", "x"},
			),
			rapid.SampledFrom([]string{"", "true", "false", "1"}),
		).Draw(t, "pod")
		object := map[string]any{
			"metadata": map[string]any{"name": "p"},
			"spec":     map[string]any{"future": []any{"kept"}},
		}
		if len(annotations) > 0 || rapid.Bool().Draw(t, "empty map present") {
			object["metadata"].(map[string]any)["annotations"] = annotations
		}
		change := changePod(annotations, twoNICs, policy.Namespace{Name: "t"})
		before, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		ops, err := json.Marshal(change.Patch(annotations))
		if err != nil {
			t.Fatal(err)
		}
		patch, err := jsonpatch.DecodePatch(ops)
		if err != nil {
			t.Fatalf("patch %s: %v", ops, err)
		}
		after, err := patch.Apply(before)
		if err != nil {
			t.Fatalf("patch %s on %s: %v", ops, before, err)
		}
		object["metadata"].(map[string]any)["annotations"] = change.Apply(annotations)
		want, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if !jsonpatch.Equal(want, after) {
			t.Fatalf("patch gave %s, want %s", after, want)
		}
	})
}

// Only a pod with a name from the API server gets the record of an ordinary pod, which saves it a second review: a name
// that its author chose may be the name of another port.
func TestChosenNamesAreRecorded(t *testing.T) {
	v := &View{
		Accounts:  DefaultAccounts(),
		User:      "tenant",
		Namespace: policy.Namespace{},
		Inventory: inventory.New().Snapshot(),
		Now:       time.Unix(1e9, 0),
	}
	ordinary := `{"ovn":{"level":"strict","from":"default","layer2Forward":"forbid","layer2ForwardFrom":"default"}}`
	for name, forged := range map[string]map[string]string{
		"plain": nil, "with the record of another": {policy.RecordAnnotation: ordinary, ps: "true"},
	} {
		made := v.ChangePod(ParsePod("t", &Pod{Metadata: Metadata{Annotations: forged}}, nil)).Apply(forged)
		if got := made[policy.RecordAnnotation]; got != ordinary {
			t.Errorf("%s, without a name: %s", name, got)
		}
		chosen := v.ChangePod(ParsePod("t", &Pod{Metadata: Metadata{Name: "node-1", Annotations: forged}}, nil)).
			Apply(forged)
		if got := chosen[policy.RecordAnnotation]; got == ordinary || !strings.Contains(got, `"named":true`) {
			t.Errorf("%s, with a name: %s", name, got)
		}
	}
}
