//go:build integration

package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	rulebook "github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// provedElsewhere are the rules with faults that other tests make.
var provedElsewhere = map[string]string{
	"OVG001": "TestFaults",
	"OVG002": "TestFaults",
	"OVG003": "TestFaults",
	"OVG004": "TestFaults",
	"OVG005": "TestFaults",
	"OVG006": "TestPortWithoutPod",
	"OVG007": "TestFaults",
	"OVG010": "TestFaults",
	"OVG017": "TestFaults",
	"OVG023": "TestThreat44Contested",
	"OVG026": "TestThreatT30ReservedByPoolAndSubnet",
	"OVG027": "TestThreatT35MigrationThatHangs",
	"OVG028": "TestThreatT46EgressGatewayOfATenant",
	"OVG031": "TestMoved of lab/test/layout",
}

// fault is a fault that a test really made.
type fault struct {
	// about is the subject that the finding must name: a port, a pod, or another object.
	about string
	// heal ends the fault.
	heal func()
}

// findings are the faults of the rules that TestFaults does not make, by rule.
var findings = map[string]func(t *testing.T) fault{
	"OVG008": func(t *testing.T) fault {
		ns := excepted(t)
		pod := run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Class = v1alpha1.ClassNestedVirtualization
			s.Grant.Pairs = []v1alpha1.AddressPair{{MAC: "0a:00:00:77:00:01", Prefix: "192.0.2.17"}}
		})
		return fault{portOf(pod), remove}
	},
	"OVG009": func(t *testing.T) fault {
		v := newVictim(t)
		nbctl(t, "lsp-set-port-security", v.port, v.identity+" junk")
		return fault{v.port, func() { nbctl(t, "lsp-set-port-security", v.port, v.identity) }}
	},
	// The tenant's own switch for layer 2 is allowed here, and what is granted are only addresses.
	"OVG011": func(t *testing.T) fault {
		ns := excepted(t)
		pod := run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{MAC: "0a:00:00:77:00:02", Prefix: "192.0.2.18"}}
		})
		return fault{portOf(pod), remove}
	},
	"OVG012": func(t *testing.T) fault {
		v := newVictim(t)
		return fault{v.port, addPort(t, v, v.mac()+" 10.16.250.250")}
	},
	"OVG013": func(t *testing.T) fault {
		v := newVictim(t)
		return fault{v.port, addPort(t, v, "0a:00:00:77:00:03 "+v.pod.Annotations[ipAddress])}
	},
	// Admission refuses what overlaps when it is granted. A Service that claims one of the addresses later does not end
	// the grant: anybody may write Services.
	"OVG014": func(t *testing.T) fault {
		ns := excepted(t)
		pod := run(t, ns, nil)
		ungrant := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "192.0.2.32/28"}}
		})
		services := admin(t).CoreV1().Services(namespace(t, nil))
		service, err := services.Create(t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: unique("claims")},
			Spec: corev1.ServiceSpec{
				ExternalIPs: []string{"192.0.2.35"},
				Ports:       []corev1.ServicePort{{Port: 80}},
			},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return fault{portOf(pod), func() {
			if err := services.Delete(t.Context(), service.Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			ungrant()
		}}
	},
	"OVG015": func(t *testing.T) fault {
		ns := excepted(t)
		run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "192.0.2.48/28"}}
			s.ExpiresAt = metav1.NewTime(time.Now().Add(10 * time.Second).Truncate(time.Second))
		})
		return fault{ns, remove}
	},
	"OVG016": func(t *testing.T) fault {
		ns := excepted(t)
		run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Target.PodSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "nowhere"}}
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "192.0.2.64/28"}}
		})
		return fault{ns, remove}
	},
	// Kube-OVN puts everything that a member may send from into the address set of its group.
	"OVG018": func(t *testing.T) fault {
		v := newVictim(t)
		group := "ovn.sg." + strings.ReplaceAll(unique("group"), "-", "")
		name := strings.TrimPrefix(group, "ovn.sg.")
		nbctl(
			t,
			"set",
			"logical_switch_port",
			v.port,
			"external_ids:security_groups="+name,
			"external_ids:associated_sg_"+name+"=true",
			"--",
			"pg-add",
			group,
			v.port,
			"--",
			"set",
			"port_group",
			group,
			"external_ids:sg="+name,
			"external_ids:type=security_group",
			"external_ids:vendor=kube-ovn",
			"--",
			"create",
			"address_set",
			"name="+group+".associated.v4",
			"external_ids:sg="+name,
			`addresses=["192.0.2.80","`+v.pod.Annotations[ipAddress]+`"]`,
			"--",
			"lsp-set-port-security",
			v.port,
			v.identity+" 192.0.2.80",
		)
		return fault{v.port, func() {
			nbctl(
				t,
				"lsp-set-port-security",
				v.port,
				v.identity,
				"--",
				"remove",
				"logical_switch_port",
				v.port,
				"external_ids",
				"security_groups",
				"--",
				"remove",
				"logical_switch_port",
				v.port,
				"external_ids",
				"associated_sg_"+name,
				"--",
				"pg-del",
				group,
				"--",
				"destroy",
				"address_set",
				group+".associated.v4",
			)
		}}
	},
	// Two pods claim to run one machine that does not exist. If KubeVirt is not served, admission lets nobody make such
	// pods, and if it is, the garbage collector removes them; the program's own namespace is left out of admission.
	"OVG019": func(t *testing.T) fault {
		const ns = "ovnguard-system"
		var pods []*corev1.Pod
		for range 2 {
			made, err := admin(t).CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
				Name:      unique("launcher"),
				Namespace: ns,
				OwnerReferences: []metav1.OwnerReference{
					{
						APIVersion: "kubevirt.io/v1",
						Kind:       "VirtualMachineInstance",
						Name:       "nobodys",
						UID:        "no-such-machine",
					},
				},
			}, Spec: restrictedSpec()}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { deletePod(t, made) })
			pods = append(pods, made)
		}
		return fault{"nobodys." + ns, func() {
			for _, pod := range pods {
				deletePod(t, pod)
			}
		}}
	},
	// This NIC got a MAC and no address from its address management.
	"OVG020": func(t *testing.T) fault {
		v := newVictim(t)
		setAddress(t, v.port, "")
		nbctl(t, "lsp-set-port-security", v.port)
		return fault{v.port, func() {
			setAddress(t, v.port, v.pod.Annotations[ipAddress])
			nbctl(t, "lsp-set-port-security", v.port, v.identity)
		}}
	},
	"OVG021": func(t *testing.T) fault {
		v := newVictim(t)
		if err := world.Lab.KillComponent(northd); err != nil {
			t.Fatal(err)
		}
		nbctl(t, "--no-leader-only", "lsp-set-port-security", v.port, v.identity, "0a:00:00:77:00:04 192.0.2.96")
		return fault{v.port, func() {
			nbctl(t, "lsp-set-port-security", v.port, v.identity)
			restart(t, northd)
		}}
	},
	"OVG022": func(t *testing.T) fault {
		applyDual(t)
		pod := run(t, namespace(t, nil), map[string]string{kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "dual"})
		return fault{pod.Spec.NodeName, func() { deletePod(t, pod) }}
	},
	"OVG030": func(t *testing.T) fault {
		nbctl(t, "set", "NB_Global", ".", "options:version_compatibility=21.06")
		return fault{
			"version_compatibility",
			func() { nbctl(t, "set", "NB_Global", ".", "options:version_compatibility=_21.06") },
		}
	},
	"OVG024": func(t *testing.T) fault {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: unique("host"), Namespace: tenantNamespace},
			Spec:       podSpec(),
		}
		pod.Spec.HostNetwork = true
		if _, err := admin(
			t,
		).CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deletePod(t, pod) })
		return fault{pod.Name, func() { deletePod(t, pod) }}
	},
	// Policy allowed what the pod asks for when the pod was made.
	"OVG032": func(t *testing.T) fault {
		ns, name := repairNamespace(t)
		allow := func(to v1alpha1.Permission) {
			t.Helper()
			body := map[string]any{"spec": map[string]any{"externalAddresses": to}}
			if _, err := admin(t).do(t.Context(), http.MethodPatch, policiesPath+"/"+name, body); err != nil {
				t.Fatal(err)
			}
		}
		allow(v1alpha1.Allow)
		var pod *corev1.Pod
		eventually(t, "admission to follow the policy", func() (bool, error) {
			var err error
			asks := map[string]string{"ovn.kubernetes.io/eip": "198.51.100.12"}
			pod, err = world.Pod(t.Context(), ns, unique("pod"), asks)
			return err == nil, nil
		})
		t.Cleanup(func() { deletePod(t, pod) })
		allow(v1alpha1.Forbid)
		return fault{pod.Name, func() { allow(v1alpha1.Allow) }}
	},
	// Somebody moves the row to another switch.
	"OVG033": func(t *testing.T) fault {
		applyDual(t)
		v := newVictim(t)
		row, err := world.Nbctl(t.Context(), "--bare", "--columns=_uuid", "find", "logical_switch_port", "name="+v.port)
		if err != nil {
			t.Fatal(err)
		}
		move := func(from, to string) {
			nbctl(t, "remove", "logical_switch", from, "ports", row, "--", "add", "logical_switch", to, "ports", row)
		}
		move("ovn-default", "dual")
		return fault{v.port, func() { deletePod(t, v.pod) }}
	},
	// The port is taken out of the group that its pod names.
	"OVG034": func(t *testing.T) fault {
		group := unique("members")
		makeKubeOVNObject(t, "security-groups", "SecurityGroup", group, map[string]any{})
		pod := run(t, tenantNamespace, map[string]string{kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups): group})
		port, name := portOf(pod), "ovn.sg."+strings.ReplaceAll(group, "-", ".")
		row, err := world.Nbctl(t.Context(), "--bare", "--columns=_uuid", "find", "logical_switch_port", "name="+port)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the port to be in its group", func() (bool, error) {
			members, err := world.Nbctl(t.Context(), "get", "port_group", name, "ports")
			return strings.Contains(members, row), err
		})
		nbctl(t, "remove", "port_group", name, "ports", row)
		return fault{port, func() { deletePod(t, pod) }}
	},
	// A StatefulSet went while nobody looked, and its pod's port stays.
	"OVG035": func(t *testing.T) fault {
		name := unique("gone") + "-0"
		port := kubeovn.PortName(name, tenantNamespace, kubeovn.DefaultProvider)
		remove := leftRecord(t, port, name, "StatefulSet", "10.16.240.1")
		nbctl(t, "lsp-add", "ovn-default", port, "--", "lsp-set-addresses", port, "0a:00:00:77:00:05 10.16.240.1", "--",
			"lsp-set-port-security", port, "0a:00:00:77:00:05 10.16.240.1", "--",
			"set", "logical_switch_port", port, "external_ids:vendor=kube-ovn", "external_ids:ls=ovn-default",
			fmt.Sprintf("external_ids:pod=\"%s/%s\"", tenantNamespace, name))
		return fault{port, func() {
			remove()
			nbctl(t, "--if-exists", "lsp-del", port)
		}}
	},
	"OVG036": func(t *testing.T) fault {
		name := unique("gone")
		port := kubeovn.PortName(name, tenantNamespace, kubeovn.DefaultProvider)
		return fault{port, leftRecord(t, port, name, "", "10.16.240.2")}
	},
	"OVG037": func(t *testing.T) fault {
		port := unique("unowned")
		nbctl(t, "lsp-add", "ovn-default", port, "--", "lsp-set-addresses", port, "0a:00:00:77:00:06 10.16.240.3", "--",
			"lsp-set-port-security", port, "0a:00:00:77:00:06 10.16.240.3")
		return fault{port, func() { nbctl(t, "--if-exists", "lsp-del", port) }}
	},
	// The owner of the subnet shares an address that address management may give to the next pod.
	"OVG038": func(t *testing.T) fault {
		applyDual(t)
		ns := excepted(t)
		pod := run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.77.250.250/32", SharedWith: "dual"}}
		})
		return fault{portOf(pod), remove}
	},
	// A port of another namespace is open, and may send as whom the policy admits.
	"OVG039": func(t *testing.T) fault {
		policy, _, remove := onlyFriends(t)
		v := newVictim(t)
		nbctl(t, "lsp-set-port-security", v.port)
		return fault{policy, func() {
			nbctl(t, "lsp-set-port-security", v.port, v.identity)
			remove()
		}}
	},
	// Somebody takes the ports out of the group of a policy.
	"OVG040": func(t *testing.T) fault {
		policy, group, remove := onlyFriends(t)
		nbctl(t, "clear", "port_group", group, "ports")
		return fault{policy, remove}
	},
	// What the pod sends is bounded by no policy.
	"OVG041": func(t *testing.T) fault {
		ns := excepted(t)
		pod := run(t, ns, nil)
		remove := grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
			s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "198.51.100.0/28"}}
		})
		return fault{ns + "/" + pod.Name, remove}
	},
	// Repair does not write a row of another type, because it is not a pod's row.
	"OVG025": func(t *testing.T) fault {
		ns, _ := repairNamespace(t)
		port := portOf(run(t, ns, nil))
		nbctl(t, "lsp-set-type", port, "localport", "--", "lsp-set-port-security", port, "unknown")
		return fault{port, func() { nbctl(t, "lsp-set-type", port, "") }}
	},
}

