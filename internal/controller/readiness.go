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

// syncTimeout is how long after its start the webhook says that it is not ready because it cannot read something of the
// cluster. Then it answers all the same, and refuses what it cannot judge: a right to read that was lost must not keep
// ordinary pods from starting. A cluster that takes longer to read without anything being wrong is waited for.
const syncTimeout = 15 * time.Second

// readiness makes a webhook that serves ready only when the cluster has been read, or cannot be.
type readiness struct {
	serves healthz.Checker
	// monitor says what has been read, and waits for nobody.
	monitor *monitor.Monitor
	// failing means that something cannot be read.
	failing func() bool
	until   time.Time
	now     func() time.Time
}

// ready implements healthz.Checker.
func (k readiness) ready(r *http.Request) error {
	if err := k.serves(r); err != nil {
		return err
	}
	if !k.now().Before(k.until) && k.failing() {
		return nil // what cannot be read is not waited for
	}
	var missing []string
	k.monitor.Read(func(inv *inventory.State) {
		for _, kind := range inv.Unread() {
			missing = append(missing, string(kind))
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("not yet read from the API server: %s", strings.Join(missing, ", "))
	}
	return nil
}
