package audit

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// gatewayCutOff finds ports of gateways with a decision that drops packets of others. A port that is wider than decided
// is found for that, and still lets it through.
var gatewayCutOff = check{
	rule: Rule{
		ID: "OVG028", Name: "gateway-cut-off", Severity: Medium, Settle: settle,
		Summary: "a gateway has no exception for the packets that it forwards, so OVN drops them",
	},
	find: func(s *subject) (found, bool) {
		if !s.cutOff() || !s.mustBeChecked() {
			return found{}, false
		}
		if wide, _ := s.columnWrong(); wide {
			return found{}, false
		}
		return found{
			message: fmt.Sprintf("the %s asks for level %s", s.Decision.LevelFrom.Phrase(), s.Decision.Level),
			fix:     s.fixException(),
		}, true
	},
}

// cutOff reports whether the port is a gateway's that would forward nothing if it were as was decided.
func (s *subject) cutOff() bool { return s.Passing != nil && s.Passing.Cut }

// gatewayText says of such a port what it is, and what has to be settled before the exception in its fix counts.
func (s *subject) gatewayText() string {
	text := SparedFor(&s.Port)
	if s.Passing.Hindrance != "" {
		text += " (which has an effect only after this is solved: " + s.Passing.Hindrance + ")"
	}
	return text
}

// SparedFor says of a port that would be cut off what it is, and that an exception is what it needs.
func SparedFor(p *inventory.Port) string {
	what := "packets from any address"
	if !p.Passing.Any {
		texts := make([]string, 0, sourcesToTell)
		for i, source := range p.Passing.Sources {
			if i == sourcesToTell {
				texts = append(texts, fmt.Sprintf("%d more", len(p.Passing.Sources)-i))
				break
			}
			texts = append(texts, source.String())
		}
		what = "packets from " + strings.Join(texts, ", ")
	}
	return fmt.Sprintf(
		"it is a port of %s; the gateway forwards %s and needs a PortSecurityException for that, such as %s/%s",
		p.Passing.Title,
		what,
		p.Passing.Exception.Namespace,
		p.Passing.Exception.Name,
	)
}

// sourcesToTell is how many prefixes a message has.
const sourcesToTell = 3

// Spared reports whether repair must not tighten the port: it is a gateway's for which there is no exception, and
// nothing was ever decided for it. What was decided is on record whichever way it went, by admission, by repair, or as
// taken back: where an exception that opened the port has ended, the port is tightened as everywhere else. An exception
// that picks pods by their labels says nothing about what a gateway forwards.
func Spared(p *inventory.Port) bool {
	return p.Pod != nil && p.Passing != nil && p.Passing.Cut && !p.Passing.Excepted && !decided(p)
}

// decided reports whether the pod shows that a decision was once carried out on this NIC.
func decided(p *inventory.Port) bool {
	_, recorded := policy.ReadRecord(p.Pod.Annotations)[p.Provider]
	return recorded || p.Pod.Annotations[policy.UndoAnnotation] != "" ||
		p.Pod.Annotations[p.Provider.Key(kubeovn.PortSecurity)] == kubeovn.True
}

// fixException returns the command that creates the exception that a gateway needs to go on forwarding. JSON is YAML on
// one line.
func (s *subject) fixException() string {
	text, ok := exceptionText(s.Passing)
	if !ok {
		return ""
	}
	line := command("printf", "%s", text)
	if line == "" {
		return ""
	}
	return line + " | kubectl apply -f -"
}

// ExceptionCommand returns the same command for what a port passes on; "" where it cannot be given safely.
func ExceptionCommand(p *inventory.Passing) string {
	s := subject{Port: inventory.Port{Passing: p}}
	return s.fixException()
}

// exceptionText writes the exception as its author would.
func exceptionText(p *inventory.Passing) (text string, ok bool) {
	type owner struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
	}
	type pair struct {
		Prefix     string `json:"prefix"`
		SharedWith string `json:"sharedWith,omitempty"`
	}
	type grant struct {
		Pairs []pair `json:"pairs,omitempty"`
	}
	type target struct {
		Owner     owner    `json:"owner"`
		Providers []string `json:"providers"`
	}
	type meta struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	}
	type spec struct {
		Target    target `json:"target"`
		Class     string `json:"class"`
		Grant     grant  `json:"grant"`
		Reason    string `json:"reason"`
		Owner     string `json:"owner"`
		ExpiresAt string `json:"expiresAt"`
	}
	e := &p.Exception
	if e.Owner == nil || e.Name == "" {
		return "", false
	}
	var pairs []pair
	for i, granted := range e.Pairs {
		pairs = append(pairs, pair{prefixText(granted.Prefix), e.SharedWith[i]})
	}
	raw, err := json.Marshal(struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   meta   `json:"metadata"`
		Spec       spec   `json:"spec"`
	}{
		"ovnguard.io/v1alpha1",
		"PortSecurityException",
		meta{e.Name, e.Namespace},
		spec{
			Target: target{
				owner{e.Owner.APIVersion, e.Owner.Kind, e.Owner.Name},
				e.Providers,
			},
			Class:     string(e.Class),
			Grant:     grant{pairs},
			Reason:    p.Title + " forwards what others send",
			Owner:     "administrators of the cluster network",
			ExpiresAt: e.Expires.UTC().Format(time.RFC3339),
		},
	})
	return string(raw), err == nil
}

// prefixText returns a prefix as people write it: a single address without its length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
