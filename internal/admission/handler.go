package admission

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// lookupTimeout bounds what one review may spend on asking the API server. It is shorter than the webhook's own
// timeout, so that a slow lookup ends in the strict default and not in a failed call.
const lookupTimeout = 1500 * time.Millisecond

// reviewTimeout bounds one review as a whole. It is shorter than the webhook's own timeout, so that the author is told.
const reviewTimeout = 2500 * time.Millisecond

// timed is a World whose views end with the review.
type timed struct {
	World
	done <-chan struct{}
}

// Look implements World.
func (t timed) Look(ctx context.Context, namespace, user string, look func(*View)) {
	t.World.Look(ctx, namespace, user, func(v *View) {
		v.Done = t.done
		look(v)
	})
}

// outOfTime refuses what could not be judged in time.
func outOfTime() (admission.Response, string) {
	err := errors.New(
		"ovnguard: there was no time left to judge this, and what is not judged is not let through; try again",
	)
	response := admission.Errored(http.StatusGatewayTimeout, err)
	response.AuditAnnotations = Unjudged(err)
	return response, ResultInvalid
}

// World is what reviews look at.
type World interface {
	// Look calls look with the cluster as it is now, for a request of the user in the namespace. The view must not be
	// kept.
	Look(ctx context.Context, namespace, user string, look func(*View))
	// Pod gives the pod as it is in the API server.
	Pod(ctx context.Context, namespace, name string) (*Pod, error)
	// Repaired gives the changes of repair that have the IDs, the newest first, and still stand, as one, for an author
	// who may take them back: ErrNoUndo for any other.
	Repaired(ctx context.Context, ids []string) (Repaired, error)
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

// Handle answers one review. A review that is about something else, or whose object cannot be read, is refused: nothing
// is ever allowed unchanged because it was not understood.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	start := h.Now()
	review, cancel := context.WithTimeout(ctx, reviewTimeout)
	defer cancel()
	lookups, cancel := context.WithTimeout(review, lookupTimeout)
	defer cancel()
	response, result := h.review(lookups, timed{h.World, review.Done()}, req)
	if review.Err() != nil { // what was judged may not be all
		response, result = outOfTime()
	}
	h.Observe(result, h.Now().Sub(start))
	return response
}

// MutatePods returns the webhook that makes new pods, and new NICs of running ones, inherit port security.
func MutatePods(world World, observe func(string, time.Duration), now func() time.Time) *Handler {
	return &Handler{World: world, Observe: observe, Now: now, review: mutatePod}
}

// GuardPods returns the webhook that has the last word on pods, however they are made and changed.
func GuardPods(world World, observe func(string, time.Duration), now func() time.Time) *Handler {
	return &Handler{World: world, Observe: observe, Now: now, review: guardPod}
}

