package admission

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// reference returns an owner reference, and the same owner as policy has it.
func reference(kind, name string) (ref map[string]any, told *policy.Owner) {
	ref = map[string]any{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u-" + name, "controller": true}
	return ref, &policy.Owner{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "u-" + name}
}

// A refused request is described with its object, and with a workload only where the controller of that asked.
func TestRefusedRequest(t *testing.T) {
	const controllers = "system:serviceaccount:kube-system:"
	ref, replicaSet := reference("ReplicaSet", "web")
	owned, long := []any{ref}, strings.Repeat("long-name", 8)
	cases := map[string]struct {
		request  admissionv1.AdmissionRequest
		metadata map[string]any
		want     Refused
	}{
		"a ReplicaSet's": {
			admissionv1.AdmissionRequest{
				Name: "web-x7k2f", UserInfo: authenticationv1.UserInfo{Username: controllers + "replicaset-controller"},
			},
			map[string]any{"generateName": "web-", "name": "web-x7k2f", "ownerReferences": owned},
			Refused{
				Name: "web-x7k2f", GenerateName: "web-", User: controllers + "replicaset-controller", Maker: replicaSet,
			},
		},
		"a ReplicaSet's, before it has a name": {
			admissionv1.AdmissionRequest{
				UserInfo: authenticationv1.UserInfo{Username: controllers + "replicaset-controller"},
			},
			map[string]any{"generateName": "web-", "ownerReferences": owned},
			Refused{GenerateName: "web-", User: controllers + "replicaset-controller", Maker: replicaSet},
		},
		"a ReplicaSet's with a long name": {
			admissionv1.AdmissionRequest{Name: long[:58] + "x7k2f"},
			map[string]any{"generateName": long + "-", "name": long[:58] + "x7k2f"},
			Refused{Name: long[:58] + "x7k2f", GenerateName: long + "-"},
		},
		"a StatefulSet's": {
			admissionv1.AdmissionRequest{Name: "web-0"},
			map[string]any{"generateName": "web-", "name": "web-0"},
			Refused{Name: "web-0"},
		},
		"a pod that only says so": {
			admissionv1.AdmissionRequest{Name: "p", UserInfo: authenticationv1.UserInfo{Username: "alice"}},
			map[string]any{"name": "p", "ownerReferences": owned},
			Refused{Name: "p", User: "alice"},
		},
		"another controller's": {
			admissionv1.AdmissionRequest{
				Name: "p", UserInfo: authenticationv1.UserInfo{Username: controllers + "job-controller"},
			},
			map[string]any{"name": "p", "ownerReferences": owned},
			Refused{Name: "p", User: controllers + "job-controller"},
		},
		"a dry run of a pod whose name counts": {
			admissionv1.AdmissionRequest{Name: "p", DryRun: new(true)},
			map[string]any{"name": "p", "generateName": "web-"},
			Refused{Name: "p", DryRun: true},
		},
		"a change": {
			admissionv1.AdmissionRequest{
				Name: "p", Operation: admissionv1.Update,
				UserInfo: authenticationv1.UserInfo{Username: controllers + "replicaset-controller"},
			},
			map[string]any{"name": "p", "uid": "v", "generateName": "web-", "ownerReferences": owned},
			Refused{Name: "p", UID: "v", User: controllers + "replicaset-controller"},
		},
		"an object that cannot be read": {
			admissionv1.AdmissionRequest{Name: "p", Object: runtime.RawExtension{Raw: []byte(`{"metadata":`)}},
			nil,
			Refused{Name: "p"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			req, want := c.request, c.want
			req.Namespace = "ns"
			req.Resource = metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
			req.Kind = metav1.GroupVersionKind{Version: "v1", Kind: "Pod"}
			if req.Operation == "" {
				req.Operation = admissionv1.Create
			}
			if c.metadata != nil {
				text, err := json.Marshal(map[string]any{"metadata": c.metadata, "spec": map[string]any{}})
				if err != nil {
					t.Fatal(err)
				}
				req.Object.Raw = text
			}
			want.Operation, want.Resource, want.Kind, want.Namespace = req.Operation, "pods", "Pod", "ns"
			want.Why, want.Checks = "taken (OVGA12)", []string{"OVGA08", "OVGA12"}
			got := refusedOf(&req, []Refusal{
				{Check: chosenAddress},
				{Check: portSecurityOff},
				{Check: chosenAddress},
				{Check: chosenMAC, Mode: policy.Warn},
				{More: 2},
			}, "ovnguard: taken (OVGA12)", DefaultAccounts)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// Refusals are reported, and nothing else is. The text is the author's, and names nothing of others.
func TestRefusedAreTold(t *testing.T) {
	for mode, told := range map[policy.Mode]bool{policy.Enforce: true, policy.Warn: false, policy.Audit: false} {
		s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
		var got []Refused
		h := &Handler{
			Judge: GuardPods(s), Observe: func(Reviewed) {}, Accounts: DefaultAccounts, Now: time.Now,
			Refused: func(_ context.Context, r Refused) { got = append(got, r) },
		}
		object := `{"metadata":{"name":"p","annotations":{"ovn.kubernetes.io/port_security":"true",` +
			`"ovn.kubernetes.io/ip_address":"10.16.0.5"}},"spec":{}}`
		res := h.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
			Operation: admissionv1.Create, Namespace: "t", Name: "p",
			Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Object:   runtime.RawExtension{Raw: []byte(object)},
		}})
		if res.Allowed == told || len(got) > 0 != told {
			t.Errorf("mode %s: allowed %v, told %+v", mode, res.Allowed, got)
		}
		for _, r := range got {
			tellsNothing(t, ctrladmission.Denied(r.Why), object)
			if strings.Contains(r.Why, "ovnguard: ") || len(r.Checks) == 0 {
				t.Errorf("%+v", r)
			}
		}
	}
}
