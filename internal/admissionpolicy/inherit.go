package admissionpolicy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// inherited returns an expression for the list of keys that the namespace hands down to the default NIC of a new pod:
// those of the first policy for that NIC, as policy.HandedDown has them. It is "" where no policy lists any. Other NICs
// are left to the webhooks, which know all forms in which a pod names its networks.
func (in Input) inherited() (string, error) {
	list := slices.Clone(in.Policies)
	slices.SortStableFunc(list, func(a, b v1alpha1.PortSecurityPolicy) int {
		return cmp.Or(-cmp.Compare(a.Spec.Priority, b.Spec.Priority), cmp.Compare(a.Name, b.Name))
	})
	var choices []string
	none := true
	for i := range list {
		p := &list[i].Spec
		if p.PodSelector != nil || !policy.Providers(p.Providers).Pick(kubeovn.DefaultProvider) {
			continue
		}
		selector, err := selectorExpression(p.NamespaceSelector)
		if err != nil {
			return "", fmt.Errorf("PortSecurityPolicy %s: spec.namespaceSelector: %w", list[i].Name, err)
		}
		var keys []string
		for _, key := range p.InheritedKeys {
			provider, _, _ := kubeovn.SplitKey(key)
			if provider == kubeovn.DefaultProvider && kubeovn.Inheritable(key) {
				keys, none = append(keys, key), false
			}
		}
		choices = append(choices, fmt.Sprintf("(%s) ? %s : ", selector, List(keys)))
	}
	if none {
		return "", nil
	}
	return parts{
		"choice":      strings.Join(choices, "") + "[]",
		"said":        "namespaceObject.metadata.annotations",
		"annotations": annotations,
		"replaced":    quote(kubeovn.DefaultNetwork),
	}.fill(`
		!has($said) || $replaced in $annotations ? [] :
		($choice).filter(k, k in $said && $said[k] != '' && !(k in $annotations))`), nil
}

// handDown returns an expression for the operations of a JSON patch that write the annotations of variables.inherited.
// They come after the operations of the default policy; made holds where these have made the map of annotations.
func handDown(made string) string {
	return parts{
		"there":   "has(object.metadata.annotations)",
		"made":    made,
		"pointer": quote(podAnnotations),
		"said":    "namespaceObject.metadata.annotations",
	}.fill(`
		(size(variables.inherited) == 0 || $there || $made ? [] :
		[JSONPatch{op: 'add', path: $pointer, value: {}}]) +
		variables.inherited.map(k,
		JSONPatch{op: 'add', path: $pointer + '/' + jsonpatch.escapeKey(k), value: $said[k]})`)
}
