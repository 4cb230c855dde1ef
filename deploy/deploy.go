// Package deploy holds what a cluster must be given before the controller runs in it.
package deploy

import _ "embed"

// RBAC is the namespace, the account and the rights of the controller, as YAML documents.
//
//go:embed rbac.yaml
var RBAC []byte

// Roles are the roles for people who ask for exceptions, approve and read them, as YAML documents.
//
//go:embed roles.yaml
var Roles []byte

// Account is the user name of the controller's service account.
const Account = "system:serviceaccount:ovnguard-system:ovnguard"

// ExceptionDefinition defines the resource PortSecurityException, as a YAML document.
//
//go:embed crds/ovnguard.io_portsecurityexceptions.yaml
var ExceptionDefinition []byte

// PolicyDefinition defines the resource PortSecurityPolicy, as a YAML document.
//
//go:embed crds/ovnguard.io_portsecuritypolicies.yaml
var PolicyDefinition []byte
