package selftest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/webhook"
)

var (
	// decides is the annotation by which Kube-OVN protects a NIC of the default network.
	decides = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	// takes is the one by which a pod has Kube-OVN let it send from further addresses.
	takes = kubeovn.DefaultProvider.Key(kubeovn.PortVIPs)
)

// loosely is what the first pod asks for: to send from anything.
const loosely = "false"

// nobodys is an address that no pod has: it is kept for documentation (RFC 5737, section 3).
const nobodys = "192.0.2.1"

// prober makes pods that are never kept: the API server is told that it is a dry run. They are judged like anybody's:
// what this program itself would answer is what the API server must come to.
type prober struct {
	pods          typedcorev1.PodInterface
	namespace     string
	user          string
	mutate, guard ctrladmission.Handler
	// callers is told the names of the pods, which nobody but the API server knows; nil where nobody asks who calls.
	callers *webhook.Callers
	// warned has what the API server warned of since it was taken last.
	warned *warnings
}

// warnings keeps the warnings of one client.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

// take returns the warnings since the last call.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}

func newProber(pods typedcorev1.PodInterface, warned *warnings, c Config) *prober {
	handler := func(judge admission.Judge) *admission.Handler {
		uncounted := func(admission.Reviewed) {}
		return &admission.Handler{Judge: judge, Observe: uncounted, Now: time.Now}
	}
	return &prober{
		pods: pods, namespace: c.Namespace, user: c.User, callers: c.Callers, warned: warned,
		mutate: handler(admission.MutatePods(c.World)),
		guard:  handler(admission.GuardPods(c.World)),
	}
}

// run makes both pods.
func (p *prober) run(ctx context.Context) outcome {
	// A pod that asks to be open: an ordinary one that has been made strict already would prove less.
	loose := p.pod(map[string]string{decides: loosely})
	want, err := p.mutated(ctx, loose)
	if err != nil {
		return outcome{untried, err.Error()}
	}
	ordinary := judgeOrdinary(loosely, want, p.make(ctx, loose))
	if ordinary.reason.proven() || ordinary.reason == untried {
		return ordinary
	}
	forbidden := p.pod(map[string]string{decides: kubeovn.True, takes: nobodys})
	want, err = p.guarded(ctx, forbidden)
	if err != nil {
		return outcome{untried, err.Error()}
	}
	return both(ordinary, judgeForbidden(want, p.make(ctx, forbidden)))
}

// make has the API server say what would become of the pod.
func (p *prober) make(ctx context.Context, pod *corev1.Pod) fate {
	if p.callers != nil {
		p.callers.Expect(pod.Name)
		defer p.callers.Expect("")
	}
	p.warned.take() // of a call that failed
	got, err := p.pods.Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return fate{err: err}
	}
	return fate{annotation: got.Annotations[decides], warnings: p.warned.take()}
}

// mutated returns what this program would make of the pod.
func (p *prober) mutated(ctx context.Context, pod *corev1.Pod) (fate, error) {
	request, err := p.review(pod)
	if err != nil {
		return fate{}, err
	}
	answer := p.mutate.Handle(ctx, request)
	if !answer.Allowed {
		return fate{}, fmt.Errorf("the self-test may not create its own pod: %s", answer.Result.Message)
	}
	want := fate{annotation: pod.Annotations[decides], warnings: answer.Warnings}
	path := admission.AnnotationPath(decides)
	for _, change := range answer.Patches {
		if value, ok := change.Value.(string); ok && change.Path == path {
			want.annotation = value
		}
	}
	return want, nil
}

// guarded returns what would become of the pod by this program's last word.
func (p *prober) guarded(ctx context.Context, pod *corev1.Pod) (fate, error) {
	request, err := p.review(pod)
	if err != nil {
		return fate{}, err
	}
	answer := p.guard.Handle(ctx, request)
	if !answer.Allowed {
		return fate{err: errors.New(answer.Result.Message)}, nil
	}
	return fate{annotation: pod.Annotations[decides], warnings: answer.Warnings}, nil
}

// review returns what the API server would ask about the creation of the pod.
func (p *prober) review(pod *corev1.Pod) (ctrladmission.Request, error) {
	raw, err := json.Marshal(pod)
	if err != nil {
		return ctrladmission.Request{}, fmt.Errorf("write the pod of the self-test: %w", err)
	}
	request := admissionv1.AdmissionRequest{
		Kind: metav1.GroupVersionKind{
			Version: "v1",
			Kind:    "Pod",
		},
		Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
		Operation: admissionv1.Create,
		Namespace: p.namespace,
		Name:      pod.Name,
		Object:    runtime.RawExtension{Raw: raw},
	}
	request.UserInfo.Username = p.user
	return ctrladmission.Request{AdmissionRequest: request}, nil
}

// pod returns a pod that would pass the strictest of the usual checks, so that nobody else refuses it. Nothing about it
// is looked at by admission: anybody's pod that is the same is guarded the same.
func (p *prober) pod(annotations map[string]string) *corev1.Pod {
	little := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("10m"),
		corev1.ResourceMemory: resource.MustParse("16Mi"),
	}
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        "selftest-" + strings.ToLower(rand.Text()),
			Namespace:   p.namespace,
			Annotations: annotations,
		},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: new(false),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: new(true), RunAsUser: new(int64(65532)),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "selftest", Image: "selftest.invalid/never-run",
				Resources: corev1.ResourceRequirements{Requests: little, Limits: little},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
