package admission

import (
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Two NICs on one subnet, and keys that lack ".ovn", as in examples that circulate: the NICs are strict, the author of
// the keys is warned, and no pod is refused for such keys.
func TestKeysWithoutOVNInThem(t *testing.T) {
	const (
		mac     = "net-2.vm.kubernetes.io/mac_address"
		address = "net-1.vm.kubernetes.io/ip_address"
		level   = "net-1.vm.kubernetes.io/port_security"
	)
	town := func(kind kubeovn.AttachmentKind) *scene {
		s := newScene()
		for _, name := range []string{"net-1", "net-2"} {
			s.inventory.SetAttachment(kubeovn.Attachment{Namespace: "vm", Name: name}, kind)
		}
		return s
	}
	p := pod(
		networks,
		"vm/net-1,vm/net-2",
		mac,
		"00:00:00:AA:AA:AA",
		address,
		"10.16.9.77",
		level,
		"false",
		"net-1.vm.ovn.kubernetes.io/logical_switch",
		"ovn-default",
		"net-2.vm.ovn.kubernetes.io/logical_switch",
		"ovn-default",
	)
	stored, refused := create(t, town(kubeovn.KindOVN), tenant, p)
	mustAllow(t, refused)
	for _, provider := range []kubeovn.Provider{"ovn", "net-1.vm.ovn", "net-2.vm.ovn"} {
		if got := stored.Metadata.Annotations[provider.Key(kubeovn.PortSecurity)]; got != "true" {
			t.Errorf("NIC %s: port_security %q", provider, got)
		}
	}
	warned := func(s *scene, old, now *Pod) string {
		req := request(tenant, admissionv1.Create, "")
		if req.Object = raw(t, now); old != nil {
			req.Operation, req.OldObject = admissionv1.Update, raw(t, old)
		}
		return strings.Join(ask(t, s, GuardPods, req).Warnings, "\n")
	}
	said := warned(town(kubeovn.KindOVN), nil, stored)
	for _, words := range []string{mac, address, level, ".ovn.kubernetes.io/"} {
		if !strings.Contains(said, words) {
			t.Errorf("it is not told about %s: %s", words, said)
		}
	}
	// A key that was there before causes no new warning, and for a NIC outside OVN the keys are right.
	if said := warned(town(kubeovn.KindOVN), stored, stored); said != "" {
		t.Errorf("told again: %s", said)
	}
	for _, kind := range []kubeovn.AttachmentKind{kubeovn.KindForeign, kubeovn.KindUnknown, kubeovn.KindMixed} {
		if said := warned(town(kind), nil, stored); strings.Contains(said, mac) || !strings.Contains(said, level) {
			t.Errorf("of a network that is %v: %s", kind, said)
		}
	}
}
