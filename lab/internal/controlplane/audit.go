package controlplane

import (
	"path/filepath"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// auditPolicy is the file, in Dir.PKI, that configures kube-apiserver's audit log.
const auditPolicy = "audit-policy.yaml"

// whatIsAudited logs each request that changes something once, with its user, the answer and the notes of admission. It
// logs no content of requests and answers: that would take most of the time.
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

// AuditLog returns the path of kube-apiserver's audit log, one JSON document a line; it exists if Config.Audit is set.
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
