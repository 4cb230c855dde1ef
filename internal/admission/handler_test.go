package admission

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// table is a world with the namespaces that a test adds; any other namespace cannot be read.
type table struct {
	namespaces map[string]map[string]string
	inventory  *inventory.Inventory
	pods       map[string]*Pod
}

func (w table) Look(_ context.Context, namespace, user string, look func(*View)) {
	ns := policy.Namespace{Name: namespace}
	var ok bool
	if ns.Annotations, ok = w.namespaces[namespace]; !ok {
		ns.Err = errors.New("no answer")
	}
	look(
		&View{
			Accounts:  DefaultAccounts(),
			User:      user,
			Namespace: ns,
			Inventory: w.inventory.Snapshot(),
			Now:       time.Unix(1e9, 0),
		},
	)
}

func (w table) Definition(context.Context, kubeovn.Attachment) Definition {
	return Definition{Err: errors.New("no answer")}
}

func (w table) Repaired(context.Context, []string) (Repaired, error) {
	return Repaired{}, errors.New("no answer")
}

func (w table) Pod(_ context.Context, namespace, name string) (*Pod, error) {
	if p, ok := w.pods[namespace+"/"+name]; ok {
		return p, nil
	}
	return nil, errors.New("no answer")
}

func mutate(t *testing.T, object string, change func(*ctrladmission.Request)) (ctrladmission.Response, string) {
	t.Helper()
	var result string
	world := table{
		namespaces: map[string]map[string]string{"t": nil, "open": {ps: "false"}},
		inventory:  inventory.New(),
	}
	h := &Handler{
		Judge:   MutatePods(world),
		Observe: func(r Reviewed) { result = r.Result },
		Now:     time.Now,
	}
	req := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: "t",
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Object:   runtime.RawExtension{Raw: []byte(object)},
	}}
	if change != nil {
		change(&req)
	}
	return h.Handle(t.Context(), req), result
}

func patchedKeys(t *testing.T, r ctrladmission.Response) map[string]any {
	t.Helper()
	keys := make(map[string]any)
	for _, op := range r.Patches {
		if op.Path == annotationsPath {
			for k, v := range op.Value.(map[string]string) {
				keys[annotationsPath+"/"+pointerEscape.Replace(k)] = v
			}
			continue
		}
		keys[op.Path] = op.Value
	}
	return keys
}

