package admission

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// blue is an attachment of some of the drawn pods.
var blue = kubeovn.AttachmentProvider("t", "blue")

// drawScene returns a cluster with policies and exceptions for the tenant's pods.
func drawScene(t *rapid.T) *scene {
	s := newScene()
	s.inventory.SetAttachment(kubeovn.Attachment{Namespace: "t", Name: "blue"}, kubeovn.KindOVN)
	value := rapid.SampledFrom([]string{"", "", "true", "false"})
	s.namespace.Annotations = map[string]string{}
	for _, key := range []string{ps, l2, blue.Key(kubeovn.PortSecurity)} {
		if v := value.Draw(t, "the namespace's "+key); v != "" {
			s.namespace.Annotations[key] = v
		}
	}
	app := func(what string) policy.Selector {
		want := rapid.SampledFrom([]string{"router", "web"}).Draw(t, what)
		return func(l map[string]string) bool { return l["app"] == want }
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "policies") {
		p := policy.Policy{
			Name:     string(rune('a' + i)),
			Priority: int32(rapid.IntRange(0, 2).Draw(t, "priority")),
			Level: rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).
				Draw(t, "level"),
			Forwarding: rapid.SampledFrom([]policy.Forwarding{policy.Forbid, policy.Allow}).
				Draw(t, "forwarding"),
			ExternalAddresses: rapid.Bool().Draw(t, "external"),
			ExceptionsIn:      []string{"t"},
			ForbidsOthers:     rapid.Bool().Draw(t, "forbids others"),
			Limits: policy.Limits{
				Pairs:    8,
				Prefix4:  24,
				Prefix6:  64,
				Lifetime: policy.DefaultLifetime,
				Level:    policy.Open,
			},
		}
		if rapid.Bool().Draw(t, "for some pods") {
			p.Pods = app("policy for")
		}
		if rapid.Bool().Draw(t, "for the default NIC alone") {
			p.Providers = policy.Providers{"ovn"}
		}
		s.inventory.SetPolicy(p)
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "exceptions") {
		e := policy.Exception{
			Namespace: "t",
			Name:      string(rune('x' + i)),
			Asked:     now.Add(-time.Hour),
			Expires:   now.Add(time.Hour),
			Level:     rapid.SampledFrom([]policy.Level{policy.Strict, policy.MAC, policy.Open}).Draw(t, "granted"),
			Forwarding: rapid.SampledFrom([]policy.Forwarding{policy.Forbid, policy.Require}).
				Draw(t, "granted forwarding"),
			Pairs: []portsec.AddressPair{{Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
		}
		if rapid.Bool().Draw(t, "for an owner") {
			e.Owner = &policy.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "r", UID: "u-r"}
		} else {
			e.Pods = app("exception for")
		}
		s.inventory.SetException(e)
	}
	return s
}

// drawEdit changes some of a pod's fields, as an attacker would.
func drawEdit(t *rapid.T, p Pod) Pod {
	p.Metadata.Annotations, p.Metadata.Labels = maps.Clone(p.Metadata.Annotations), maps.Clone(p.Metadata.Labels)
	wishes := map[string][]string{
		ps: {
			"true",
			"false",
			"True",
			"",
		},
		l2:                              {"true", "false", "yes"},
		blue.Key(kubeovn.PortSecurity):  {"true", "false"},
		blue.Key(kubeovn.Layer2Forward): {"true"},
		vips: {
			"10.16.0.100",
			"10.16.0.101",
			"10.16.0.5",
			"192.0.2.7",
			"0.0.0.0/0",
		},
		kubeovn.AAPs: {"mine", "foreign", "mine,foreign"},
		ip:           {"0.0.0.0/0", "10.16.0.5", "10.16.0.20"},
		hw: {
			"0a-00-00-00-00-20",
			"0a:00:00:00:00:20",
		},
		lsp:                           {"theirs", "join"},
		networks:                      {"t/blue", "u/green"},
		"ovn.kubernetes.io/allocated": {"false"},
		"ovn.kubernetes.io/eip": {
			"203.0.113.7",
		},
		groups:                  {"g"},
		policy.RecordAnnotation: {"{}", `{"ovn":{"level":"open","from":"policy"}}`},
		"note":                  {"1"},
	}
	keys := slices.Sorted(maps.Keys(wishes))
	for range rapid.IntRange(1, 3).Draw(t, "changes") {
		key := rapid.SampledFrom(keys).Draw(t, "key")
		if rapid.Bool().Draw(t, "takes away") {
			delete(p.Metadata.Annotations, key)
		} else {
			p.Metadata.Annotations[key] = rapid.SampledFrom(wishes[key]).Draw(t, "value")
		}
	}
	if rapid.Bool().Draw(t, "relabels") {
		p.Metadata.Labels["app"] = rapid.SampledFrom([]string{"router", "web", "other"}).Draw(t, "app")
	}
	if rapid.IntRange(0, 3).Draw(t, "adopts") == 0 {
		p.Metadata.Owners = []OwnerReference{
			{
				APIVersion: "apps/v1",
				Kind:       "ReplicaSet",
				Name:       "r",
				UID:        "u-r",
				Controller: rapid.Bool().Draw(t, "controller"),
			},
		}
	}
	return p
}

