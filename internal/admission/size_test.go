package admission

import (
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/multus"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Keys of the default network's NIC that list something.
const (
	pool = "ovn.kubernetes.io/ip_pool"
	aaps = kubeovn.AAPs
)

// addresses returns a list of that many free IPv6 addresses, behind the text.
func addresses(count int) string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:1000:%x", i+1)
	}
	return strings.Join(list, ",")
}

// A tenant's text costs others as little as possible: both webhooks refuse values and lists beyond all need unread,
// under every mode, and a refusal stays short however much is wrong.
func TestThreat33LargeAnnotations(t *testing.T) {
	many := pod(networks, "blue")
	for i := range maxKeys + 1 {
		many.Metadata.Annotations[fmt.Sprintf("blue.t.kubernetes.io/ip_address.net%d", i)] = "10.0.0.1"
	}
	together := pod(
		networks,
		"blue,red,green",
		pool,
		addresses(maxPoolItems),
		"blue.t.ovn.kubernetes.io/ip_pool",
		addresses(maxPoolItems),
		"red.t.ovn.kubernetes.io/ip_address",
		"10.0.0.1",
	)
	for name, c := range map[string]struct {
		pod   Pod
		words []string
	}{
		"one long value":     {pod(vips, strings.Repeat("10.0.0.1,", 4_000)), []string{vips, "36000 bytes", "16384"}},
		"commas alone":       {pod(ip, strings.Repeat(",", maxValue+1)), []string{ip, "16385 bytes"}},
		"addresses to share": {pod(vips, addresses(65)), []string{vips, "65 items", "64"}},
		"a list of Vips": {pod(aaps, strings.Join(strings.Split(addresses(65), ":"), "-")), []string{aaps, "65 " +
			"items", "64"}},
		"addresses of a NIC": {pod(ip, addresses(65)), []string{ip, "65 items", "64"}},
		"subnets":            {pod(lsp, addresses(65)), []string{lsp, "65 items", "64"}},
		"security groups":    {pod(groups, addresses(65)), []string{groups, "65 items", "64"}},
		"a pool":             {pod(pool, addresses(maxPoolItems+1)), []string{pool, "1025 items", "1024"}},
		"a pool, semicolons": {
			pod(pool, strings.ReplaceAll(addresses(maxPoolItems+1), ",", ";")), []string{pool, "1025 items", "1024"},
		},
		"all lists": {together, []string{"metadata.annotations", "2049 items", "2048"}},
		"keys":      {many, []string{"metadata.annotations", "530", "528"}},
		"all annotations": {
			pod("example.org/notes", strings.Repeat("n", 256<<10)),
			[]string{"metadata.annotations", "262161 bytes", "262144"},
		},
		"networks": {
			pod(networks, strings.TrimSuffix(strings.Repeat("n/nad,", 33), ",")),
			[]string{networks, "33 networks", "32"},
		},
		"networks as JSON": {
			pod(networks, "["+strings.TrimSuffix(strings.Repeat(`{"name":"nad"},`, 40), ",")+"]"),
			[]string{networks, "40 networks"},
		},
		"the default network": {
			pod(networks, strings.TrimSuffix(strings.Repeat("n/nad,", 32), ","), kubeovn.DefaultNetwork, "n/d"),
			[]string{networks, "33 networks"},
		},
		"text of networks": {pod(networks, "["+strings.Repeat(" ", 64<<10)+"]"), []string{networks, "65538 bytes"}},
		"addresses of a network": {
			pod(networks, `[{"name":"nad","ips":["`+strings.ReplaceAll(addresses(65), ",", `","`)+`"]}]`),
			[]string{networks, "65 addresses", "64"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
				s := newScene().policy(func(p *policy.Policy) { p.Mode = mode })
				req := request(tenant, admissionv1.Create, "")
				req.Object = raw(t, &c.pod)
				for webhook, r := range map[string]func() (bool, string, map[string]string){
					"mutating": func() (bool, string, map[string]string) {
						r := ask(t, s, MutatePods, req)
						return r.Allowed, refusal(r), r.AuditAnnotations
					},
					"guarding": func() (bool, string, map[string]string) {
						r := ask(t, s, GuardPods, req)
						return r.Allowed, refusal(r), r.AuditAnnotations
					},
				} {
					allowed, refused, noted := r()
					refused, _, _ = strings.Cut(refused, "\n(audit log: ")
					if allowed || len(refused) > maxMessage+100 || noted[NoteDecision] != notKnown {
						t.Errorf(
							"%s, mode %s: allowed %v, %d bytes, noted %q: %.300q",
							webhook,
							mode,
							allowed,
							len(refused),
							noted[NoteDecision],
							refused,
						)
					}
					mustRefuse(t, refused, c.words...)
				}
			}
		})
	}
}

// The longest list that a pod may have is judged as a whole, and an item that is there twice counts once.
func TestThreat33AsMuchAsMayBe(t *testing.T) {
	for name, p := range map[string]Pod{
		"a pool":          pod(pool, addresses(maxPoolItems)),
		"a pool of pairs": pod(pool, strings.ReplaceAll(addresses(maxPoolItems), ",", ";")),
		"all lists": pod(
			networks, "blue", pool, addresses(maxPoolItems), "blue.t.ovn.kubernetes.io/ip_pool",
			addresses(maxPoolItems),
		),
		"the same many times": pod(ip, strings.TrimSuffix(strings.Repeat("10.16.0.30,", 1_400), ",")),
		"networks":            pod(networks, strings.TrimSuffix(strings.Repeat("n/nad,", multus.MaxNetworks), ",")),
	} {
		t.Run(name, func(t *testing.T) {
			_, refused := create(t, newScene(), tenant, p)
			mustAllow(t, refused)
		})
	}
	// The last item of a list counts like the first.
	taken := pod(pool, addresses(maxPoolItems-1)+",10.16.0.1")
	mustRefuse(t, guard(t, newScene(), tenant, &taken), "10.16.0.1")
	mustRefuse(t, guard(t, newScene(), tenant, new(pod(ip, addresses(63)+",10.16.0.5"))), "10.16.0.5")
	// A refusal is short, and says how much more there is.
	mustRefuse(t, guard(t, newScene(), tenant, new(pod(vips, addresses(policy.ListLimit)))), "and 55 more")
}

