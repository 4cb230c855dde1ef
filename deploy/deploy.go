// Package deploy holds what a cluster must be given before the controller runs in it.
package deploy

import (
	"bytes"
	"embed"
	"fmt"
)

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

//go:embed crds
var definitions embed.FS

// Definitions are the definitions of this project's resources, as YAML documents.
func Definitions() ([]byte, error) {
	const dir = "crds"
	files, err := definitions.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the resource definitions: %w", err)
	}
	var out bytes.Buffer
	for _, f := range files {
		text, err := definitions.ReadFile(dir + "/" + f.Name())
		if err != nil {
			return nil, fmt.Errorf("read the resource definitions: %w", err)
		}
		out.WriteString("---\n")
		out.Write(text)
	}
	return out.Bytes(), nil
}
