package cli

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// selector picks pods by their labels; all of them where the flag is not given.
type selector struct {
	text  string
	picks labels.Selector
}

func (s *selector) addFlag(flags *pflag.FlagSet) {
	flags.StringVarP(&s.text, "selector", "l", "", "only pods with these labels, such as app=web or 'app in (web,api)'")
}

// parse reads the flag.
func (s *selector) parse() (err error) {
	if !s.given() {
		return nil
	}
	if s.picks, err = labels.Parse(s.text); err != nil {
		return fmt.Errorf("--selector: %q: %w", s.text, err)
	}
	return nil
}

func (s *selector) given() bool { return s.text != "" }

// matches reports whether the flag picks the pod; nil is none, and is picked only where the flag is not given.
func (s *selector) matches(p *inventory.Pod) bool {
	return !s.given() || p != nil && s.picks.Matches(labels.Set(p.Labels))
}

// pods returns the pods, of one namespace where it is not empty, and whether the flag picks each. It returns an error
// if the flag picks none: an answer about no pod has no findings, and looks clean.
func (s *selector) pods(inv *inventory.State, namespace string) (map[inventory.PodKey]bool, error) {
	out, found := make(map[inventory.PodKey]bool), false
	for p := range inv.EachPod() {
		if namespace == "" || p.Namespace == namespace {
			out[p.PodKey] = s.matches(p)
			found = found || out[p.PodKey]
		}
	}
	switch {
	case found:
		return out, nil
	case namespace != "":
		return nil, fmt.Errorf("--selector: %q: no pod of namespace %s has these labels", s.text, namespace)
	}
	return nil, fmt.Errorf("--selector: %q: no pod has these labels", s.text)
}
