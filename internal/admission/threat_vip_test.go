package admission

import (
	"errors"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

func TestThreat07VIPInflation(t *testing.T) {
	for _, value := range []string{
		"10.16.0.5", "10.16.0.1", "172.18.0.2", "10.16.0.101", "192.0.2.1",
		"10.16.0.100,10.16.0.5", "::ffff:10.16.0.100", " 10.16.0.100", "10.16.0.100,", "10.16.0.100/16", "0.0.0.0/0",
		"junk", "10.16.0.100 10.16.0.5",
		"2001:DB8::1", "fe80::1%eth0", "010.16.0.100",
	} {
		_, refused := create(t, newScene(), tenant, pod(vips, value))
		mustRefuse(t, refused, vips)
	}
	_, refused := create(t, newScene(), tenant, pod(vips, "10.16.0.100"))
	mustAllow(t, refused) // it belongs to a Vip of the namespace
	old, p := running(), running(vips, "10.16.0.100")
	mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
	// The pods that an exception is for may share what it grants, and no others.
	s := newScene().exception(func(*policy.Exception) {})
	router := pod(vips, "192.0.2.7")
	router.Metadata.Labels = map[string]string{"app": "router"}
	_, refused = create(t, s, tenant, router)
	mustAllow(t, refused)
	_, refused = create(t, s, tenant, pod(vips, "192.0.2.7"))
	mustRefuse(t, refused, vips)
	// Nothing is granted in a namespace that cannot be read.
	s = newScene()
	s.namespace.Err = errors.New("timeout")
	_, refused = create(t, s, tenant, pod(vips, "10.16.0.100"))
	mustRefuse(t, refused, vips, "timeout")
}

func TestThreatT06PoisonToken(t *testing.T) {
	// OVN from 24.03.8 on drops the whole element for one bad token, and the port is open.
	for _, token := range []string{"::ffff:10.16.0.9", "x", "10.16.0.100/33", "10.16.0.100\n", "\u00a010.16.0.100"} {
		_, refused := create(t, newScene(), tenant, pod(vips, "10.16.0.100,"+token))
		mustRefuse(t, refused, vips)
	}
}

func TestThreatT07ForeignVips(t *testing.T) {
	for key, value := range map[string]string{kubeovn.AAPs: "foreign", "ovn.kubernetes.io/vip": "foreign"} {
		_, refused := create(t, newScene(), tenant, pod(key, value))
		mustRefuse(t, refused, key, "foreign", "namespace t")
		_, refused = create(t, newScene(), tenant, pod(key, "mine"))
		mustAllow(t, refused)
	}
	_, refused := create(t, newScene(), tenant, pod(kubeovn.AAPs, "mine, foreign"))
	mustRefuse(t, refused, "foreign")
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/vip", "mine,foreign"))
	mustRefuse(t, refused, "mine,foreign")
	// A Vip with a port of its own may have the MAC of the gateway.
	_, refused = create(t, newScene(), tenant, pod("ovn.kubernetes.io/vip", "balancer"))
	mustRefuse(t, refused, "ovn.kubernetes.io/vip", "switch_lb_vip", "spec.type")
}

// OVN computes a group's address set from port_security, so that it would contain what an exception grants.
func TestThreat41SecurityGroupAmplification(t *testing.T) {
	s := newScene().exception(func(*policy.Exception) {})
	router := pod(groups, "web")
	router.Metadata.Labels = map[string]string{"app": "router"}
	_, refused := create(t, s, tenant, router)
	mustRefuse(t, refused, groups)
	old, p := running(), running(groups, "web")
	old.Metadata.Labels, p.Metadata.Labels = router.Metadata.Labels, router.Metadata.Labels
	mustRefuse(t, update(t, s, tenant, "", &old, &p), groups)
	_, refused = create(t, s, tenant, pod(groups, "web"))
	mustAllow(t, refused) // a strict port
	_, refused = create(t, s, tenant, pod(groups, "web", vips, "10.16.0.100"))
	mustAllow(t, refused) // and a port that shares a Vip of its namespace
}