// Each fault is really made. The running program finds it, `ovnguard audit` names its subject, no finding with a fix is
// left after all fixes were run, and after the other faults end the findings are gone.
func TestFindings(t *testing.T) {
	for _, rule := range rulebook.Rules() {
		if _, made := findings[rule.ID]; made == (provedElsewhere[rule.ID] != "") {
			t.Errorf("the fault of %s is to be made by one test", rule.ID)
		}
	}
	southbound := world.Lab.Info().SB
	if err := guard.Restart(t.Context(), "--sb", southbound); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
		awaitWebhook(t)
	})
	awaitWebhook(t)
	// All at once, since most must last for some seconds before they mean anything; ovn-northd goes last, for others
	// need it.
	before, made := make(map[string]int), make(map[string]fault)
	ids := slices.Sorted(maps.Keys(findings))
	slices.SortStableFunc(ids, func(a, b string) int {
		return cmp.Compare(strings.Count(a, withoutNorthd), strings.Count(b, withoutNorthd))
	})
	for _, id := range []string{"OVG015", "OVG016"} { // the others' may become fewer while ours is added
		eventually(
			t,
			"exceptions of other tests to go with their namespaces",
			func() (bool, error) { return standing(t, id) == 0, nil },
		)
	}
	for _, id := range ids {
		before[id] = standing(t, id)
	}
	for _, id := range ids {
		made[id] = findings[id](t)
	}
	for _, id := range ids {
		t.Run(id+" found", func(t *testing.T) {
			eventually(t, id+" in the metrics", func() (bool, error) { return standing(t, id) > before[id], nil })
		})
	}
	stdout, stderr, _ := ovnguard(t, "audit", "-o", "json", "--sb", southbound)
	var r auditReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("ovnguard audit: %v\n%s%s", err, stdout, stderr)
	}
	for _, rule := range rulebook.Rules() {
		f, ok := made[rule.ID]
		if ok && !slices.ContainsFunc(r.Findings, func(g finding) bool {
			return g.Rule == rule.ID && g.Severity == string(rule.Severity) &&
				strings.Contains(fmt.Sprint(g.Port, " ", g.Namespace, "/", g.Pod, " ", g.Message), f.about)
		}) {
			t.Errorf("ovnguard audit has no %s about %s", rule.ID, f.about)
		}
	}
	if ran := runFixes(t, southbound, r.Findings); ran < 10 {
		t.Errorf("only %d fixes", ran)
	}
	for _, id := range slices.Backward(ids) {
		made[id].heal()
	}
	for _, id := range ids {
		t.Run(id+" gone", func(t *testing.T) {
			eventually(
				t,
				id+" to be gone from the metrics",
				func() (bool, error) { return standing(t, id) <= before[id], nil },
			)
		})
	}
	runFixes(t, southbound, audit(t).Findings) // the columns hold grants of exceptions that are gone
	awaitNoFindings(t)
}

