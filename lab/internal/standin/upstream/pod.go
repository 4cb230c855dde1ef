package upstream

import (
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Owner is the pod or VM that a pod's ports are named after.
type Owner struct {
	// Name is the pod's name, or the VM's for a launcher pod.
	Name string
	// StatefulSet is the name of the set that the pod belongs to, and Ordinal its number in the set.
	StatefulSet string
	Ordinal     int
	// VM means that the pod is a KubeVirt launcher pod.
	VM bool
}

// PodType returns the value of an IP resource's podType.
func (o Owner) PodType() string {
	switch {
	case o.VM:
		return "VirtualMachine"
	case o.StatefulSet != "":
		return "StatefulSet"
	}
	return ""
}

// OwnerOf returns the owner that the pod's ports are named after. Upstream believes the owner references, whoever wrote
// them.
func OwnerOf(pod *corev1.Pod) Owner {
	for _, ref := range pod.OwnerReferences {
		switch {
		case ref.Kind == "StatefulSet" && strings.HasPrefix(ref.APIVersion, "apps/") && strings.HasPrefix(pod.Name, ref.Name):
			number := strings.TrimPrefix(pod.Name[len(ref.Name):], "-")
			ordinal, err := strconv.Atoi(number)
			if err != nil {
				continue
			}
			return Owner{Name: pod.Name, StatefulSet: ref.Name, Ordinal: ordinal}
		case ref.Kind == "VirtualMachineInstance" && strings.HasPrefix(ref.APIVersion, "kubevirt.io"):
			return Owner{Name: ref.Name, VM: true}
		}
	}
	return Owner{Name: pod.Name}
}

// PodKey returns the value of a port's external_ids:pod.
func PodKey(namespace string, o Owner) string { return namespace + "/" + o.Name }

// IsFinished reports whether the pod has ended for good, so that its ports are removed. A pod that its node will start
// again keeps them.
func IsFinished(pod *corev1.Pod) bool {
	if pod.Status.Phase == corev1.PodSucceeded {
		return pod.Spec.RestartPolicy != corev1.RestartPolicyAlways
	}
	return pod.Status.Phase == corev1.PodFailed &&
		(pod.Spec.RestartPolicy == corev1.RestartPolicyNever || pod.Status.Reason == "Evicted")
}

// Invalid returns what is wrong with the default network's annotations, in upstream's words, or "". A pod with such
// annotations gets no port. Attachments are not checked.
func Invalid(annotations map[string]string) string {
	addressKey := kubeovn.DefaultProvider.Key(kubeovn.IPAddress)
	var cidrs []*net.IPNet
	for _, text := range splitList(annotations[kubeovn.DefaultProvider.Key(kubeovn.CIDR)]) {
		if _, n, err := net.ParseCIDR(text); err == nil {
			cidrs = append(cidrs, n)
		}
	}
	for _, text := range splitList(annotations[addressKey]) {
		ip := net.ParseIP(text)
		if strings.Contains(text, "/") {
			ip, _, _ = net.ParseCIDR(text)
		}
		if ip == nil {
			return text + " is not a valid " + addressKey
		}
		if len(cidrs) > 0 && !containedIn(cidrs, ip) {
			return text + " not in cidr " + annotations[kubeovn.DefaultProvider.Key(kubeovn.CIDR)]
		}
	}
	macKey := kubeovn.DefaultProvider.Key(kubeovn.MACAddress)
	if mac := annotations[macKey]; mac != "" {
		if _, err := net.ParseMAC(mac); err != nil {
			return mac + " is not a valid " + macKey
		}
	}
	return ""
}

func containedIn(cidrs []*net.IPNet, ip net.IP) bool {
	for _, n := range cidrs {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// splitList splits a comma list; an empty text is an empty list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// OwnerByName returns the owner of a StatefulSet's pod by the pod's name, for a pod that is gone.
func OwnerByName(pod string) Owner {
	if i := strings.LastIndex(pod, "-"); i > 0 {
		if ordinal, err := strconv.Atoi(pod[i+1:]); err == nil {
			return Owner{Name: pod, StatefulSet: pod[:i], Ordinal: ordinal}
		}
	}
	return Owner{Name: pod}
}
