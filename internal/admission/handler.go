package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// lookupTimeout bounds what one review may spend on asking the API server. It is shorter than the webhook's own timeout,
// so that a slow lookup ends in the strict default and not in a failed call.
const lookupTimeout = 1500 * time.Millisecond

// Lookup answers what a review needs to know beyond the pod itself.
type Lookup interface {
	// Namespace gives the namespace, with Err set where it cannot be read.
	Namespace(ctx context.Context, name string) policy.Namespace
	// Kind tells what an attachment makes; kubeovn.KindUnknown where its definition cannot be read.
	Kind(ctx context.Context, a kubeovn.Attachment) kubeovn.AttachmentKind
}

// Results of a review, as the label of the duration metric.
const (
	ResultUnchanged = "unchanged"
	ResultPatched   = "patched"
	ResultDenied    = "denied"
	ResultInvalid   = "invalid"
)

// PodHandler mutates pods at creation.
type PodHandler struct {
	Lookup Lookup
	// Observe is told the result and the duration of each review.
	Observe func(result string, d time.Duration)
	// Now gives the time; time.Now outside tests.
	Now func() time.Time
}

// pod is what a review reads of a Pod. Decoding no more than this keeps reviews cheap and indifferent to fields that this
// program does not know.
type pod struct {
	Metadata struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		HostNetwork bool `json:"hostNetwork"`
	} `json:"spec"`
}

// Handle answers one review. A review that is not about the creation of a pod, or whose object cannot be read, is
// refused: nothing is ever allowed unchanged because it was not understood.
func (h *PodHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	start := h.Now()
	response, result := h.review(ctx, req)
	h.Observe(result, h.Now().Sub(start))
	return response
}

func (h *PodHandler) review(ctx context.Context, req admission.Request) (admission.Response, string) {
	if req.Operation != admissionv1.Create || req.Resource.Group != corev1.GroupName || req.Resource.Resource != "pods" || req.SubResource != "" {
		return invalid(fmt.Errorf("ovnguard: this webhook answers CREATE of pods, not %s of %s", req.Operation, resourceName(req)))
	}
	var p pod
	if err := json.Unmarshal(req.Object.Raw, &p); err != nil {
		return invalid(fmt.Errorf("ovnguard: the review's object is not a Pod: %w", err))
	}
	if p.Spec.HostNetwork {
		return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
	}
	annotations := p.Metadata.Annotations
	networks, err := multus.Parse(req.Namespace, annotations)
	if err != nil {
		return denied([]string{fmt.Sprintf("metadata.%v; write it as Multus expects, for example %q", err, "namespace/name")})
	}

	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	nics := kubeovn.NICs(networks.Default, networks.Attachments, h.kinds(ctx))
	change := ChangePod(annotations, nics, h.Lookup.Namespace(ctx, req.Namespace))
	switch {
	case len(change.Denials) > 0:
		return denied(change.Denials)
	case change.Empty():
		return admission.Allowed("").WithWarnings(change.Warnings...), ResultUnchanged
	}
	return admission.Patched("", change.Patch(annotations)...).WithWarnings(change.Warnings...), ResultPatched
}

// kinds gives a lookup that asks once for each attachment, however often a pod lists it: where the definition is missing,
// each question goes to the API server.
func (h *PodHandler) kinds(ctx context.Context) func(kubeovn.Attachment) kubeovn.AttachmentKind {
	known := make(map[kubeovn.Attachment]kubeovn.AttachmentKind)
	return func(a kubeovn.Attachment) kubeovn.AttachmentKind {
		a.Interface = "" // which says nothing of the definition
		kind, ok := known[a]
		if !ok {
			kind = h.Lookup.Kind(ctx, a)
			known[a] = kind
		}
		return kind
	}
}

func denied(reasons []string) (admission.Response, string) {
	return admission.Denied("ovnguard: " + strings.Join(reasons, "; ")), ResultDenied
}

func invalid(err error) (admission.Response, string) {
	return admission.Errored(http.StatusBadRequest, err), ResultInvalid
}

func resourceName(req admission.Request) string {
	name := req.Resource.Resource
	if req.SubResource != "" {
		name += "/" + req.SubResource
	}
	if req.Resource.Group != "" {
		name += "." + req.Resource.Group
	}
	return name
}
