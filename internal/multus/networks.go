// Package multus reads the annotations by which a pod asks for networks, with the parser that Multus and Kube-OVN use.
package multus

import (
	"errors"
	"fmt"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	nadutils "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/utils"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Networks is what a pod asks for in addition to, or instead of, the cluster's default network.
type Networks struct {
	// Default replaces the default network; nil where the pod does not ask for that.
	Default *kubeovn.Attachment
	// BareDefault means that it is named without a namespace. Kube-OVN looks for it in the pod's, as Default says, and
	// Multus in one of its own.
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

// MaxNetworks is how many networks of a pod are read. Each makes a NIC, and costs every component that reads the pod;
// nobody has been seen to need more.
const MaxNetworks = 32

// maxText is how long the text of an annotation may be, in bytes: two kilobytes for each network.
const maxText = 64 << 10

// TooManyError says that a pod asks for more networks than are read.
type TooManyError struct {
	// Key is the annotation, and Count how many networks it asks for; zero where its text is too long to be read at
	// all.
	Key   string
	Count int
	// Bytes is how long its text is.
	Bytes int
}

// Error implements error.
func (e TooManyError) Error() string {
	if e.Count == 0 {
		return fmt.Sprintf("annotation %s: has %d bytes, and more than %d are not read", e.Key, e.Bytes, maxText)
	}
	return fmt.Sprintf(
		"annotation %s: asks for %d networks, and a pod may have no more than %d",
		e.Key,
		e.Count,
		MaxNetworks,
	)
}

// All returns every attachment named by the pod, the default one first.
func (n Networks) All() []kubeovn.Attachment {
	if n.Default == nil {
		return n.Attachments
	}
	return append([]kubeovn.Attachment{*n.Default}, n.Attachments...)
}

// Parse reads the networks of a pod in namespace from its annotations. A name without a namespace means the pod's own.
// The error names the annotation that cannot be read; Multus would not start such a pod either. A pod that asks for
// more than MaxNetworks has a TooManyError, and the first of its networks as far as they are read.
func Parse(namespace string, annotations map[string]string) (Networks, error) {
	var n Networks
	if text := annotations[kubeovn.DefaultNetwork]; text != "" {
		list, requests, err := parse(kubeovn.DefaultNetwork, text, "")
		if err != nil {
			return Networks{}, err
		}
		if len(list) != 1 {
			return Networks{}, fmt.Errorf(
				"annotation %s: names %d networks, want exactly one",
				kubeovn.DefaultNetwork,
				len(list),
			)
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
		many := TooManyError{}
		if err != nil && !errors.As(err, &many) {
			return Networks{}, err
		}
		n.Attachments, n.Requests = list, append(n.Requests, requests...)
		if count := len(n.All()); err == nil && count > MaxNetworks { // the default one counts
			n.Attachments, err = list[:MaxNetworks-1], TooManyError{Key: kubeovn.Networks, Count: count}
		}
		return n, err
	}
	return n, nil
}

// isJSON reports whether the library takes a text for JSON, and not for a list with commas.
func isJSON(text string) bool { return strings.ContainsAny(text, "[{\"") }

func parse(key, text, namespace string) (list []kubeovn.Attachment, requests []Request, err error) {
	if len(text) > maxText {
		return nil, nil, TooManyError{Key: key, Bytes: len(text)}
	}
	// The library takes microseconds for each name of a list, so that those beyond the limit are cut off before.
	count := 0
	if !isJSON(text) {
		if names := strings.SplitN(text, ",", MaxNetworks+1); len(names) > MaxNetworks {
			count = MaxNetworks + 1 + strings.Count(names[MaxNetworks], ",")
			text = strings.Join(names[:MaxNetworks], ",")
		}
	}
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
	if len(elements) > MaxNetworks {
		count, elements = len(elements), elements[:MaxNetworks]
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
	if count > 0 {
		return list, requests, TooManyError{Key: key, Count: count}
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
