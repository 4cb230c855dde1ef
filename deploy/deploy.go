// Package deploy holds what a cluster must be given before the controller runs in it.
package deploy

import _ "embed" // for the manifests

// RBAC is the namespace, the account and the rights of the controller, as YAML documents.
//
//go:embed rbac.yaml
var RBAC []byte

// Account is the user name of the controller's service account.
const Account = "system:serviceaccount:ovnguard-system:ovnguard"
