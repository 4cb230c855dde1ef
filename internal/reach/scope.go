package reach

import (
	"strings"

	"github.com/ovnguard/ovnguard/internal/intent"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// policyFor is the annotation by which a NetworkPolicy is meant for some NICs of pods alone: "ovn" for that of the
// default network, or "NAMESPACE/NAME" of an attachment, several joined by commas.
const policyFor = "ovn.kubernetes.io/network_policy_for"

// scopes are the providers that policies are meant for; policies without the annotation are not among them.
type scopes map[intent.Ref]map[kubeovn.Provider]bool

func scopesOf(o *intent.Objects) scopes {
	s := make(scopes)
	for _, p := range o.NetworkPolicies {
		text := strings.TrimSpace(p.Annotations[policyFor])
		if text == "" {
			continue
		}
		of := make(map[kubeovn.Provider]bool)
		for item := range strings.SplitSeq(text, ",") {
			switch item = strings.TrimSpace(item); {
			case strings.EqualFold(item, string(kubeovn.DefaultProvider)):
				of[kubeovn.DefaultProvider] = true
			default:
				if namespace, name, ok := strings.Cut(item, "/"); ok {
					of[kubeovn.Provider(name+"."+namespace+".ovn")] = true
				}
			}
		}
		s[intent.Ref{Kind: intent.KindNetworkPolicy, Namespace: p.Namespace, Name: p.Name}] = of
	}
	return s
}

// meant reports whether a policy is meant for the NIC of a provider.
func (s scopes) meant(r intent.Ref, provider kubeovn.Provider) bool {
	of, limited := s[r]
	return !limited || of[provider]
}