// runFixes runs the commands in the findings, each once, waits until no finding has one, and returns how many it ran.
// It leaves out those about the killed ovn-northd, which open an editor.
func runFixes(t *testing.T, southbound string, found []finding) int {
	t.Helper()
	fixes := func(found []finding) []string {
		return fixesOf(slices.DeleteFunc(slices.Clone(found), func(f finding) bool {
			return f.Rule == withoutNorthd || strings.HasPrefix(f.Fix, "kubectl edit ")
		}))
	}
	first := fixes(found)
	for _, fix := range first {
		if _, after, found := strings.Cut(fix, " rollout status daemonset/ovs-ovn --timeout=30s && "); found {
			fix = after // the lab's nodes run no such workload
		}
		if strings.HasPrefix(fix, suggests) {
			applySuggested(t, fix)
			continue
		}
		shell(t, fix)
	}
	var left []string
	defer func() {
		if t.Failed() {
			t.Logf("these fixes are left: %q", left)
		}
	}()
	eventually(t, "no finding to give a fix", func() (bool, error) {
		stdout, stderr, _ := ovnguard(t, "audit", "-o", "json", "--sb", southbound)
		var r auditReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			return false, fmt.Errorf("ovnguard audit: %w\n%s%s", err, stdout, stderr)
		}
		left = fixes(r.Findings)
		return len(left) == 0, nil
	})
	return len(first)
}

