package kube

import (
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
)

// Kinds of other projects that are read, and that a cluster may lack.
var (
	IPKind         = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "IP"}
	VipKind        = schema.GroupVersionKind{Group: "kubeovn.io", Version: "v1", Kind: "Vip"}
	AttachmentKind = schema.GroupVersionKind{Group: "k8s.cni.cncf.io", Version: "v1", Kind: "NetworkAttachmentDefinition"}
)

// Scheme gives the types that this program reads and writes.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("register Kubernetes types: %w", err)
	}
	if err := nadv1.AddToScheme(s); err != nil {
		return nil, fmt.Errorf("register network attachment definitions: %w", err)
	}
	return s, nil
}
