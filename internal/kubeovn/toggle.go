package kubeovn

import (
	"fmt"
	"slices"
	"strings"
)

// Toggle is what the value of an on/off annotation was meant to say. Kube-OVN itself knows only True; everything else
// is off without a word, which is why a look-alike such as "True" leaves a port open although its author believes
// otherwise.
type Toggle int

// Values of a Toggle.
const (
	// Unset means that the annotation is absent or empty.
	Unset Toggle = iota
	// On means that the author wanted it on, whatever the spelling.
	On
	// Off means that the author wanted it off.
	Off
)

// MaxChanged is how many annotations about NICs may change at once on a namespace without the right to loosen it: each
// has to be judged.
const MaxChanged = 128

var (
	onWords  = []string{"true", "1", "t", "yes", "y", "on", "enable", "enabled"}
	offWords = []string{"false", "0", "f", "no", "n", "off", "disable", "disabled"}
)

// ToggleWords returns the words for on and for off.
func ToggleWords() (on, off []string) { return slices.Clone(onWords), slices.Clone(offWords) }

// ParseToggle reads an on/off annotation as its author meant it: blanks around it and the case of its letters do not
// matter. A value that is neither a word for on nor one for off is an error, because guessing either way could leave
// somebody with less protection, or less network, than they think they have.
func ParseToggle(value string) (Toggle, error) {
	word := strings.ToLower(strings.TrimSpace(value))
	switch {
	case word == "":
		return Unset, nil
	case slices.Contains(onWords, word):
		return On, nil
	case slices.Contains(offWords, word):
		return Off, nil
	}
	return Unset, fmt.Errorf("%q is neither %q nor %q", value, "true", "false")
}