// identities returns the annotations in which Kube-OVN noted the identities of a pod's ports: anyone who can write them
// decides what the ports may send from.
func identities(p *Pod) map[string]string {
	out := make(map[string]string)
	for key, value := range p.Metadata.Annotations {
		switch kubeovn.ClassOf(key) { //nolint:exhaustive // the others are looked at by what they make of a port
		case kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.MachineKey, kubeovn.NetworkKey:
			out[key] = value
		}
	}
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

// A tenant edits a running pod, by any path. If the edit is accepted, no port's decision is looser than before, no port
// loses protection that is decided and that it had, no address of another tenant is shared, and what Kube-OVN noted is
// unchanged.
func TestAnUpdateNeverLoosens(t *testing.T) {
	accepted := 0
	check := func(r *rapid.T) {
		s := drawScene(r)
		wishes := []string{ps, rapid.SampledFrom([]string{"true", "false", "1"}).Draw(r, "asked for")}
		if rapid.Bool().Draw(r, "with an attachment") {
			wishes = append(wishes, networks, "t/blue")
		}
		made := pod(wishes...)
		made.Metadata.Labels = map[string]string{
			"app": rapid.SampledFrom([]string{"router", "web"}).Draw(r, "labelled"),
		}
		stored, refused := create(t, s, tenant, made)
		if refused != "" {
			r.Fatalf("an ordinary pod was refused: %s", refused)
		}
		maps.Copy(stored.Metadata.Annotations, map[string]string{ // as Kube-OVN writes it
			ip: "10.16.0.20", hw: "0a:00:00:00:00:20", lsp: "ovn-default", "ovn.kubernetes.io/allocated": "true",
		})
		edited := drawEdit(r, *stored)
		path := rapid.SampledFrom([]string{"", "status", "binding"}).Draw(r, "path")
		if path == "binding" { // a Binding is merged into the pod
			edited.Metadata.Annotations, edited.Metadata.Labels = merge(
				stored.Metadata.Annotations,
				edited.Metadata.Annotations,
			), merge(
				stored.Metadata.Labels,
				edited.Metadata.Labels,
			)
			edited.Metadata.Owners = stored.Metadata.Owners
		}
		if update(t, s, tenant, path, stored, &edited) != "" {
			return
		}
		accepted++
		if before, after := identities(stored), identities(&edited); !maps.Equal(before, after) {
			r.Fatalf("what Kube-OVN noted became %v and was %v", after, before)
		}
		v := &View{
			Accounts:  DefaultAccounts(),
			User:      tenant,
			Namespace: s.namespace,
			Inventory: s.inventory.Snapshot(),
			Now:       now,
		}
		before, after := v.groundsOf(
			v.factsOf(ParsePod("t", stored, nil), true),
		), v.groundsOf(
			v.factsOf(ParsePod("t", &edited, nil), true),
		)
		nics := []kubeovn.Provider{kubeovn.DefaultProvider}
		if stored.Metadata.Annotations[networks] != "" {
			nics = append(nics, blue)
		}
		for _, nic := range nics {
			was, is := v.decide(before, nic), v.decide(after, nic)
			if is.Level > max(was.Level, policy.Extended) ||
				is.Level == policy.Extended && was.Level == policy.Strict && len(is.Exceptions) > len(was.Exceptions) ||
				is.Forwarding > was.Forwarding ||
				is.ExternalAddresses && !was.ExternalAddresses ||
				was.ForbidsOthers() && !is.ForbidsOthers() {
				r.Fatalf("%s is decided\n%+v\nand was\n%+v", nic, is, was)
			}
			key, forward := nic.Key(kubeovn.PortSecurity), nic.Key(kubeovn.Layer2Forward)
			before, after := stored.Metadata.Annotations, edited.Metadata.Annotations
			if after[key] != kubeovn.True && before[key] == kubeovn.True && is.Level != policy.Open {
				r.Fatalf("%s has lost its protection where %s is decided", nic, is.Level)
			}
			if after[forward] == kubeovn.True && before[forward] != kubeovn.True && is.Forwarding == policy.Forbid {
				r.Fatalf("%s has layer-2 forwarding where that is forbidden", nic)
			}
			for text := range strings.SplitSeq(after[nic.Key(kubeovn.PortVIPs)], ",") {
				granted := slices.ContainsFunc(is.Pairs, func(p portsec.AddressPair) bool {
					a, err := netip.ParseAddr(text)
					return err == nil && p.Prefix.Contains(a)
				})
				if text != "" && text != "10.16.0.100" && !granted && is.Level < policy.MAC {
					r.Fatalf("%s shares %s, which nobody granted", nic, text)
				}
			}
			if strings.Contains(after[kubeovn.AAPs], "foreign") {
				r.Fatalf("%s shares a Vip of another namespace", nic)
			}
		}
	}
	for range 10 { // faults may be rare
		rapid.Check(t, check)
	}
	if accepted < 100 {
		t.Errorf("%d updates were accepted: the draw shows nothing", accepted)
	}
}
