package admission

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// lookupTimeout bounds what one review may spend on asking the API server. It is shorter than that of the review, so
// that a slow lookup ends in the strict default and not in a refusal.
const lookupTimeout = 1500 * time.Millisecond

// World is what reviews of pods look at.
type World interface {
	// Look calls look with the cluster as it is now, for a request of the user in the namespace. The view must not be
	// kept.
	Look(ctx context.Context, namespace, user string, look func(*View))
	// Pod returns the pod as it is in the API server.
	Pod(ctx context.Context, namespace, name string) (*Pod, error)
	// Repaired returns the changes of repair that have the IDs, the newest first, and still stand, as one, for an author
	// who may take them back: ErrNoUndo for any other.
	Repaired(ctx context.Context, ids []string) (Repaired, error)
	// Definition returns the definition of a network as it is in the API server.
	Definition(ctx context.Context, a kubeovn.Attachment) Definition
}

// asking is one request about a pod, with what it may look at and for how long.
type asking struct {
	World
	req *admissionv1.AdmissionRequest
	// lookups ends when the API server is not asked any more, and done when the review has no more time.
	lookups context.Context
	done    <-chan struct{}
}

// asks begins the review of a request; cancel ends it.
func asks(ctx context.Context, world World, req *admissionv1.AdmissionRequest) (a *asking, cancel func()) {
	lookups, cancel := context.WithTimeout(ctx, lookupTimeout)
	return &asking{World: world, req: req, lookups: lookups, done: ctx.Done()}, cancel
}

// look calls judge with the cluster as it is now.
func (a *asking) look(judge func(*View)) {
	a.Look(a.lookups, a.req.Namespace, a.req.UserInfo.Username, func(v *View) {
		v.Done = a.done
		judge(v)
	})
}

// MutatePods returns the judge that makes new pods, and new NICs of running ones, inherit port security.
func MutatePods(world World) Judge {
	return func(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
		ask, cancel := asks(ctx, world, req)
		defer cancel()
		return ask.mutate()
	}
}

// GuardPods returns the judge that has the last word on pods, however they are made and changed.
func GuardPods(world World) Judge {
	return func(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
		ask, cancel := asks(ctx, world, req)
		defer cancel()
		switch {
		case ask.isPod() && (req.SubResource == "" && req.Operation == admissionv1.Create ||
			(req.SubResource == "" || req.SubResource == "status") && req.Operation == admissionv1.Update):
			return ask.guard()
		case req.Operation == admissionv1.Create && ask.isBinding():
			return ask.guardBinding()
		}
		return Answer{}, ask.wrong("CREATE and UPDATE of pods, UPDATE of pods/status and CREATE of pods/binding")
	}
}

func (a *asking) mutate() (Answer, error) {
	if a.req.Operation != admissionv1.Create && a.req.Operation != admissionv1.Update || !a.isPod() ||
		a.req.SubResource != "" {
		return Answer{}, a.wrong("CREATE and UPDATE of pods")
	}
	p, old, err := a.parse()
	if err != nil || p.Spec.HostNetwork { // such a pod has no port of OVN
		return Answer{}, err
	}
	if refusal := p.Excess(old); refusal != nil {
		return unjudged(*refusal), nil
	}
	var change Change
	var brought []Brought
	a.look(func(v *View) {
		if old == nil && p.Unread == nil && (a.req.DryRun == nil || !*a.req.DryRun) {
			brought = v.brought(p)
		}
		enforces := v.tightestMode(p.Pod) == policy.Enforce
		switch {
		case p.Unread != nil && enforces: // which NICs there are to protect cannot be told
		case old == nil:
			change = v.ChangePod(p)
		case p.Unread == nil:
			change = v.ChangeNewNICs(old, p)
		}
		if p.Unread != nil {
			unread := *p.Unread
			if !enforces {
				unread.Mode = policy.Audit // the validating webhook warns of it, where the policy does
			}
			change.Refusals = append(change.Refusals, unread)
		}
		if len(change.Verdict.nics) == 0 { // none was looked at
			change.Verdict = v.newReview(p, old != nil).verdict()
		}
	})
	answer := Answer{
		Refusals: change.Refusals,
		Warnings: change.Warnings,
		Patch:    change.Patch(p.Metadata.Annotations),
		Brought:  brought,
	}
	answer.Decided(&change.Verdict)
	if keys := differing(brought); len(keys) > 0 {
		answer.Note(NoteBrought, ShortNote(strings.Join(keys, ", ")))
	}
	return answer, nil
}

