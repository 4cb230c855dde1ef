package audit

import (
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// longMigration finds ports of machines with a migration that hangs. Repair no longer waits for its end.
var longMigration = check{
	rule: Rule{
		ID: "OVG027", Name: "migration-overdue", Severity: Medium,
		Summary: "the migration of the machine takes so long that repair no longer waits for it",
	},
	find: func(s *subject) (found, bool) {
		if s.Pod == nil || s.Row == nil || s.Migration == nil || s.Migrates {
			return found{}, false
		}
		m := s.Migration
		return found{
			message: fmt.Sprintf(
				"VirtualMachineInstanceMigration %s has been running since %s, longer than %s; repair no "+
					"longer waits for its end",
				m.PodKey,
				m.Began.UTC().Format(time.RFC3339),
				inventory.MigrationLimit,
			),
			fix: command(
				"kubectl",
				"delete",
				"virtualmachineinstancemigrations.kubevirt.io",
				"-n",
				m.Namespace,
				m.Name,
			),
		}, true
	},
}
