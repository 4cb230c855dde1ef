package admission

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestThreat01PodOptsOut(t *testing.T) {
	for _, value := range []string{"false", "False", "0", "off", "no"} {
		stored, refused := create(t, newScene(), tenant, pod(ps, value))
		if refused != "" || stored.Metadata.Annotations[ps] != "true" {
			t.Errorf("port_security %q: stored %v, refused %q", value, stored, refused)
		}
	}
	// If another webhook restores it, the validating webhook refuses the pod.
	p := pod(ps, "false")
	mustRefuse(t, guard(t, newScene(), tenant, &p), ps, "PortSecurityException in namespace t")
}

func TestThreat02Truthiness(t *testing.T) {
	for _, value := range []string{"True", "1", " true", "true ", "TRUE", "yes", "\ttrue"} {
		stored, refused := create(t, newScene(), tenant, pod(ps, value))
		if refused != "" || stored.Metadata.Annotations[ps] != "true" {
			t.Errorf("port_security %q: stored %v, refused %q", value, stored, refused)
		}
		p := pod(ps, value)
		mustRefuse(t, guard(t, newScene(), tenant, &p), ps)
	}
	_, refused := create(t, newScene(), tenant, pod(ps, "tru"))
	mustRefuse(t, refused, ps, `"true"`)
}

func TestThreat10Layer2Forward(t *testing.T) {
	for _, value := range []string{"true", "True", "1"} {
		stored, refused := create(t, newScene(), tenant, pod(l2, value))
		mustAllow(t, refused)
		if got, there := stored.Metadata.Annotations[l2]; there {
			t.Errorf("layer2_forward %q stays as %q", value, got)
		}
	}
	p := pod(ps, "true", l2, "true")
	mustRefuse(t, guard(t, newScene(), tenant, &p), l2, "layer2Forward: Allow")
	// An exception makes the webhook set the key, since Kube-OVN reads it only when it makes the port.
	s := newScene().exception(func(e *policy.Exception) { e.Forwarding = policy.Require })
	for _, value := range []string{"", "false", "True", "true"} {
		router := pod(l2, value)
		router.Metadata.Labels = map[string]string{"app": "router"}
		stored, refused := create(t, s, tenant, router)
		mustAllow(t, refused)
		if got := stored.Metadata.Annotations[l2]; got != "true" {
			t.Errorf("layer2_forward %q under an exception becomes %q", value, got)
		}
	}
}

func TestThreat11SecondaryNIC(t *testing.T) {
	const key = "nad.n.ovn.kubernetes.io/port_security"
	for _, value := range []string{"", "false", "True"} {
		stored, refused := create(t, newScene(), tenant, pod(networks, "n/nad", key, value))
		mustAllow(t, refused)
		if got := stored.Metadata.Annotations[key]; got != "true" {
			t.Errorf("%q becomes %q", value, got)
		}
	}
	stored, refused := create(t, newScene(), tenant, pod(kubeovn.DefaultNetwork, "n/nad"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[key]; got != "true" {
		t.Errorf("instead of the default network: %q", got)
	}
	// The default network's key does not replace the attachment's key.
	p := pod(networks, "n/nad", ps, "true")
	mustRefuse(t, guard(t, newScene(), tenant, &p), key)
	many := strings.TrimSuffix(strings.Repeat("n/nad,", multus.MaxNetworks+1), ",")
	_, refused = create(t, newScene(), tenant, pod(networks, many))
	mustRefuse(t, refused, networks)
	// KubeVirt plugs interfaces into running machines, but not unprotected ones.
	old, unprotected := running(), running(networks, "n/nad")
	mustRefuse(t, update(t, newScene(), virtualize, "", &old, &unprotected), key)
	protected := running(networks, "n/nad", key, "true")
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &protected))
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &protected), networks)
}

func TestThreatT02RemovedKey(t *testing.T) {
	// A key that a pod set to tighten itself stays where its namespace is open.
	s := newScene()
	s.namespace.Annotations = map[string]string{ps: "false", l2: "true"}
	old, refused := create(t, s, tenant, pod(ps, "true", l2, "false"))
	mustAllow(t, refused)
	for _, key := range []string{ps, l2} {
		p := without(*old, key)
		mustRefuse(t, update(t, s, tenant, "", old, &p), "looser")
	}
	forged := *old
	forged.Metadata.Annotations = maps.Clone(old.Metadata.Annotations)
	forged.Metadata.Annotations[policy.RecordAnnotation] = `{"ovn":{"level":"open","from":"namespace"}}`
	mustRefuse(t, update(t, s, tenant, "", old, &forged), "looser")
}

func TestThreat26SelfExemptLabel(t *testing.T) {
	for _, label := range []string{
		"cozystack.io/system", "app", "app.kubernetes.io/name", policy.LevelLabel, "ovn.kubernetes.io/vpc-nat-gw",
	} {
		for _, value := range []string{"true", "kube-ovn-webhook", "open"} {
			p := pod(ps, "false")
			p.Metadata.Labels = map[string]string{label: value}
			stored, refused := create(t, newScene(), tenant, p)
			if refused != "" || stored.Metadata.Annotations[ps] != "true" {
				t.Errorf("label %s=%s: stored %v, refused %q", label, value, stored, refused)
			}
		}
	}
}

