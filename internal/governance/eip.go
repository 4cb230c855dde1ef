package governance

import (
	"cmp"
	"context"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// eipOfPort is the type of an OvnEip that has a port of its own: Kube-OVN makes it under the OvnEip's name, and deletes
// the port of that name with the OvnEip, whosever it is.
const eipOfPort = "lsp"

// EIP judges Kube-OVN's OvnEip resources by their name and type.
func (g *Guard) EIP(_ context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(req, "kubeovn.io", "ovn-eips", nil, admissionv1.Create, admissionv1.Update); err != nil {
		return Answer{}, err
	}
	object, old, err := decode[struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Type string `json:"type"`
		} `json:"spec"`
	}](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	name := cmp.Or(object.Metadata.Name, req.Name)
	// Those of nodes, which have the nodes' names, are Kube-OVN's.
	if object.Spec.Type != eipOfPort || g.kubeOVN(req) || old != nil && old.Spec.Type == eipOfPort {
		return a, nil
	}
	err = g.portName(&a, name, "OvnEip", func(*inventory.Row) bool { return false })
	return a, err
}