func TestHandle(t *testing.T) {
	const path = "/metadata/annotations/"
	cases := map[string]struct {
		object  string
		change  func(*ctrladmission.Request)
		result  string
		allowed bool
		want    map[string]any // path to value, without the decision record
	}{
		"plain pod": {
			object: `{"metadata":{"name":"p"},"spec":{}}`, result: ResultPatched, allowed: true,
			want: map[string]any{path + "ovn.kubernetes.io~1port_security": "true"},
		},
		"namespace that cannot be read": {
			object: `{"metadata":{"annotations":{"ovn.kubernetes.io/port_security":"false"}}}`,
			change: func(r *ctrladmission.Request) { r.Namespace = "gone" }, result: ResultPatched, allowed: true,
			want: map[string]any{path + "ovn.kubernetes.io~1port_security": "true"},
		},
		"open namespace": {
			object:  `{}`,
			change:  func(r *ctrladmission.Request) { r.Namespace = "open" },
			result:  ResultPatched,
			allowed: true,
			want:    map[string]any{path + "ovn.kubernetes.io~1port_security": "false"},
		},
		"attachments of whatever kind": {
			object:  `{"metadata":{"annotations":{"k8s.v1.cni.cncf.io/networks":"nad1,macvlan,gone"}}}`,
			result:  ResultPatched,
			allowed: true,
			want: map[string]any{
				path + "ovn.kubernetes.io~1port_security":           "true",
				path + "nad1.t.ovn.kubernetes.io~1port_security":    "true",
				path + "macvlan.t.ovn.kubernetes.io~1port_security": "true",
				path + "gone.t.ovn.kubernetes.io~1port_security":    "true",
			},
		},
		"hostNetwork": {object: `{"spec":{"hostNetwork":true}}`, result: ResultUnchanged, allowed: true},
		"garbage value": {
			object: `{"metadata":{"annotations":{"ovn.kubernetes.io/port_security":"ture"}}}`,
			result: ResultDenied,
		},
		"networks unreadable": {
			object: `{"metadata":{"annotations":{"k8s.v1.cni.cncf.io/networks":"[null]"}}}`,
			result: ResultDenied,
		},
		"not a pod": {object: `{"metadata":{"annotations":[]}}`, result: ResultInvalid},
		"not JSON":  {object: `pod`, result: ResultInvalid},
		"delete": {
			object: `{}`,
			change: func(r *ctrladmission.Request) { r.Operation = admissionv1.Delete },
			result: ResultInvalid,
		},
		"update without what it was": {
			object: `{}`,
			change: func(r *ctrladmission.Request) { r.Operation = admissionv1.Update },
			result: ResultInvalid,
		},
		"further network of a running pod": {
			object: `{"metadata":{"annotations":{"k8s.v1.cni.cncf.io/networks":"nad1,nad2","nad1.t.ovn.kubernetes.io/port_security":"false"}}}`,
			change: func(r *ctrladmission.Request) {
				r.Operation, r.OldObject.Raw = admissionv1.Update, []byte(
					`{"metadata":{"annotations":{"k8s.v1.cni.cncf.io/networks":"nad1"}}}`,
				)
			},
			result:  ResultPatched,
			allowed: true,
			want:    map[string]any{path + "nad2.t.ovn.kubernetes.io~1port_security": "true"},
		},
		"same networks of a running pod": {
			object: `{"metadata":{"labels":{"a":"b"}}}`, result: ResultUnchanged, allowed: true,
			change: func(r *ctrladmission.Request) { r.Operation, r.OldObject.Raw = admissionv1.Update, []byte(`{}`) },
		},
		"another resource": {
			object: `{}`,
			change: func(r *ctrladmission.Request) { r.Resource.Resource = "namespaces" },
			result: ResultInvalid,
		},
		"subresource": {
			object: `{}`,
			change: func(r *ctrladmission.Request) { r.SubResource = "binding" },
			result: ResultInvalid,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r, result := mutate(t, c.object, c.change)
			if result != c.result || r.Allowed != c.allowed {
				t.Fatalf("result %q, allowed %v, want %q, %v: %+v", result, r.Allowed, c.result, c.allowed, r.Result)
			}
			if !c.allowed && (r.Result == nil || r.Result.Message == "") {
				t.Errorf("refused without a message")
			}
			got := patchedKeys(t, r)
			if record, ok := got[path+"ovnguard.io~1decision"]; ok != (c.want != nil) {
				t.Errorf("decision recorded: %v, want %v", ok, c.want != nil)
			} else if ok && !json.Valid([]byte(record.(string))) {
				t.Errorf("decision is not JSON: %v", record)
			}
			delete(got, path+"ovnguard.io~1decision")
			for k, v := range c.want {
				if got[k] != v {
					t.Errorf("%s = %v, want %v", k, got[k], v)
				}
				delete(got, k)
			}
			if len(got) > 0 {
				t.Errorf("patched beyond what was wanted: %v", got)
			}
		})
	}
}

func TestHandleRefusalIsNotRetried(t *testing.T) {
	r, _ := mutate(t, `pod`, nil)
	if r.Result.Code != http.StatusBadRequest {
		t.Errorf("code %d, want %d", r.Result.Code, http.StatusBadRequest)
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(
		`{"metadata":{"annotations":{"ovn.kubernetes.io/port_security":"True","k8s.v1.cni.cncf.io/networks":"nad1"}}}`,
	)
	f.Add(`{"spec":{"hostNetwork":true}}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, object string) {
		r, result := mutate(t, object, nil)
		if r.Allowed && result == ResultUnchanged {
			var p Pod
			if err := json.Unmarshal(
				[]byte(object),
				&p,
			); err != nil ||
				(!p.Spec.HostNetwork && p.Metadata.Annotations[policy.RecordAnnotation] == "") {
				t.Errorf("%s was allowed unchanged", object)
			}
		}
	})
}
