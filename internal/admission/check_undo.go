package admission

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// VerbUndo is the verb needed to take back changes of repair, on pods.ovnguard.io in the pod's namespace.
const VerbUndo = "undo"

// Repaired is one change of repair to a pod's annotations, from its journal.
type Repaired struct {
	// PodUID is the pod's.
	PodUID string
	// Before are the values of the annotations that it wrote, as it found them, and After as it wrote them; "" for one
	// that was not there.
	Before, After map[string]string
}

// Errors of requests that take changes of repair back.
var (
	// ErrNoUndo means that the author of a request may not take back changes of repair.
	ErrNoUndo = errors.New(`taking back what repair did needs the verb "` + VerbUndo + `"`)
	errMark   = errors.New("the list of changes taken back must stay, so that no change is taken back twice")
)

// undoing is the changes of repair that a request says it takes back, with the facts about them.
type undoing struct {
	// changed means that the request changes what the pod says was taken back.
	changed bool
	// ids are the changes that the request says it takes back, the newest first. gives means that they were taken back
	// and the request gives back what repair wrote.
	ids   []string
	gives bool
	Repaired
	// err says why nothing is known of them.
	err error
	// counted means that they are taken back by the request.
	counted bool
}

// id names the changes.
func (u *undoing) id() string { return strings.Join(u.ids, ", ") }

// took says why the annotation may not be given this value by taking the changes back; nil where it may. It returns the
// very value that repair found on this very pod, and nothing but port_security: a right to take back is no right to
// write.
func (u *undoing) took(pod *Pod, k *Key) error {
	before, wrote := u.Before[k.Name]
	switch {
	case u.err != nil:
		return u.why(pod)
	case k.Suffix != kubeovn.PortSecurity:
		return errors.New("repair only writes port_security, so nothing else can be taken back")
	case !u.of(pod):
		return fmt.Errorf("change %s of repair was made on another pod", u.id())
	case !wrote || before != k.Value:
		return fmt.Errorf("change %s of repair did not overwrite %q", u.id(), k.Value)
	}
	return nil
}

func (u *undoing) why(pod *Pod) error {
	if errors.Is(u.err, ErrNoUndo) {
		return fmt.Errorf(
			"%w on pods.ovnguard.io %s to take back change %s of repair",
			u.err,
			pod.Metadata.Name,
			u.id(),
		)
	}
	return u.err
}

// takes reports whether a change of port_security of the NIC is taken back.
func (u *undoing) takes(nic kubeovn.Provider) bool {
	_, wrote := u.Before[nic.Key(kubeovn.PortSecurity)]
	return u.changed && u.err == nil && !u.gives && wrote
}

// of reports whether the changes were of this pod.
func (u *undoing) of(pod *Pod) bool { return pod.Metadata.UID != "" && pod.Metadata.UID == u.PodUID }

// undone reports whether the change of an annotation takes back what repair did and is let through for it. It refuses a
// request that only claims to.
func (r *review) undone(k *Key) bool {
	if !r.Undo.changed || r.Undo.gives || k.Value == kubeovn.True || r.decision(k.Provider).Level == policy.Open {
		return false
	}
	if err := r.Undo.took(r.Pod, k); err != nil {
		r.refuse(
			portSecurityOff,
			r.modeOfKey(k),
			annotation(k.Name),
			`write "true", or use ovnguard undo to take back a change of repair`,
			"%q would leave the NIC without protection: %v",
			k.Value,
			err,
		)
	}
	return true
}

var undoMark = &Check{
	ID: "OVGA26", Name: "undo-mark", Always: true,
	Summary: "a change of the pod's list of repair changes taken back, unless the same request takes them back",
}

// marked refuses a change of the list of changes taken back, unless the request takes these changes back, or applies
// again the ones taken back last.
func (r *review) marked(old *ParsedPod) {
	refused := slices.ContainsFunc(r.refusals, func(r Refusal) bool { return r.Mode == policy.Enforce })
	if !r.Undo.changed || refused {
		return
	}
	if err := r.Undo.mark(old, r.ParsedPod); err != nil {
		r.refuse(
			undoMark,
			policy.Enforce,
			annotation(policy.UndoAnnotation),
			"leave it as it is, or use ovnguard undo",
			"%v",
			err,
		)
		return
	}
	r.Undo.counted = !r.Undo.gives
}

// mark says why the pod may not come to say that the changes were taken back, or were given back; nil where it may. The
// port_security that repair wrote must come to be what it found, or must come to be what it wrote again.
func (u *undoing) mark(old, p *ParsedPod) error {
	if u.err != nil {
		return u.why(p.Pod)
	}
	if !u.of(p.Pod) {
		return fmt.Errorf("change %s of repair was made on another pod", u.id())
	}
	was, is := u.After, u.Before
	if u.gives {
		was, is = is, was
	}
	for key, value := range is {
		if kubeovn.BaseSuffix(key) != kubeovn.PortSecurity {
			continue
		}
		if p.value(key) != value {
			return fmt.Errorf("change %s of repair is not taken back while %s is %q", u.id(), key, p.value(key))
		}
		if u.gives && old.value(key) != was[key] {
			return fmt.Errorf("%w: somebody wrote %s since", errMark, key)
		}
	}
	return nil
}

// undoes returns the changes of repair that an update says it takes back, or gives back: those that it adds to the list
// on the pod, or takes from its end.
func undoes(old, p *ParsedPod) undoing {
	if old == nil || old.value(policy.UndoAnnotation) == p.value(policy.UndoAnnotation) {
		return undoing{} // it stands there from before
	}
	before, after := policy.Undone(old.Metadata.Annotations), policy.Undone(p.Metadata.Annotations)
	u := undoing{changed: true}
	switch common := min(len(before), len(after)); {
	case !slices.Equal(before[:common], after[:common]):
		u.err = errMark
	case len(after) > common:
		u.ids = after[common:]
		for _, id := range u.ids {
			if slices.Contains(before, id) {
				u.err = fmt.Errorf(
					"the pod says that change %s of repair was already taken back; the audit log of the API "+
						"server has the time and the user, under guard-running-pods-undo.ovnguard.io/%s",
					id,
					NoteUndo,
				)
			}
		}
	default:
		u.ids, u.gives = before[common:], true
	}
	return u
}
