package controlplane

import (
	"path/filepath"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// auditPolicy is the file, in Dir.PKI, that says what kube-apiserver writes
// into its audit log.
const auditPolicy = "audit-policy.yaml"

// whatIsAudited has each request that changes something in the log once, with
// who asked, what was answered and what admission noted of it. What requests
// and answers hold is not written: it would take most of the time.
const whatIsAudited = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources:
  - group: ""
    resources: [events]
  - group: events.k8s.io
  - group: coordination.k8s.io
  - group: authorization.k8s.io
- level: Metadata
`

// AuditLog is the file that kube-apiserver writes its audit log to, one JSON
// document a line, where Config.Audit says so.
func (c *ControlPlane) AuditLog() string { return c.config.Dir.Log("audit") }

// auditFlags returns kube-apiserver's flags for its audit log.
func (c *ControlPlane) auditFlags() []string {
	if !c.config.Audit {
		return nil
	}
	// Nothing waits in a buffer: a line is there right after its answer.
	return []string{
		"--audit-policy-file=" + filepath.Join(
			c.config.Dir.PKI(),
			auditPolicy,
		),
		"--audit-log-path=" + c.AuditLog(),
		"--audit-log-mode=blocking",
	}
}

func writeAuditPolicy(dir string) error {
	return state.WriteFile(filepath.Join(dir, auditPolicy), []byte(whatIsAudited), 0o600)
}
