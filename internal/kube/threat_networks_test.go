package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
)

// A pod with thousands of networks, from before admission guarded the cluster or past it, takes no more room than
// others, in any notation, and is known to be read in part.
func TestThreatT41ThousandsOfNetworks(t *testing.T) {
	const count = 16_300
	names, objects := make([]string, count), make([]string, 2_000)
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i)
	}
	for i := range objects {
		objects[i] = fmt.Sprintf(`{"name":"n%d"}`, i)
	}
	for what, c := range map[string]struct {
		annotations map[string]string
		ports       int
		says        string
	}{
		"by name": {
			map[string]string{kubeovn.Networks: strings.Join(names[:9_000], ",")},
			multus.MaxNetworks + 1,
			"9000 networks",
		},
		"by more than is read": {map[string]string{kubeovn.Networks: strings.Join(names, ",")}, 1, "bytes"},
		"as JSON": {
			map[string]string{kubeovn.Networks: "[" + strings.Join(objects, ",") + "]"},
			multus.MaxNetworks + 1,
			"2000 networks",
		},
		"with a default network": {
			map[string]string{kubeovn.Networks: strings.Join(names[:32], ","), kubeovn.DefaultNetwork: "d"},
			multus.MaxNetworks, "33 networks",
		},
		"as many as may be": {
			map[string]string{kubeovn.Networks: strings.Join(names[:32], ",")}, multus.MaxNetworks + 1, "",
		},
		"as many, the default included": {
			map[string]string{kubeovn.Networks: strings.Join(names[:31], ","), kubeovn.DefaultNetwork: "d"},
			multus.MaxNetworks, "",
		},
	} {
		p := PodOf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", Annotations: c.annotations}})
		inv := inventory.New()
		if ports := inv.SetPod(p); len(ports) != c.ports {
			t.Errorf("%s: %d ports, want %d", what, len(ports), c.ports)
		}
		if (p.Unread != "") != (c.says != "") || !strings.Contains(p.Unread, c.says) {
			t.Errorf("%s: says %q, want %q", what, p.Unread, c.says)
		}
		// A row with the pod's name may be one of its unknown ports.
		inv.SetRow(
			&inventory.Row{
				UUID:        "u",
				Name:        "p.ns.n9999.ns.ovn",
				ExternalIDs: map[string]string{kubeovn.ExternalIDPod: "ns/p"},
			},
		)
		if port := inv.Port("p.ns.n9999.ns.ovn", time.Unix(1e9, 0)); port.Pod != nil || port.Unread != p.Unread {
			t.Errorf("%s: the row is of a pod of which it is said %q", what, port.Unread)
		}
	}
}
