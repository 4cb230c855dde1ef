package preview

import (
	"fmt"
	"testing"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// What a pass of the controller takes: nearly all pods ask for nothing, one in so many for what is refused, or all do.
func BenchmarkForesee(b *testing.B) {
	for _, pods := range []int{10_000, 100_000} {
		for _, every := range []int{0, 100, 1} {
			b.Run(fmt.Sprintf("pods=%d/asks=1in%d", pods, every), func(b *testing.B) {
				inv := town()
				for i := range pods {
					if i%100 == 0 {
						inv.SetNamespace(policy.Namespace{Name: fmt.Sprintf("n%d", i/100)})
					}
					p := pod(fmt.Sprintf("n%d", i/100), fmt.Sprintf("web-%d", i), ps, "true")
					if every > 0 && i%every == 0 {
						p.Annotations[eip] = "203.0.113.7"
					}
					starts(inv, p, fmt.Sprintf("10.%d.%d.%d", 17+i>>16, i>>8&255, i&255), fmt.Sprintf(
						"0a:00:01:%02x:%02x:%02x", i>>16, i>>8&255, i&255))
				}
				c := Cluster{Inventory: inv.Snapshot(), Accounts: admission.DefaultAccounts(), Now: now}
				b.ReportAllocs()
				for b.Loop() {
					c.Foresee(nil)
				}
			})
		}
	}
}
