package governance

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// GatewayWorkload judges the Deployments and StatefulSets that say they are of a gateway of Kube-OVN's. That makes
// their pods forward for others once the gateway has an exception, and Kube-OVN alone makes them: a plain reference is
// a claim that anybody can write.
func (g *Guard) GatewayWorkload(_ context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	resource := req.Resource.Resource
	if resource != "statefulsets" {
		resource = "deployments"
	}
	if err := of(req, "apps", resource, nil, admissionv1.Create, admissionv1.Update); err != nil {
		return Answer{}, err
	}
	object, old, err := decode[metav1.PartialObjectMetadata](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	if g.kubeOVN(req) {
		return a, nil
	}
	for _, r := range object.OwnerReferences {
		same := func(o metav1.OwnerReference) bool {
			return o.UID == r.UID && o.Kind == r.Kind && o.Name == r.Name && o.APIVersion == r.APIVersion
		}
		if !kubeovn.IsGateway(r.APIVersion, r.Kind) || old != nil && slices.ContainsFunc(old.OwnerReferences, same) {
			continue
		}
		a.Deny(
			"metadata.ownerReferences: %s would be owned by %s %s, but only Kube-OVN creates the workloads of "+
				"its gateways; leave the reference out",
			req.Kind.Kind,
			r.Kind,
			r.Name,
		)
	}
	return a, nil
}
