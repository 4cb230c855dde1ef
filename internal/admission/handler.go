package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
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

// World is what reviews look at.
type World interface {
	// Look calls look with the cluster as it is now, for a request of the user in the namespace. The view must not be kept.
	Look(ctx context.Context, namespace, user string, look func(*View))
	// Pod gives the pod as it is in the API server.
	Pod(ctx context.Context, namespace, name string) (*Pod, error)
	// Definition gives the definition of a network as it is in the API server.
	Definition(ctx context.Context, a kubeovn.Attachment) Definition
}

// Results of a review, as the label of the duration metric.
const (
	ResultUnchanged = "unchanged"
	ResultPatched   = "patched"
	ResultDenied    = "denied"
	ResultInvalid   = "invalid"
)

// Handler answers the reviews of one webhook.
type Handler struct {
	World World
	// Observe is told the result and the duration of each review.
	Observe func(result string, d time.Duration)
	// Now gives the time; time.Now outside tests.
	Now    func() time.Time
	review func(context.Context, World, admission.Request) (admission.Response, string)
}

// Handle answers one review. A review that is about something else, or whose object cannot be read, is refused: nothing is
// ever allowed unchanged because it was not understood.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	start := h.Now()
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	response, result := h.review(ctx, h.World, req)
	h.Observe(result, h.Now().Sub(start))
	return response
}

// MutatePods gives the webhook that makes new pods, and new NICs of running ones, inherit port security.
func MutatePods(world World, observe func(string, time.Duration), now func() time.Time) *Handler {
	return &Handler{World: world, Observe: observe, Now: now, review: mutatePod}
}

// GuardPods gives the webhook that has the last word on pods, however they are made and changed.
func GuardPods(world World, observe func(string, time.Duration), now func() time.Time) *Handler {
	return &Handler{World: world, Observe: observe, Now: now, review: guardPod}
}

func mutatePod(ctx context.Context, world World, req admission.Request) (admission.Response, string) {
	if req.Operation != admissionv1.Create && req.Operation != admissionv1.Update || !isPod(req) || req.SubResource != "" {
		return wrongReview("CREATE and UPDATE of pods", req)
	}
	p, err := decodePod(req.Object.Raw)
	if err != nil {
		return invalid(err)
	}
	var old *Pod
	if req.Operation == admissionv1.Update {
		if old, err = decodePod(req.OldObject.Raw); err != nil {
			return invalid(err)
		}
	}
	if p.Spec.HostNetwork {
		return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
	}
	if why := oversize(old, p); why != "" {
		return tooLarge(why)
	}
	var change Change
	networks, unread := networksOf(req.Namespace, p)
	world.Look(ctx, req.Namespace, req.UserInfo.Username, func(v *View) {
		switch {
		case unread != nil && v.tightestMode(p) == policy.Enforce:
			change.Denials = []string{unread.String()} // which NICs there are to protect cannot be told
		case old != nil && unread == nil:
			change = v.ChangeNewNICs(old, p, nicsOf(networks))
		case old == nil:
			change = v.ChangePod(p, nicsOf(networks))
		}
		if unread != nil && len(change.Denials) == 0 { // the validating webhook warns of it, where the policy does
			change.Violations = append(change.Violations, unread.String())
		}
		if len(change.Verdict.nics) == 0 { // none was looked at
			change.Verdict = v.newCheck(p, old != nil).verdict()
		}
	})
	var response admission.Response
	result := ResultUnchanged
	switch {
	case len(change.Denials) > 0:
		response, result = denied(change.Denials)
	case change.Empty():
		response = admission.Allowed("")
	default:
		response, result = admission.Patched("", change.Patch(p.Metadata.Annotations)...), ResultPatched
	}
	response.AuditAnnotations = change.Verdict.AuditAnnotations(append(change.Denials, change.Violations...))
	return response.WithWarnings(few(change.Warnings)...), result
}

