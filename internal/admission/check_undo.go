package admission

import (
	"errors"
	"fmt"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// VerbUndo is what taking back what repair did to a pod takes, on pods.ovnguard.io in the pod's namespace.
const VerbUndo = "undo"

// Repaired is what repair did to a pod's annotations once, as its journal says.
type Repaired struct {
	// PodUID is the pod's.
	PodUID string
	// Before are the values of the annotations that it wrote, as it found them; "" for one that was not there.
	Before map[string]string
}

// ErrNoUndo is that the author of a request may not take back what repair did.
var ErrNoUndo = errors.New(`that takes the verb "` + VerbUndo + `"`)

// undoing is a change of repair that a request says it takes back, and what is known of it.
type undoing struct {
	// id is the change's; "" where the request takes none back.
	id string
	Repaired
	// err says why nothing is known of it.
	err error
	// counted means that a value was let through for it.
	counted bool
}

// took says why the annotation may not be given this value by taking the change back; nil where it may. It returns the
// very value that repair found on this very pod, and nothing but port_security: a right to take back is no right to
// write.
func (u *undoing) took(pod *Pod, k *Key) error {
	before, wrote := u.Before[k.Name]
	switch {
	case errors.Is(u.err, ErrNoUndo):
		return fmt.Errorf("%w on pods.ovnguard.io %s to take back change %s of repair", u.err, pod.Metadata.Name, u.id)
	case u.err != nil:
		return u.err
	case k.Suffix != kubeovn.PortSecurity:
		return errors.New("repair writes port_security, and nothing else can be taken back")
	case pod.Metadata.UID == "" || pod.Metadata.UID != u.PodUID:
		return fmt.Errorf("change %s of repair was of another pod", u.id)
	case !wrote || before != k.Value:
		return fmt.Errorf("change %s of repair did not find %q there", u.id, k.Value)
	}
	return nil
}

// undone reports whether the change of an annotation takes back what repair did and is let through for it. Where the
// request only says that it does, that is refused.
func (r *review) undone(k *Key) bool {
	if r.Undo.id == "" || k.Value == kubeovn.True || r.decision(k.Provider).Level == policy.Open {
		return false
	}
	if err := r.Undo.took(r.pod, k); err != nil {
		r.refuse(
			portSecurityOff,
			r.modeOfKey(k),
			annotation(k.Name),
			`write "true", or take back with ovnguard undo what repair wrote`,
			"%q would leave the NIC without protection: %v",
			k.Value,
			err,
		)
		return true
	}
	r.Undo.counted = true
	return true
}

// undoes returns the change of repair that an update says it takes back.
func undoes(old, p *ParsedPod) string {
	id := p.Metadata.Annotations[policy.UndoAnnotation]
	if old == nil || id == old.Metadata.Annotations[policy.UndoAnnotation] {
		return "" // it stands there from before
	}
	return id
}
