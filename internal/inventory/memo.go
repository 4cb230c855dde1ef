package inventory

import (
	"strings"
	"sync"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// memo keeps what exceptions would grant of others without their consent in one state: all pods of a namespace ask for
// the same.
type memo struct {
	mu    sync.Mutex
	known map[memoKey]string
}

// memoKey is an exception with the VPCs in which the NICs are that it is for.
type memoKey struct{ namespace, name, vpcs string }

// unsharedOnce returns unshared for NICs in these VPCs, which in a snapshot is found once for all of them.
func (inv *State) unsharedOnce(vpcs func() []string) func(*policy.Exception) string {
	if inv.memo == nil {
		return func(e *policy.Exception) string { return inv.unshared(e, vpcs) }
	}
	joined := sync.OnceValue(func() string { return strings.Join(vpcs(), " ") })
	return func(e *policy.Exception) string {
		key := memoKey{e.Namespace, e.Name, joined()}
		inv.memo.mu.Lock()
		why, known := inv.memo.known[key]
		inv.memo.mu.Unlock()
		if known {
			return why
		}
		why = inv.unshared(e, vpcs)
		inv.memo.mu.Lock()
		defer inv.memo.mu.Unlock()
		if inv.memo.known == nil {
			inv.memo.known = make(map[memoKey]string)
		}
		inv.memo.known[key] = why
		return why
	}
}
