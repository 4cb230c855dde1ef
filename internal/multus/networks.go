// Package multus reads the annotations by which a pod asks for networks, with the parser that Multus and Kube-OVN use.
package multus

import (
	"fmt"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	nadutils "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/utils"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Networks is what a pod asks for beside, or instead of, the cluster's default network.
type Networks struct {
	// Default replaces the default network; nil where the pod does not ask for that.
	Default *kubeovn.Attachment
	// BareDefault tells that it is named without a namespace. Kube-OVN looks for it in the pod's, as Default says, and Multus in one
	// of its own.
	BareDefault bool
	// Attachments are the further networks, in the pod's order.
	Attachments []kubeovn.Attachment
	// Requests are the entries that ask for a MAC or for addresses.
	Requests []Request
}

// Request is what an entry asks for beside the network itself.
type Request struct {
	kubeovn.Attachment
	// MAC and IPs are as written; IPs may have a length.
	MAC string
	IPs []string
}

// All gives every attachment named by the pod, the default one first.
func (n Networks) All() []kubeovn.Attachment {
	if n.Default == nil {
		return n.Attachments
	}
	return append([]kubeovn.Attachment{*n.Default}, n.Attachments...)
}

// Parse reads the networks of a pod in namespace from its annotations. A name without a namespace means the pod's own.
// The error names the annotation that cannot be read; Multus would not start such a pod either.
func Parse(namespace string, annotations map[string]string) (Networks, error) {
	var n Networks
	if text := annotations[kubeovn.DefaultNetwork]; text != "" {
		list, requests, err := parse(kubeovn.DefaultNetwork, text, "")
		if err != nil {
			return Networks{}, err
		}
		if len(list) != 1 {
			return Networks{}, fmt.Errorf("annotation %s: names %d networks, want exactly one", kubeovn.DefaultNetwork, len(list))
		}
		if n.BareDefault = list[0].Namespace == ""; n.BareDefault {
			list[0].Namespace = namespace
			for i := range requests {
				requests[i].Namespace = namespace
			}
		}
		n.Default, n.Requests = &list[0], requests
	}
	if text := annotations[kubeovn.Networks]; text != "" {
		list, requests, err := parse(kubeovn.Networks, text, namespace)
		if err != nil {
			return Networks{}, err
		}
		n.Attachments, n.Requests = list, append(n.Requests, requests...)
	}
	return n, nil
}

func parse(key, text, namespace string) (list []kubeovn.Attachment, requests []Request, err error) {
	// The library follows a nil pointer where a JSON list holds null; a tenant's text must never do more than fail.
	defer func() {
		if r := recover(); r != nil {
			list, requests, err = nil, nil, fmt.Errorf("annotation %s: holds an empty entry: %v", key, r)
		}
	}()
	elements, err := nadutils.ParseNetworkAnnotation(text, namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("annotation %s: %w", key, err)
	}
	for _, e := range elements {
		if e.Name == "" {
			return nil, nil, fmt.Errorf("annotation %s: an entry has no name", key)
		}
		a := kubeovn.Attachment{Namespace: e.Namespace, Name: e.Name, Interface: e.InterfaceRequest}
		list = append(list, a)
		if e.MacRequest != "" || len(e.IPRequest) > 0 {
			requests = append(requests, Request{Attachment: a, MAC: e.MacRequest, IPs: e.IPRequest})
		}
	}
	return list, requests, nil
}

// KindOf tells what the attachment made by a NetworkAttachmentDefinition is.
func KindOf(nad *nadv1.NetworkAttachmentDefinition) (kubeovn.AttachmentKind, error) {
	kind, err := kubeovn.KindOfConfig(nad.Spec.Config)
	if err != nil {
		return kind, fmt.Errorf("network attachment definition %s/%s: %w", nad.Namespace, nad.Name, err)
	}
	return kind, nil
}