// A large value that is there already does not keep a pod from being changed; what is added to it is judged as always.
func TestThreat33LargeAnnotationsOfBefore(t *testing.T) {
	long := strings.Repeat("10.0.0.1,", maxValue)
	old, p := pod(vips, long), pod(vips, long)
	p.Metadata.Annotations["example.org/notes"] = strings.Repeat("n", 2*maxValue)
	mustAllow(t, update(t, newScene(), tenant, "", &old, &p))
	p.Metadata.Annotations[aaps] = "foreign"
	mustRefuse(t, update(t, newScene(), tenant, "", &old, &p), aaps)
	// Where the old list is as long as it may be, or longer, nothing is added unread.
	full := pod(
		networks,
		"blue,red,green",
		pool,
		addresses(maxPoolItems),
		"blue.t.ovn.kubernetes.io/ip_pool",
		addresses(maxPoolItems),
		"green.t.ovn.kubernetes.io/ip_pool",
		addresses(maxPoolItems),
	)
	more := without(full)
	more.Metadata.Annotations["red.t.ovn.kubernetes.io/port_vips"] = "10.16.0.5"
	mustRefuse(t, update(t, newScene(), tenant, "", &full, &more), "items")
	mustRefuse(t, update(t, newScene(), tenant, "binding", &full, &more), "items")
	networked := pod(networks, strings.TrimSuffix(strings.Repeat("n/nad,", 40), ","))
	other := pod(networks, strings.TrimSuffix(strings.Repeat("n/dan,", 40), ","))
	s := newScene().policy(func(p *policy.Policy) { p.Mode = policy.Audit })
	mustRefuse(t, update(t, s, virtualize, "", &networked, &other), "40 networks")
	mustAllow(t, update(t, s, tenant, "", &networked, &networked))
}

// Keys of NICs that a pod does not have are not judged, and one warning says so, until the pod gets the NIC: KubeVirt
// plugs NICs in later.
func TestThreat33KeysOfOtherNICs(t *testing.T) {
	const theirs = "blue.t.ovn.kubernetes.io/ip_address"
	keys := []string{
		ps,
		"true",
		theirs,
		"10.16.0.5",
		"blue.t.ovn.kubernetes.io/mac_address",
		"no MAC",
		"blu.t.ovn.kubernetes.io/port_vips",
		strings.Repeat("x,", maxValue),
	}
	p := pod(keys...)
	req := request(tenant, admissionv1.Create, "")
	req.Object = raw(t, &p)
	r := ask(t, newScene(), GuardPods, req)
	mustAllow(t, refusal(r))
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], theirs) ||
		!strings.Contains(r.Warnings[0], "blu.t.ovn") ||
		len(r.Warnings[0]) > maxWarning+10 {
		t.Errorf("warnings %q", r.Warnings)
	}
	mustRefuse(
		t,
		guard(
			t,
			newScene(),
			tenant,
			new(pod(append(keys, networks, "blue", "blue.t.ovn.kubernetes.io/port_security", "true")...)),
		),
		theirs,
	)
	// Keys that are read for all NICs, or for the default NIC, are judged also where the pod has no NIC on OVN there.
	for _, key := range []string{aaps, ip, "ovn.kubernetes.io/vip", "ovn.kubernetes.io/eip", kubeovn.MigrationJob} {
		mustRefuse(t, guard(t, newScene(), tenant, new(pod(key, "10.16.0.5", kubeovn.DefaultNetwork, "n/nad"))), key)
	}
	// A NIC outside OVN with addresses from Kube-OVN has a provider of its own.
	mustRefuse(
		t,
		guard(t, newScene(), tenant, new(pod(networks, "mac", "mac.t.kubernetes.io/ip_address", "10.16.0.5"))),
		"mac.t.kubernetes.io/ip_address",
	)
	// When the NIC is plugged in, its keys are judged, whatever was said before.
	old := running(append([]string{}, keys[:4]...)...)
	plugged := running(
		append([]string{networks, "blue", "blue.t.ovn.kubernetes.io/port_security", "true"}, keys[:4]...)...)
	mustRefuse(t, update(t, newScene(), virtualize, "", &old, &plugged), theirs, "10.16.0.5")
	plugged.Metadata.Annotations[theirs], old.Metadata.Annotations[theirs] = "10.16.0.77", "10.16.0.77"
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &plugged))
}

// The text of a tenant about a NIC that the pod does not have yet does not become KubeVirt's word when KubeVirt plugs
// the NIC in.
func TestThreatT35KeyFromBeforeTheNIC(t *testing.T) {
	const planted = "blue.t.ovn.kubernetes.io/activation_strategy"
	plug := []string{networks, "blue", "blue.t.ovn.kubernetes.io/port_security", "true"}
	old, plugged := running(ps, "true", planted, "rarp"), running(append(plug, ps, "true", planted, "rarp")...)
	mustRefuse(t, update(t, newScene(), virtualize, "", &old, &plugged), planted)
	old, plugged = running(ps, "true"), running(append(plug, ps, "true", planted, "rarp")...)
	mustAllow(t, update(t, newScene(), virtualize, "", &old, &plugged))
}