// withoutNorthd is the rule for an ovn-northd that does not run.
const withoutNorthd = "OVG021"

// leftRecord makes an IP resource of a pod that does not exist, as Kube-OVN would have left it, and returns how to take
// it away.
func leftRecord(t *testing.T, name, pod, keeper, address string) (remove func()) {
	t.Helper()
	const path = "/apis/kubeovn.io/v1/ips"
	object := map[string]any{
		"apiVersion": "kubeovn.io/v1", "kind": "IP",
		"metadata": map[string]any{
			"name": name, "finalizers": []string{"kubeovn.io/kube-ovn-controller"},
			"labels": map[string]string{"ovn.kubernetes.io/ip_reserved": "false"},
		},
		"spec": map[string]any{
			"podName": pod, "namespace": tenantNamespace, "subnet": "ovn-default", "nodeName": "node1",
			"podType":   keeper,
			"ipAddress": address, "v4IpAddress": address, "v6IpAddress": "", "macAddress": "0a:00:00:77:00:05",
			"attachIps": []string{}, "attachMacs": []string{}, "attachSubnets": []string{}, "containerID": "",
		},
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, path, object); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, path+"/"+name, nil); err != nil &&
			!apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// standing returns the number of findings of a rule in the running program.
func standing(t *testing.T, rule string) int {
	t.Helper()
	return int(metrics(t)[fmt.Sprintf("ovnguard_findings{rule=%q}", rule)])
}

