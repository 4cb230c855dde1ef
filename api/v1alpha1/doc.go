// Package v1alpha1 holds the resources by which people govern port security: the policy of the cluster and the
// exceptions from it.
//
// +kubebuilder:object:generate=true
// +groupName=ovnguard.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of this package's kinds.
var GroupVersion = schema.GroupVersion{Group: "ovnguard.io", Version: "v1alpha1"}

// AddToScheme registers the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&PortSecurityPolicy{}, &PortSecurityPolicyList{},
		&PortSecurityException{}, &PortSecurityExceptionList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
