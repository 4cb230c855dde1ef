// Package kube reads the Kubernetes API: it turns objects into the inventory's facts, strips what is not read from
// caches, and answers admission's questions.
package kube

import (
	"cmp"
	"encoding/json"
	"errors"
	"strings"

	nadv1 "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// PodOf returns the facts of a pod. Networks that cannot be read count as none: Kube-OVN makes no port for them either.
// Of more networks than are read, the first are kept, and Unread says so.
func PodOf(p *corev1.Pod) *inventory.Pod {
	networks, err := multus.Parse(p.Namespace, p.Annotations)
	read := isRead
	if err != nil || tellsMore(networks, p.Annotations) {
		read = func(key string) bool { return isRead(key) || kubeovn.ClassOf(key) == kubeovn.NetworkKey }
	}
	out := &inventory.Pod{
		PodKey:      inventory.PodKey{Namespace: shared(p.Namespace), Name: p.Name},
		UID:         string(p.UID),
		Owner:       portOwner(p),
		HostNetwork: p.Spec.HostNetwork,
		Finished:    finished(p),
		Terminating: p.DeletionTimestamp != nil,
		Labels:      sharedLabels(p.Labels),
		Annotations: sharedMap(p.Annotations, read, isCommon),
		Controller:  controllerOf(p.OwnerReferences),
		Inherited:   policy.Inherited(p.Annotations),
		Chosen:      chosenIn(p.Annotations[corev1.LastAppliedConfigAnnotation]),
		Ports:       namedPorts(&p.Spec),
	}
	if many := (multus.TooManyError{}); errors.As(err, &many) {
		out.Unread = many.Error()
	} else if err != nil {
		return out
	}
	out.DefaultNetwork, out.Attachments = networks.Default, networks.Attachments
	return out
}

// chosenIn returns the annotations by which a pod's manifest asks for an identity: Kube-OVN writes the same keys on
// every pod. The manifest is known where kubectl applied it and noted that; other pods have no such text.
func chosenIn(applied string) map[string]string {
	isChoice := func(key string) bool {
		switch kubeovn.BaseSuffix(key) { //nolint:exhaustive // Kube-OVN writes nothing of the others
		case kubeovn.IPAddress, kubeovn.MACAddress, kubeovn.LogicalSwitch:
			return true
		}
		return false
	}
	if !strings.Contains(applied, kubernetesKey) {
		return nil
	}
	var manifest struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal([]byte(applied), &manifest); err != nil {
		return nil // somebody else has written it
	}
	return sharedMap(manifest.Metadata.Annotations, isChoice, isCommon)
}

// kubernetesKey is what stands between provider and suffix in keys of Kube-OVN's.
const kubernetesKey = ".kubernetes.io/"

// tellsMore reports whether the annotations that name networks say more than which networks these are: addresses, MACs,
// or a default network that is not named in full.
func tellsMore(n multus.Networks, annotations map[string]string) bool {
	text, present := annotations[kubeovn.DefaultNetwork]
	return len(n.Requests) > 0 || n.BareDefault || present && text == ""
}

// isRead reports whether an annotation says something about the pod's ports, or what was decided about them when it was
// admitted.
func isRead(key string) bool {
	return kubeovn.IsRead(key) || key == policy.RecordAnnotation || key == policy.UndoAnnotation
}

// isCommon reports whether many pods have the same value of an annotation. Each has addresses of its own.
func isCommon(key string) bool {
	suffix := kubeovn.BaseSuffix(key)
	return suffix != kubeovn.MACAddress && suffix != kubeovn.IPAddress
}

// portOwner returns the name in the pod's port: that of the VM for a KubeVirt launcher pod, since Kube-OVN keeps a VM's
// port across its pods (--keep-vm-ip, its default).
func portOwner(p *corev1.Pod) string {
	for _, o := range p.OwnerReferences {
		if kubeovn.OwnsLauncher(o.APIVersion, o.Kind) {
			return o.Name
		}
	}
	return p.Name
}

// finished reports whether the pod has ended for good. Kube-OVN keeps the port of a pod that would be restarted.
func finished(p *corev1.Pod) bool {
	switch p.Status.Phase {
	case corev1.PodSucceeded, corev1.PodFailed:
		return p.Spec.RestartPolicy != corev1.RestartPolicyAlways || p.Status.Reason == "Evicted"
	case corev1.PodPending, corev1.PodRunning, corev1.PodUnknown:
	}
	return false
}

// NamespaceOf returns what policy reads of a namespace.
func NamespaceOf(ns *corev1.Namespace) policy.Namespace {
	return policy.Namespace{Name: ns.Name, UID: string(ns.UID), Labels: ns.Labels, Annotations: ns.Annotations}
}

// AttachmentOf returns the attachment that a NetworkAttachmentDefinition defines and what it makes. A configuration
// that cannot be read gives kubeovn.KindUnknown.
func AttachmentOf(nad *nadv1.NetworkAttachmentDefinition) (kubeovn.Attachment, kubeovn.AttachmentKind) {
	a := kubeovn.Attachment{Namespace: nad.Namespace, Name: nad.Name}
	kind, err := multus.KindOf(nad)
	if err != nil {
		return a, kubeovn.KindUnknown
	}
	return a, kind
}

// RecordOf returns the facts of an IP resource (ips.kubeovn.io). Fields that are absent stay empty.
func RecordOf(u *unstructured.Unstructured) *inventory.Record {
	field := func(name string) text { return text(specString(u, name)) }
	return recordOf(u.GetName(), u.GetLabels(), &recordSpec{
		MAC: field("macAddress"), Subnet: field("subnet"), PodType: field("podType"), Namespace: field("namespace"),
		PodName: field("podName"), IPv4: field("v4IpAddress"), IPv6: field("v6IpAddress"),
	})
}

// recordSpec is what is read of the spec of an IP resource.
type recordSpec struct {
	MAC       text `json:"macAddress"`
	Subnet    text `json:"subnet"`
	PodType   text `json:"podType"`
	Namespace text `json:"namespace"`
	PodName   text `json:"podName"`
	IPv4      text `json:"v4IpAddress"`
	IPv6      text `json:"v6IpAddress"`
}

// recordOf is RecordOf by the parts of the resource.
func recordOf(name string, labels map[string]string, spec *recordSpec) *inventory.Record {
	r := &inventory.Record{
		Name:     name,
		MAC:      string(spec.MAC),
		Subnet:   shared(string(spec.Subnet)),
		Keeper:   shared(string(spec.PodType)),
		Reserved: labels[kubeovn.ReservedLabel] == kubeovn.True,
		Of: inventory.PodKey{
			Namespace: shared(string(spec.Namespace)), Name: within(name, string(spec.PodName)),
		},
	}
	for _, ip := range []text{spec.IPv4, spec.IPv6} {
		if ip != "" {
			r.IPs = append(r.IPs, string(ip))
		}
	}
	return r
}

// within returns the text as the beginning of another one, where it is that, so that it takes no memory of its own:
// there are as many IP resources as ports.
func within(whole, text string) string {
	if strings.HasPrefix(whole, text) {
		return whole[:len(text)]
	}
	return text
}

// VipOf returns the facts of a Vip resource (vips.kubeovn.io).
func VipOf(u *unstructured.Unstructured) inventory.Vip {
	v := inventory.Vip{
		Name: u.GetName(), Namespace: specString(u, "namespace"), Subnet: specString(u, "subnet"),
		Type: cmp.Or(specString(u, "type"), statusString(u, "type")), MAC: statusString(u, "mac"),
	}
	if selector, _, err := unstructured.NestedStringSlice(
		u.Object,
		"spec",
		"selector",
	); err != nil ||
		len(selector) > 0 {
		v.Pods = vipSelector(selector)
	}
	for _, field := range []string{"v4ip", "v6ip"} {
		// What it was given stands in the status; what its author asks for is not taken for it.
		v.Addresses = appendAddress(v.Addresses, statusString(u, field))
	}
	return v
}

// vipSelector returns what spec.selector of a Vip picks: pods that have each of its labels, which are written
// "key:value". One that cannot be read picks none.
func vipSelector(texts []string) policy.Selector {
	want := make(map[string]string, len(texts))
	for _, text := range texts {
		key, value, ok := strings.Cut(text, ":")
		if !ok {
			return func(map[string]string) bool { return false }
		}
		want[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return func(has map[string]string) bool {
		for key, value := range want {
			if v, ok := has[key]; !ok || v != value {
				return false
			}
		}
		return len(want) > 0
	}
}

func specString(u *unstructured.Unstructured, field string) string { return textAt(u, "spec", field) }

func statusString(u *unstructured.Unstructured, field string) string {
	return textAt(u, "status", field)
}

func textAt(u *unstructured.Unstructured, path ...string) string {
	s, _, err := unstructured.NestedString(u.Object, path...)
	if err != nil {
		return "" // another type than the schema allows: as good as absent
	}
	return s
}