func guardPod(ctx context.Context, world World, req admission.Request) (admission.Response, string) {
	var refusals []Refusal
	var verdict Verdict
	switch {
	case req.Operation == admissionv1.Create && isPod(req) && req.SubResource == "":
		p, err := decodePod(req.Object.Raw)
		if err != nil {
			return invalid(err)
		}
		if p.Spec.HostNetwork {
			return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
		}
		if why := oversize(nil, p); why != "" {
			return tooLarge(why)
		}
		lookAt(ctx, world, req, nil, p, func(v *View) {
			refusals, verdict = v.CheckCreate(p)
		})
	case req.Operation == admissionv1.Update && isPod(req) && (req.SubResource == "" || req.SubResource == "status"):
		p, err := decodePod(req.Object.Raw)
		if err != nil {
			return invalid(err)
		}
		old, err := decodePod(req.OldObject.Raw)
		if err != nil {
			return invalid(err)
		}
		if old.Spec.HostNetwork {
			return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
		}
		if why := oversize(old, p); why != "" {
			return tooLarge(why)
		}
		lookAt(ctx, world, req, old, p, func(v *View) {
			refusals, verdict = v.CheckUpdate(old, p)
		})
	case req.Operation == admissionv1.Create && isBinding(req):
		var binding struct {
			Metadata Metadata `json:"metadata"`
		}
		if err := json.Unmarshal(req.Object.Raw, &binding); err != nil {
			return invalid(fmt.Errorf("ovnguard: the review's object is not a Binding: %w", err))
		}
		if len(binding.Metadata.Annotations) == 0 && len(binding.Metadata.Labels) == 0 {
			return admission.Allowed(""), ResultUnchanged
		}
		p, err := world.Pod(ctx, req.Namespace, cmp.Or(binding.Metadata.Name, req.Name))
		if err != nil {
			why := fmt.Errorf("the pod that is to be bound could not be read: %w; try again", err)
			response, result := denied([]string{why.Error()})
			response.AuditAnnotations = Unjudged(why)
			return response, result
		}
		if why := Oversize(p.Metadata.Annotations, binding.Metadata.Annotations); why != "" {
			return tooLarge(why)
		}
		world.Look(ctx, req.Namespace, req.UserInfo.Username, func(v *View) {
			refusals, verdict = v.CheckBinding(binding.Metadata, p)
		})
	default:
		return wrongReview("CREATE and UPDATE of pods, UPDATE of pods/status and CREATE of pods/binding", req)
	}
	return answer(refusals, verdict)
}

// answer turns refusals into a response: those under a policy that enforces deny, those under one that warns warn.
func answer(refusals []Refusal, verdict Verdict) (admission.Response, string) {
	var denials, warnings, all []string
	for _, r := range refusals {
		all = append(all, r.String())
		switch r.Mode {
		case policy.Enforce:
			denials = append(denials, r.String())
		case policy.Warn:
			warnings = append(warnings, "ovnguard: would be refused: "+r.String())
		case policy.Audit:
		}
	}
	response, result := admission.Allowed(""), ResultUnchanged
	if len(denials) > 0 {
		response, result = denied(denials)
	}
	response.AuditAnnotations = verdict.AuditAnnotations(all)
	return response.WithWarnings(few(warnings)...), result
}

// oversize is Oversize of a pod that was another one before, or none.
func oversize(old, p *Pod) string {
	if old == nil {
		return Oversize(nil, p.Metadata.Annotations)
	}
	return Oversize(old.Metadata.Annotations, p.Metadata.Annotations)
}

// tooLarge refuses what is too large to be judged.
func tooLarge(why string) (admission.Response, string) {
	response, result := denied([]string{why})
	response.AuditAnnotations = Unjudged(errors.New(why))
	return response, result
}

// networksOf gives what the pod asks for beside the default network; unread says why that cannot be told, or why it is not gone
// through, and is nil where it can.
func networksOf(namespace string, p *Pod) (networks multus.Networks, unread *Refusal) {
	networks, err := multus.Parse(namespace, p.Metadata.Annotations)
	if err != nil {
		return multus.Networks{}, &Refusal{Field: "metadata.annotations", Why: err.Error(), Fix: `write it as Multus expects, for example "namespace/name"`}
	}
	if n := len(networks.All()); n > maxAttachments {
		return multus.Networks{}, &Refusal{
			Field: annotation(kubeovn.Networks), Why: fmt.Sprintf("the pod asks for %d networks, more than %d", n, maxAttachments), Fix: "ask for fewer",
		}
	}
	return networks, nil
}

// nicsOf gives the NICs that a pod may have in OVN. Every attachment counts as one of OVN: what its definition says now can be
// another thing when the pod starts.
func nicsOf(n multus.Networks) []kubeovn.NIC {
	return kubeovn.NICs(n.Default, n.Attachments, func(kubeovn.Attachment) kubeovn.AttachmentKind { return kubeovn.KindOVN })
}

func isPod(req admission.Request) bool {
	return req.Resource.Group == corev1.GroupName && req.Resource.Resource == "pods"
}

// isBinding tells that the request binds a pod to a node, by the pod's subresource or by the older resource of its own.
func isBinding(req admission.Request) bool {
	return isPod(req) && req.SubResource == "binding" || req.Resource.Group == corev1.GroupName && req.Resource.Resource == "bindings"
}

func wrongReview(want string, req admission.Request) (admission.Response, string) {
	return invalid(fmt.Errorf("ovnguard: this webhook answers %s, not %s of %s", want, req.Operation, resourceName(req)))
}

func denied(reasons []string) (admission.Response, string) {
	return admission.Denied("ovnguard: " + shorten(strings.Join(few(reasons), "; "), maxMessage)), ResultDenied
}

func invalid(err error) (admission.Response, string) {
	response := admission.Errored(http.StatusBadRequest, err)
	response.AuditAnnotations = Unjudged(err)
	return response, ResultInvalid
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
