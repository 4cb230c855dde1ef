package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// RecordAnnotation is the annotation in which admission records, for people, what was decided for each NIC and where it
// came from. Nobody trusts it: a decision is always computed again. It tells only whether the pod's port_security
// annotation is a wish of the pod or was written unasked, and whoever forges that can do no more than take back the
// pod's own wish.
const RecordAnnotation = "ovnguard.io/decision"

// UndoAnnotation lists, with commas, the changes of repair to the pod's annotations that were taken back, by their IDs
// in the journal. A request that adds to it asks for that. Nobody may take anything out of it, so that no change is
// taken back twice.
const UndoAnnotation = "ovnguard.io/undone"

// Undone returns what the annotation lists.
func Undone(annotations map[string]string) []string {
	if annotations[UndoAnnotation] == "" {
		return nil
	}
	return strings.Split(annotations[UndoAnnotation], ",")
}

// Recorded is one NIC's entry in RecordAnnotation.
type Recorded struct {
	Level          string `json:"level"`
	From           string `json:"from"`
	Layer2Forward  string `json:"layer2Forward"`
	ForwardingFrom string `json:"layer2ForwardFrom"`
	// Asked means that the pod's own port_security annotation asked to be strict.
	Asked bool `json:"asked,omitempty"`
	// Overruled is what the pod's own port_security annotation said instead, to loosen it in vain.
	Overruled string `json:"overruled,omitempty"`
	// Named tells, on the default NIC alone, that the pod's author chose its name, which may be that of another port.
	// It keeps the record from reading as that of an ordinary pod, about which no webhook has anything more to say.
	Named bool `json:"named,omitempty"`
}

// Record returns the text of RecordAnnotation: providers in order, so that equal decisions give equal text.
func Record(nics map[kubeovn.Provider]Recorded) string {
	text, err := json.Marshal(nics)
	if err != nil {
		// Strings in a map always marshal; a failure would be a mistake in this file.
		panic(fmt.Sprintf("policy: marshal record: %v", err))
	}
	return string(text)
}

// maxRecord is how long a record may be, in bytes. That of a pod with the most NICs that admission lets in is shorter.
const maxRecord = 32 << 10

// ReadRecord returns the entries of RecordAnnotation; none where there is none that can be read. The map is the
// caller's.
func ReadRecord(annotations map[string]string) map[kubeovn.Provider]Recorded {
	nics := make(map[kubeovn.Provider]Recorded)
	if text := annotations[RecordAnnotation]; text == "" || len(text) > maxRecord ||
		json.Unmarshal([]byte(text), &nics) != nil ||
		nics == nil {
		return make(map[kubeovn.Provider]Recorded)
	}
	return nics
}

// onlyDefault is what most pods inherit, shared by all of them.
var onlyDefault = []kubeovn.Provider{kubeovn.DefaultProvider}

// OrdinaryRecord is the record of a pod that asked for nothing, where nobody says anything else than the default.
var OrdinaryRecord = Record(map[kubeovn.Provider]Recorded{kubeovn.DefaultProvider: {
	Level:          Strict.String(),
	From:           string(FromDefault),
	Layer2Forward:  Forbid.String(),
	ForwardingFrom: string(FromDefault),
}})

// AskedRecord is the record of such a pod that asked for nothing but to be strict.
var AskedRecord = Record(map[kubeovn.Provider]Recorded{kubeovn.DefaultProvider: {
	Level:          Strict.String(),
	From:           string(FromDefault),
	Layer2Forward:  Forbid.String(),
	ForwardingFrom: string(FromDefault),
	Asked:          true,
}})

// Inherited returns the NICs whose port_security was written without the pod having asked, as the record says; none
// where there is no record that can be read.
func Inherited(annotations map[string]string) []kubeovn.Provider {
	if annotations[RecordAnnotation] == OrdinaryRecord {
		return onlyDefault // as most are
	}
	nics := ReadRecord(annotations)
	if r, ok := nics[kubeovn.DefaultProvider]; ok && len(nics) == 1 && !r.Asked {
		return onlyDefault
	}
	var out []kubeovn.Provider
	for p, r := range nics {
		if !r.Asked {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// Told returns the steps of the decision for a NIC, with what the pod's author asked for in vain and admission
// replaced, as its record says.
func (d Decision) Told(annotations map[string]string, provider kubeovn.Provider) []Step {
	wish := ReadRecord(annotations)[provider].Overruled
	if wish == "" || !slices.Contains(Inherited(annotations), provider) {
		return d.Steps
	}
	s := Step{
		Source:  FromPod,
		Key:     provider.Key(kubeovn.PortSecurity),
		Value:   wish,
		Outcome: Refused,
		Detail: "admission wrote " + annotations[provider.Key(kubeovn.PortSecurity)] + " in its place: a pod may " +
			"only tighten",
	}
	at := slices.IndexFunc(
		d.Steps,
		func(s Step) bool { return s.Source == FromPod || s.Source == FromVIP || s.Source == FromException },
	)
	if at < 0 {
		at = len(d.Steps)
	}
	return slices.Insert(slices.Clone(d.Steps), at, s)
}
