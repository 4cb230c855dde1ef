package kubeovn

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// Only harmless keys of pods can be handed down, and WhyNotInherited has a reason for each other one.
func TestInheritable(t *testing.T) {
	for _, r := range KeyRules {
		listed := slices.Contains(InheritableSuffixes, r.Suffix)
		if listed && (r.Class != Harmless || r.On != "pods") {
			t.Errorf("%s is of class %s, on %s", r.Suffix, className[r.Class], r.On)
		}
		for _, p := range []Provider{DefaultProvider, "blue.lab.ovn"} {
			key := p.Key(r.Suffix)
			if why := WhyNotInherited(key); Inheritable(key) != listed || (why == "") != listed {
				t.Errorf("%s: inheritable %t, %q", key, Inheritable(key), why)
			}
		}
	}
	for key, why := range map[string]string{
		"ovn.kubernetes.io/port_security":                 "policy decides",
		"ovn.kubernetes.io/routes.net1":                   "no key that Kube-OVN reads",
		"blue.lab.kubernetes.io/routes":                   "ATTACHMENT.NAMESPACE.ovn.kubernetes.io/routes",
		"blue.lab.ovn.net1.kubernetes.io/routes":          "about no NIC on OVN",
		"lab.ovn.kubernetes.io/routes":                    "about no NIC on OVN",
		"kubectl.kubernetes.io/routes":                    "about no NIC on OVN",
		"ovn.kubernetes.io/":                              "no key that Kube-OVN reads",
		"ovn.kubernetes.io/some_new_key":                  "does not know",
		"ovn.kubernetes.io/vpc_nat_gw":                    "no key that Kube-OVN reads of ordinary pods",
		Networks:                                          "networks",
		DefaultNetwork:                                    "networks",
		MigrationJob:                                      "live migration",
		"ovnguard.io/decision":                            "no key that Kube-OVN reads",
		"example.org/routes":                              "no key that Kube-OVN reads",
		"blue.lab.kubernetes.io/ip_address.net1":          "addresses",
		"ovn.kubernetes.io/security_groups":               "security groups",
		"blue.lab.ovn.kubernetes.io/layer2_forward":       "takes in",
		"blue.lab.ovn.kubernetes.io/allow_live_migration": "live migration",
	} {
		if got := WhyNotInherited(key); Inheritable(key) || !strings.Contains(got, why) {
			t.Errorf("%s: %q, want it with %q", key, got, why)
		}
	}
}

// The schema of policies and docs/keys.md have the same keys as the program.
func TestInheritableKeysAreWritten(t *testing.T) {
	names := make([]string, len(InheritableSuffixes))
	for i, s := range InheritableSuffixes {
		names[i] = string(s)
	}
	for file, want := range map[string]string{
		"../../deploy/crds/ovnguard.io_portsecuritypolicies.yaml": "(" + strings.Join(names, "|") + ")$",
		"../../docs/keys.md": "`" + strings.Join(names, "`, `") + "`",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
			t.Errorf("%s lacks %s", file, want)
		}
	}
}