func (a *asking) guard() (Answer, error) {
	p, old, err := a.parse()
	if err != nil || cmp.Or(old, p).Spec.HostNetwork { // such a pod has no port of OVN
		return Answer{}, err
	}
	if refusal := p.Excess(old); refusal != nil {
		return unjudged(*refusal), nil
	}
	answer := Answer{Warnings: p.ignored(old)}
	var verdict Verdict
	undo := undoes(old, p)
	if undo.changed && undo.err == nil {
		undo.Repaired, undo.err = a.Repaired(a.lookups, undo.ids)
	}
	a.lookAt(old, p, func(v *View) {
		if old == nil {
			answer.Refusals, verdict = v.CheckCreate(v.mended(p))
		} else {
			v.Undo = undo
			answer.Refusals, verdict = v.CheckUpdate(old, p)
			undo = v.Undo
		}
		answer.Warnings = append(answer.Warnings, v.misspelt(p, old)...)
	})
	answer.Decided(&verdict)
	if undo.counted && len(answer.Denials()) == 0 {
		answer.Note(NoteUndo, ShortNote(undo.id()))
	}
	return answer, nil
}

func (a *asking) guardBinding() (Answer, error) {
	var binding struct {
		Metadata Metadata `json:"metadata"`
	}
	if err := json.Unmarshal(a.req.Object.Raw, &binding); err != nil {
		return Answer{}, fmt.Errorf("the object of the review is not a Binding: %w", err)
	}
	if len(binding.Metadata.Annotations) == 0 && len(binding.Metadata.Labels) == 0 {
		return Answer{}, nil
	}
	pod, err := a.Pod(a.lookups, a.req.Namespace, cmp.Or(binding.Metadata.Name, a.req.Name))
	if err != nil {
		return unjudged(Refusal{
			Check: notReadYet, Field: "metadata.name", Fix: "try again",
			Why: fmt.Sprintf("the pod of the Binding could not be read: %v", err),
		}), nil
	}
	p := ParsePod(a.req.Namespace, pod, nil)
	bound := ParsePod(a.req.Namespace, bind(binding.Metadata, pod), p)
	if refusal := bound.Excess(p); refusal != nil {
		return unjudged(*refusal), nil
	}
	answer := Answer{Warnings: bound.ignored(p)}
	undo := undoes(p, bound)
	if undo.changed {
		undo.err = errMark
	}
	var verdict Verdict
	a.look(func(v *View) {
		v.Undo = undo
		answer.Refusals, verdict = v.CheckBinding(p, bound)
	})
	answer.Decided(&verdict)
	return answer, nil
}

// unjudged refuses a pod for what keeps it from being judged.
func unjudged(r Refusal) Answer {
	a := Answer{Refusals: []Refusal{r}}
	a.Note(NoteDecision, notKnown)
	return a
}

// parse parses the pod of the request and, for an update, what it was before; nil otherwise.
func (a *asking) parse() (p, old *ParsedPod, err error) {
	if a.req.Operation == admissionv1.Update {
		before, err := decodePod(a.req.OldObject.Raw)
		if err != nil {
			return nil, nil, err
		}
		old = ParsePod(a.req.Namespace, before, nil)
	}
	now, err := decodePod(a.req.Object.Raw)
	if err != nil {
		return nil, nil, err
	}
	return ParsePod(a.req.Namespace, now, old), old, nil
}

func (a *asking) isPod() bool {
	return a.req.Resource.Group == corev1.GroupName && a.req.Resource.Resource == "pods"
}

// isBinding reports whether the request binds a pod to a node, by the pod's subresource or by the older resource of its
// own.
func (a *asking) isBinding() bool {
	return a.isPod() && a.req.SubResource == "binding" ||
		a.req.Resource.Group == corev1.GroupName && a.req.Resource.Resource == "bindings"
}

// wrong returns the error for a request of another kind than the webhook wants.
func (a *asking) wrong(want string) error {
	name := a.req.Resource.Resource
	if a.req.SubResource != "" {
		name += "/" + a.req.SubResource
	}
	if a.req.Resource.Group != "" {
		name += "." + a.req.Resource.Group
	}
	return fmt.Errorf("this webhook answers %s, not %s of %s", want, a.req.Operation, name)
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
		"the pod has no such NIC, so this has no effect until it gets one; compare the spelling with "+
			"annotation "+kubeovn.Networks,
	)
	warn(
		p.Unknown,
		"the key has the form of a Kube-OVN key, but ovnguard does not know it or its effect on the port; "+
			"compare the spelling with docs/keys.md",
	)
	return warnings
}
