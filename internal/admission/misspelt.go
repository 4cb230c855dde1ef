package admission

import (
	"fmt"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// misspelt returns the one warning about annotations that say something of a NIC on OVN and lack ".ovn" behind its
// attachment, where there are some that were not there before; before is nil for a new pod. They are read for NICs
// outside OVN alone, so that whoever wrote one gets a MAC or an address by chance. Examples that lack it are in
// circulation.
func (v *View) misspelt(p, before *ParsedPod) []string {
	var keys []string
	for i := range p.Keys {
		k := &p.Keys[i]
		if before != nil && before.value(k.Name) == k.Value || !v.isOVN(p, k.Provider+".ovn") {
			continue
		}
		keys = append(keys, annotation(k.Name))
	}
	if len(keys) == 0 {
		return nil
	}
	return []string{
		shorten(
			fmt.Sprintf(
				"ovnguard: %s: the network is on OVN, and Kube-OVN does not read this key for NICs on OVN; "+
					"write .ovn.kubernetes.io/ in place of .kubernetes.io/",
				strings.Join(few(keys), ", "),
			),
			maxWarning,
		),
	}
}

// isOVN reports whether the provider is that of a network which the pod asks for, and whose definition makes a NIC on
// OVN and no other.
func (v *View) isOVN(p *ParsedPod, provider kubeovn.Provider) bool {
	for _, a := range p.Networks.All() {
		if kubeovn.AttachmentProvider(a.Namespace, a.Name) == provider {
			kind, known := v.Inventory.Kind(a)
			return known && kind == kubeovn.KindOVN
		}
	}
	return false
}