// excepted makes a namespace in which exceptions count and repair is off.
func excepted(t *testing.T) string {
	t.Helper()
	ns, name := repairNamespace(t)
	body := map[string]any{"spec": map[string]any{"repair": "log", "limits": map[string]any{"minPrefixLengthIPv4": 24}}}
	if _, err := admin(t).do(t.Context(), http.MethodPatch, policiesPath+"/"+name, body); err != nil {
		t.Fatal(err)
	}
	return ns
}

// grantIn makes an exception for all pods of a namespace, changed by change, and returns a function that removes it.
func grantIn(t *testing.T, ns string, change func(*v1alpha1.PortSecurityExceptionSpec)) (remove func()) {
	t.Helper()
	e := exceptionIn(ns)
	e.Spec.Target.PodSelector, e.Spec.Grant.Pairs = &metav1.LabelSelector{}, nil
	change(&e.Spec)
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	var err error
	defer func() {
		if t.Failed() {
			t.Log("the exception was refused at last:", err)
		}
	}()
	eventually(t, "the exception to be taken", func() (bool, error) { // admission follows the policy in a moment
		_, err = admin(t).do(t.Context(), http.MethodPost, path, e)
		return err == nil, nil
	})
	return func() {
		if _, err := admin(
			t,
		).do(t.Context(), http.MethodDelete, path+"/"+e.Name, nil); err != nil &&
			!apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
}

// endSoon sets the end of a namespace's exception from grantIn to that time from now, and returns the end. The test has
// the time until then for everything that must happen before it.
func endSoon(t *testing.T, ns string, in time.Duration) (end time.Time) {
	t.Helper()
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions/" + exceptionIn(ns).Name
	end = time.Now().Add(in).Truncate(time.Second) // the API keeps whole seconds
	_, err := admin(
		t,
	).do(t.Context(), http.MethodPatch, path,
		map[string]any{"spec": map[string]any{"expiresAt": end.UTC().Format(time.RFC3339)}})
	if err != nil {
		t.Fatal(err)
	}
	return end
}

// addPort makes a port on the victim's switch with these addresses, and returns a function that removes it.
func addPort(t *testing.T, v victim, addresses string) (remove func()) {
	t.Helper()
	name := unique("other")
	nbctl(
		t,
		"lsp-add",
		v.pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)],
		name,
		"--",
		"set",
		"logical_switch_port",
		name,
		`addresses=["`+addresses+`"]`,
	)
	remove = func() { nbctl(t, "--if-exists", "lsp-del", name) }
	t.Cleanup(func() {
		if _, err := world.Nbctl(cleanup(t), "--if-exists", "lsp-del", name); err != nil {
			t.Error(err)
		}
	})
	return remove
}

// setAddress writes the address in an IP resource; an empty one removes it.
func setAddress(t *testing.T, name, address string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"spec": map[string]any{"v4IpAddress": address}})
	if err != nil {
		t.Fatal(err)
	}
	if err := world.Kube.CoreV1().
		RESTClient().
		Patch(types.MergePatchType).
		AbsPath("/apis/kubeovn.io/v1/ips/" + name).
		Body(body).
		Do(t.Context()).
		Error(); err != nil {
		t.Fatal(err)
	}
}
