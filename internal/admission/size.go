package admission

import (
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

var tooMuch = &Check{
	ID: "OVGA01", Name: "too-much", Always: true,
	Summary: "more annotations, networks or list items than the limit",
}

// Bounds of what a pod says about its ports. What is judged is looked up item by item, and each item may have a
// sentence of its own; the API server looks at the size of annotations only after the webhooks.
const (
	// maxAnnotations is how many bytes the keys and values of all annotations may have, as the API server will say
	// itself (TotalAnnotationSizeLimitB of k8s.io/apimachinery/pkg/api/validation).
	maxAnnotations = 256 << 10
	// maxValue is how long the value of an annotation may be that Kube-OVN reads, in bytes: 64 names of the longest
	// kind.
	maxValue = 16 << 10
	// maxPoolValue is the same for ip_pool: 1,024 IPv6 addresses, and blanks.
	maxPoolValue = 64 << 10
	// maxPoolItems is how many addresses ip_pool may list: it has one for each replica of a workload.
	maxPoolItems = 1024
	// maxItems is how many items all lists of a pod may have together, each counted once in its list.
	maxItems = 2048
	// maxKeys is how many such annotations there may be: sixteen for each of the networks that a pod may have, and for
	// the default one.
	maxKeys = 16 * (multus.MaxNetworks + 1)
)

// maxValue returns how long the value may be, in bytes. The parser of networks has a bound of its own.
func (k *Key) maxValue() int {
	switch {
	case k.Class == kubeovn.NetworkKey:
		return maxAnnotations
	case k.Suffix == kubeovn.IPPool:
		return maxPoolValue
	}
	return maxValue
}

// maxItems returns how many items the value may list.
func (k *Key) maxItems() int {
	if k.Suffix == kubeovn.IPPool {
		return maxPoolItems
	}
	return policy.ListLimit
}

// Excess refuses what a pod asks for that is more than anybody needs, among what is not as it was before; nil where
// nothing is. It is refused whatever policy says, since it is not judged. before may be nil. No pod was let in with
// more annotations than the API server takes.
func (p *ParsedPod) Excess(before *ParsedPod) *Refusal {
	was := ParsedPod{}
	if before != nil {
		was = *before
	}
	const all = "metadata.annotations"
	much := func(field, fix, why string, args ...any) *Refusal {
		return &Refusal{Check: tooMuch, Field: field, Why: fmt.Sprintf(why, args...), Fix: fix}
	}
	if p.size > maxAnnotations {
		return much(all, "leave some out", "%d bytes, and the API server takes no more than %d", p.size, maxAnnotations)
	}
	if p.excess != nil && !p.sameNetworks(before) {
		return p.excess
	}
	if len(p.Keys) > maxKeys && len(p.Keys) > len(was.Keys) {
		return much(
			all,
			"leave some out",
			"%d of them are about ports, and the limit is %d",
			len(p.Keys),
			maxKeys,
		)
	}
	for i := range p.Keys {
		k := &p.Keys[i]
		if k.Excess == "" {
			continue
		}
		if old := before.key(k.Name); old == nil || old.Value != k.Value {
			return much(annotation(k.Name), "name fewer", "%s", k.Excess)
		}
	}
	if p.items > maxItems && p.items > was.items {
		return much(
			all,
			"name fewer",
			"the annotations about ports list %d items together, and the limit is %d",
			p.items,
			maxItems,
		)
	}
	return nil
}

// maxReasons is how many reasons an answer gives. A user can fix these and then gets the next ones.
const maxReasons = 10

// maxWorded is how many reasons are put into words: those that read the same to whoever asks are told once.
const maxWorded = 64

// maxMessage is how long an answer is at most, in bytes: reasons quote what they are about.
const maxMessage = 8 << 10

// maxWarning is how long the warning about annotations that are not looked at may be, in bytes.
const maxWarning = 1 << 10

// few returns the first reasons, and how many more there are.
func few(reasons []string) []string {
	if more := len(reasons) - maxReasons; more > 0 {
		return append(slices.Clone(reasons[:maxReasons]), fmt.Sprintf("and %d more", more))
	}
	return reasons
}
