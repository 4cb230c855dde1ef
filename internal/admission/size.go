package admission

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Bounds of what a pod says about its ports. What is judged is looked up item by item while all other reviews wait, and each item may
// have a sentence of its own; the API server looks at the size of annotations (256 KiB together) only after the webhooks.
const (
	// maxValue is how long the value of an annotation may be that Kube-OVN reads, in bytes: over a thousand addresses.
	maxValue = 16 << 10
	// maxNetworks is the same for the list of networks, which is JSON.
	maxNetworks = 64 << 10
	// maxKeys is how many such annotations there may be: a dozen for each of the networks that a pod may have.
	maxKeys = 12 * (maxAttachments + 1)
)

// Oversize says which annotation is more than anybody needs, among those that are not as they were before; "" for none. It is refused
// whatever policy says, since it cannot be judged while others wait.
func Oversize(before, after map[string]string) string {
	keys := 0
	for _, key := range slices.Sorted(maps.Keys(after)) {
		class, value := kubeovn.ClassOf(key), after[key]
		if class == kubeovn.Harmless || before[key] == value && value != "" {
			continue
		}
		most := maxValue
		if class == kubeovn.NetworkKey {
			most = maxNetworks
		}
		if len(value) > most {
			return fmt.Sprintf("%s: %d bytes, and more than %d are not looked at; name fewer", annotation(key), len(value), most)
		}
		if keys++; keys > maxKeys {
			return fmt.Sprintf("metadata.annotations: more than %d of them are about ports; leave out those of networks that the pod does not have", maxKeys)
		}
	}
	return ""
}

// maxReasons is how many reasons an answer gives; who is told ten can mend them, and is told the next.
const maxReasons = 10

// maxMessage is how long an answer is at most, in bytes: reasons quote what they are about.
const maxMessage = 8 << 10

// few gives the first reasons, and how many more there are.
func few(reasons []string) []string {
	if more := len(reasons) - maxReasons; more > 0 {
		return append(slices.Clone(reasons[:maxReasons]), fmt.Sprintf("and %d more", more))
	}
	return reasons
}
