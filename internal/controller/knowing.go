package controller

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// knowsWithin is how long after its start the webhook says that it is not ready because it cannot read something of the cluster. Then it
// answers all the same, and refuses what it cannot judge: a right to read that was lost must not keep ordinary pods from starting. A
// cluster that takes longer to read without anything being wrong is waited for.
const knowsWithin = 15 * time.Second

// knowing makes a webhook that serves ready only when the cluster has been read, or cannot be.
type knowing struct {
	serves  healthz.Checker
	monitor *monitor.Monitor
	// failing tells that something cannot be read.
	failing func() bool
	until   time.Time
	now     func() time.Time
}

// ready implements healthz.Checker.
func (k knowing) ready(r *http.Request) error {
	if err := k.serves(r); err != nil {
		return err
	}
	if !k.now().Before(k.until) && k.failing() {
		return nil // what cannot be read is not waited for
	}
	var missing []string
	k.monitor.Read(func(inv *inventory.Inventory) {
		for _, kind := range inv.Unread() {
			missing = append(missing, string(kind))
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("not read of the API server yet: %s", strings.Join(missing, ", "))
	}
	return nil
}