func mutatePod(ctx context.Context, world World, req admission.Request) (admission.Response, string) {
	if req.Operation != admissionv1.Create && req.Operation != admissionv1.Update || !isPod(req) ||
		req.SubResource != "" {
		return wrongReview("CREATE and UPDATE of pods", req)
	}
	p, old, err := parsePods(req)
	if err != nil {
		return invalid(err)
	}
	if p.Spec.HostNetwork {
		return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
	}
	if why := p.Excess(old); why != "" {
		return tooLarge(why)
	}
	var change Change
	world.Look(ctx, req.Namespace, req.UserInfo.Username, func(v *View) {
		switch {
		case p.Unread != nil && v.tightestMode(p.Pod) == policy.Enforce:
			change.Denials = []string{p.Unread.String()} // which NICs there are to protect cannot be told
		case old != nil && p.Unread == nil:
			change = v.ChangeNewNICs(old, p)
		case old == nil:
			change = v.ChangePod(p)
		}
		if p.Unread != nil && len(change.Denials) == 0 { // the validating webhook warns of it, where the policy does
			change.Violations = append(change.Violations, p.Unread.String())
		}
		if len(change.Verdict.nics) == 0 { // none was looked at
			change.Verdict = v.newCheck(p, old != nil).verdict()
		}
	})
	var response admission.Response
	result := ResultUnchanged
	switch {
	case len(change.Denials) > 0:
		response, result = denied(few(change.Denials))
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
	var warnings []string
	var undo undoing
	switch {
	case isPod(req) && (req.SubResource == "" && req.Operation == admissionv1.Create ||
		(req.SubResource == "" || req.SubResource == "status") && req.Operation == admissionv1.Update):
		p, old, err := parsePods(req)
		if err != nil {
			return invalid(err)
		}
		if cmp.Or(old, p).Spec.HostNetwork {
			return admission.Allowed("hostNetwork: the pod has no OVN port"), ResultUnchanged
		}
		if why := p.Excess(old); why != "" {
			return tooLarge(why)
		}
		warnings = p.ignored(old)
		if undo = undoes(old, p); undo.changed && undo.err == nil {
			undo.Repaired, undo.err = world.Repaired(ctx, undo.ids)
		}
		lookAt(ctx, world, req, old, p, func(v *View) {
			if old == nil {
				refusals, verdict = v.CheckCreate(v.mended(p))
			} else {
				v.Undo = undo
				refusals, verdict = v.CheckUpdate(old, p)
				undo = v.Undo
			}
			warnings = append(warnings, v.misspelt(p, old)...)
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
		pod, err := world.Pod(ctx, req.Namespace, cmp.Or(binding.Metadata.Name, req.Name))
		if err != nil {
			why := fmt.Errorf("the pod that is to be bound could not be read: %w; try again", err)
			response, result := denied([]string{why.Error()})
			response.AuditAnnotations = Unjudged(why)
			return response, result
		}
		p := ParsePod(req.Namespace, pod, nil)
		bound := ParsePod(req.Namespace, bind(binding.Metadata, pod), p)
		if why := bound.Excess(p); why != "" {
			return tooLarge(why)
		}
		warnings = bound.ignored(p)
		if undo = undoes(p, bound); undo.changed {
			undo.err = errMark
		}
		world.Look(ctx, req.Namespace, req.UserInfo.Username, func(v *View) {
			v.Undo = undo
			refusals, verdict = v.CheckBinding(p, bound)
		})
	default:
		return wrongReview("CREATE and UPDATE of pods, UPDATE of pods/status and CREATE of pods/binding", req)
	}
	response, result := answer(refusals, verdict)
	if undo.counted && response.Allowed {
		response.AuditAnnotations[NoteUndo] = ShortNote(undo.id())
	}
	response.Warnings = append(warnings, response.Warnings...)
	return response, result
}

// parsePods parses the pod of a review and, for an update, what it was before; nil otherwise.
func parsePods(req admission.Request) (p, old *ParsedPod, err error) {
	if req.Operation == admissionv1.Update {
		before, err := decodePod(req.OldObject.Raw)
		if err != nil {
			return nil, nil, err
		}
		old = ParsePod(req.Namespace, before, nil)
	}
	now, err := decodePod(req.Object.Raw)
	if err != nil {
		return nil, nil, err
	}
	return ParsePod(req.Namespace, now, old), old, nil
}

// ignored returns the warnings about annotations that are not looked at, of NICs that the pod does not have and those
// that are not known, one of each kind at most, where there are some that were not there before; before is nil for a
// new pod.
func (p *ParsedPod) ignored(before *ParsedPod) []string {
	var warnings []string
	warn := func(all []string, why string) {
		var first []string // of thousands, no more than are told are put in order and into words
		count := 0
		for _, key := range all {
			if before != nil && before.value(key) == p.value(key) {
				continue
			}
			count++
			if at, _ := slices.BinarySearch(first, key); at < maxReasons {
				first = slices.Insert(first, at, key)
				first = first[:min(len(first), maxReasons)]
			}
		}
		for i := range first {
			first[i] = annotation(first[i])
		}
		if more := count - len(first); more > 0 {
			first = append(first, fmt.Sprintf("and %d more", more))
		}
		if count > 0 {
			warnings = append(warnings, shorten("ovnguard: "+strings.Join(first, ", ")+": "+why, maxWarning))
		}
	}
	warn(
		p.Ignored,
		"the pod has no such NIC, so that this is not looked at until it gets one; check the spelling against "+
			"annotation "+kubeovn.Networks,
	)
	warn(
		p.Unknown,
		"ovnguard does not know this key of Kube-OVN's form, and cannot say what it does to the port; check the "+
			"spelling against docs/keys.md",
	)
	return warnings
}

// answer turns refusals into a response: those under a policy that enforces deny, those under one that warns warn.
func answer(refusals []Refusal, verdict Verdict) (admission.Response, string) {
	var denials, warnings, all []string
	for _, r := range refusals {
		all = append(all, r.Note())
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
	return response.WithWarnings(warnings...), result
}

// tooLarge refuses what is too large to be judged.
func tooLarge(why string) (admission.Response, string) {
	response, result := denied([]string{why})
	response.AuditAnnotations = Unjudged(errors.New(why))
	return response, result
}

func isPod(req admission.Request) bool {
	return req.Resource.Group == corev1.GroupName && req.Resource.Resource == "pods"
}

// isBinding reports whether the request binds a pod to a node, by the pod's subresource or by the older resource of its
// own.
func isBinding(req admission.Request) bool {
	return isPod(req) && req.SubResource == "binding" ||
		req.Resource.Group == corev1.GroupName && req.Resource.Resource == "bindings"
}

func wrongReview(want string, req admission.Request) (admission.Response, string) {
	return invalid(
		fmt.Errorf("ovnguard: this webhook answers %s, not %s of %s", want, req.Operation, resourceName(req)),
	)
}

func denied(reasons []string) (admission.Response, string) {
	return admission.Denied("ovnguard: " + shorten(strings.Join(reasons, "; "), maxMessage)), ResultDenied
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