func TestThreatT19UpstreamsSelfExemptLabel(t *testing.T) {
	p := pod(ip, "10.16.0.5")
	p.Metadata.Labels = map[string]string{"app": "kube-ovn-webhook"}
	_, refused := create(t, newScene(), tenant, p)
	mustRefuse(t, refused, ip)
}

func TestThreat28NamespaceNotSeenYet(t *testing.T) {
	s := newScene()
	s.namespace.Err = errors.New("not found")
	s.namespace.Annotations = map[string]string{ps: "false"} // none of it counts
	stored, refused := create(t, s, tenant, pod(ps, "false"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
}

func TestThreat30FailOpen(t *testing.T) {
	s := newScene().policy(func(p *policy.Policy) {
		p.Level, p.ExternalAddresses, p.Mode = policy.Open, true,
			policy.Audit
	})
	s.namespace.Err = errors.New("forbidden")
	stored, refused := create(t, s, tenant, pod(ps, "false"))
	mustAllow(t, refused)
	if got := stored.Metadata.Annotations[ps]; got != "true" {
		t.Errorf("port_security %q", got)
	}
	for key, value := range map[string]string{
		vips: "10.16.0.100", kubeovn.AAPs: "mine", "ovn.kubernetes.io/eip": "203.0.113.9",
	} {
		_, refused := create(t, s, tenant, pod(key, value))
		mustRefuse(t, refused, key)
	}
	for _, change := range loosenings {
		old := before(change[0])
		p := with(old, change[0], change[1])
		mustRefuse(t, update(t, s, tenant, "", &old, &p), change[0])
	}
}

func TestThreat31LaterMutator(t *testing.T) {
	for name, undo := range map[string]func(map[string]string){
		"taken away":        func(a map[string]string) { delete(a, ps) },
		"off":               func(a map[string]string) { a[ps] = "false" },
		"empty":             func(a map[string]string) { a[ps] = "" },
		"forwarding":        func(a map[string]string) { a[l2] = "true" },
		"a further network": func(a map[string]string) { a[networks] = "n/nad" },
	} {
		t.Run(name, func(t *testing.T) {
			stored, refused := create(t, newScene(), tenant, pod())
			mustAllow(t, refused)
			undo(stored.Metadata.Annotations)
			mustRefuse(t, guard(t, newScene(), tenant, stored), "metadata.annotations")
		})
	}
}

// A change that a policy with enforce refuses is a warning, or a note in the audit log, under the other modes.
func TestModes(t *testing.T) {
	for mode, want := range map[policy.Mode]int{policy.Warn: 1, policy.Audit: 0} {
		s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		p := pod(ps, "false", vips, "10.16.0.5")
		req := request(tenant, admissionv1.Create, "")
		req.Object = raw(t, &p)
		r := ask(t, s, MutatePods, req)
		if !r.Allowed || len(r.Patches) > 0 || (len(r.Warnings) > 0) != (want > 0) ||
			!strings.Contains(r.AuditAnnotations["violation"], ps) {
			t.Errorf("%s: mutating: %+v", mode, r)
		}
		r = ask(t, s, GuardPods, req)
		if !r.Allowed || (len(r.Warnings) > 0) != (want > 0) ||
			!strings.Contains(r.AuditAnnotations["violation"], vips) ||
			r.AuditAnnotations["policy"] != "PortSecurityPolicy test" {
			t.Errorf("%s: validating: %+v", mode, r)
		}
	}
}

// A record on a new pod where nothing is enforced is removed: it would make the guard believe that the pod was judged.
func TestForgedRecordWhereNothingIsEnforced(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Warn, policy.Audit} {
		s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		for name, c := range map[string]struct {
			pod  Pod
			want map[string]string
		}{
			"a stamp": {
				pod(ps, "true", policy.RecordAnnotation, policy.OrdinaryRecord, "note", "x"),
				map[string]string{"note": "x"},
			},
			"who asked": {
				pod(ps, "true", policy.RecordAnnotation, policy.AskedRecord), map[string]string{ps: "true"},
			},
			"a record only": {pod(policy.RecordAnnotation, policy.OrdinaryRecord), nil},
			"rubbish":       {pod(ps, "true", policy.RecordAnnotation, "x"), map[string]string{ps: "true"}},
		} {
			stored, refused := create(t, s, tenant, c.pod)
			mustAllow(t, refused)
			if diff := cmp.Diff(c.want, stored.Metadata.Annotations, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, mode %s (-want, +got):\n%s", name, mode, diff)
			}
			again, refused := create(t, s, tenant, *stored)
			mustAllow(t, refused)
			if diff := cmp.Diff(stored.Metadata.Annotations, again.Metadata.Annotations); diff != "" {
				t.Errorf("%s, mode %s, once more:\n%s", name, mode, diff)
			}
		}
	}
	// The record of a running pod stays when it gets another network.
	s := newScene().policy(func(p *policy.Policy) { p.Mode = policy.Warn })
	old := running(ps, "true", policy.RecordAnnotation, policy.OrdinaryRecord)
	p := running(ps, "true", policy.RecordAnnotation, policy.OrdinaryRecord, "note", "x")
	mustAllow(t, update(t, s, tenant, "", &old, &p))
	if p.Metadata.Annotations[policy.RecordAnnotation] != policy.OrdinaryRecord {
		t.Errorf("annotations %v", p.Metadata.Annotations)
	}
}
