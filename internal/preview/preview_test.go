package preview

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// strict returns the policy of the tests, as a case changes it.
func strict(change func(*policy.Policy)) policy.Policy {
	p := policy.Policy{
		Name: "test", Limits: policy.Limits{
			Pairs: 8, Prefix4: 24, Prefix6: 64, Lifetime: policy.DefaultLifetime, Level: policy.Open,
		},
	}
	change(&p)
	return p
}

const applied = corev1.LastAppliedConfigAnnotation

// manifest returns what kubectl notes of a pod that it applied with an annotation.
func manifest(key, value string) string {
	return fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
}

// Pods that run: what admission would refuse of them is said with the check, and of healthy ones nothing is said.
func TestPodsThatRun(t *testing.T) {
	forbids := strict(func(p *policy.Policy) { p.ForbidsOthers = true })
	for name, c := range map[string]struct {
		asks   []string
		policy *policy.Policy
		check  string // "" for nothing
		fresh  bool   // Kube-OVN has not allocated it
	}{
		"asks for nothing":            {},
		"strict by annotation":        {asks: []string{ps, "true"}},
		"open, which OVG001 says":     {asks: []string{ps, "false"}},
		"forwards, which OVG005 says": {asks: []string{l2, "true"}},
		"an external address":         {asks: []string{eip, "203.0.113.7"}, check: "OVGA18"},
		"a gateway of its own":        {asks: []string{"ovn.kubernetes.io/north_gateway", "10.0.0.1"}, check: "OVGA18"},
		"a Vip of its namespace":      {asks: []string{vips, "10.16.0.100"}},
		"addresses without a Vip":     {asks: []string{vips, "10.16.0.101"}, check: "OVGA10"},
		"another's pool":              {asks: []string{pool, "their-pool"}, check: "OVGA14"},
		"a pool that is not there":    {asks: []string{pool, "no-pool"}, check: "OVGA14"},
		"a Vip of nobody":             {asks: []string{"ovn.kubernetes.io/vip", "none"}, check: "OVGA11"},
		"neither on nor off":          {asks: []string{ps, "tru"}, check: "OVGA08"},
		"another's network":           {asks: []string{kubeovn.Networks, "u/blue"}, check: "OVGA14"},
		"a network of its own":        {asks: []string{kubeovn.Networks, "t/green"}},
		"a network outside OVN":       {asks: []string{kubeovn.Networks, "t/macvlan"}},
		"a network outside OVN, forbidden": {
			asks: []string{kubeovn.Networks, "t/macvlan"}, policy: &forbids, check: "OVGA07",
		},
		"an address with its network": {
			asks:  []string{kubeovn.Networks, `[{"name":"green","namespace":"t","mac":"0a-00-00-00-00-01"}]`},
			check: "OVGA13",
		},
		"networks that cannot be read": {asks: []string{kubeovn.Networks, "[null]"}, check: "OVGA04"},
		"a default network of no name": {asks: []string{kubeovn.DefaultNetwork, ""}, check: "OVGA04"},
		"more networks than are read": {
			asks:  []string{kubeovn.Networks, strings.TrimSuffix(strings.Repeat("t/green,", 40), ",")},
			check: "OVGA01",
		},
		"the port of another name": {asks: []string{"ovn.eth0.kubernetes.io/ip_address", ""}, check: "OVGA17"},
		"a wish to migrate": {
			asks: []string{"ovn.kubernetes.io/activation_strategy", "rarp"}, check: "OVGA16",
		},
		"not allocated, another's address":   {asks: []string{ip, "10.16.0.5"}, check: "OVGA12", fresh: true},
		"not allocated, another's MAC":       {asks: []string{hw, "0a:00:00:00:00:05"}, check: "OVGA13", fresh: true},
		"not allocated, another's subnet":    {asks: []string{lsp, "theirs"}, check: "OVGA14", fresh: true},
		"not allocated, a free address":      {asks: []string{ip, "10.16.0.50"}, fresh: true},
		"applied with another's subnet":      {asks: []string{applied, manifest(lsp, "theirs")}, check: "OVGA14"},
		"applied with an address of its own": {asks: []string{applied, manifest(ip, "10.16.0.20")}},
		"applied with another's address":     {asks: []string{applied, manifest(ip, "10.16.0.5")}, check: "OVGA12"},
		"applied with nothing":               {asks: []string{applied, manifest("note.kubernetes.io/x", "1")}},
		"applied by somebody else":           {asks: []string{applied, "ovn.kubernetes.io/ip_address"}},
		"keys of NICs that it does not have": {asks: []string{"blue.t.ovn.kubernetes.io/port_vips", "10.16.0.101"}},
	} {
		t.Run(name, func(t *testing.T) {
			inv := town()
			if c.policy != nil {
				inv.SetPolicy(*c.policy)
			}
			if p := pod("t", "p", c.asks...); c.fresh {
				enters(inv, p)
			} else {
				starts(inv, p, "10.16.0.20", "0a:00:00:00:00:20")
			}
			got := foresee(t, inv)
			if c.check == "" {
				if len(got) > 0 {
					t.Errorf("it says %+v", got)
				}
				return
			}
			f := got["Pod/p"]
			if len(f.Refused) == 0 || !strings.HasSuffix(f.Refused[0].Text, "("+c.check+")") ||
				!strings.Contains(f.Refused[0].Text, ";") || f.Running != 1 || !f.IsPod() ||
				f.Workload.UID != "uid-p" || f.Refused[0].Mode != policy.Enforce {
				t.Errorf("it says %+v, want %s", got, c.check)
			}
		})
	}
}

// What ovnguard wrote on a pod unasked is no wish of the pod: made again, it gets what is decided then.
func TestWhatOvnguardWroteIsNoWish(t *testing.T) {
	inv := town()
	inv.SetPolicy(strict(func(p *policy.Policy) { p.Level = policy.Open }))
	for i, asked := range []bool{false, true} {
		record := policy.Record(map[kubeovn.Provider]policy.Recorded{
			kubeovn.DefaultProvider: {Level: "strict", Asked: asked},
		})
		p := pod("t", fmt.Sprint("p", i), ps, "true", policy.RecordAnnotation, record, vips, "10.16.0.101")
		starts(inv, p, fmt.Sprint("10.16.0.2", i), fmt.Sprint("0a:00:00:00:00:2", i))
	}
	got := foresee(t, inv)
	if len(got["Pod/p0"].Refused) > 0 || len(got["Pod/p1"].Refused) != 1 {
		t.Errorf("it says %+v", got)
	}
}

// A port whose name another has is refused whatever the pod asks for.
func TestNamesOfPodsThatRun(t *testing.T) {
	inv := town()
	inv.SetRecord(&inventory.Record{Name: "vm.t", Subnet: "ovn-default", Keeper: "VirtualMachine"})
	enters(inv, pod("t", "vm"))
	enters(inv, pod("t", "other"))
	starts(inv, owned(pod("t", "web-0"), "apps/v1", "StatefulSet", "web"), "10.16.0.30", "0a:00:00:00:00:30")
	got := foresee(t, inv)
	if len(got) != 1 || !strings.Contains(got["Pod/vm"].Refused[0].Text, "OVGA21") {
		t.Errorf("it says %+v", got)
	}
}

// What does not run, or is never asked about, is not judged.
func TestWhatIsNotJudged(t *testing.T) {
	inv := town()
	inv.SetNamespace(policy.Namespace{Name: "ovnguard-system"})
	host := pod("t", "host", eip, "203.0.113.7")
	host.Spec.HostNetwork = true
	enters(inv, host)
	enters(inv, owned(pod("t", "static", eip, "203.0.113.7"), "v1", "Node", "node1"))
	enters(inv, pod("ovnguard-system", "own", eip, "203.0.113.7"))
	enters(inv, pod("gone", "orphan", eip, "203.0.113.7"))
	ended := pod("t", "ended", eip, "203.0.113.7")
	ended.Status.Phase, ended.Spec.RestartPolicy = "Succeeded", "Never"
	enters(inv, ended)
	if got := foresee(t, inv); len(got) > 0 {
		t.Errorf("it says %+v", got)
	}
	// What has not been read yet may allow it.
	enters(inv, pod("t", "asks", ip, "10.16.0.5"))
	inv.Expect(inventory.Records)
	if got := foresee(t, inv); len(got) > 0 {
		t.Errorf("it says %+v", got)
	}
}

// Many pods of a workload are one fact, which names what people write.
func TestPodsOfOneWorkload(t *testing.T) {
	inv := town()
	deployment := &policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web"}
	exists(inv, "Deployment", "web", nil)
	exists(inv, "ReplicaSet", "web-1", deployment)
	exists(inv, "ReplicaSet", "web-2", deployment)
	for i := range 1000 {
		set := fmt.Sprintf("web-%d", 1+i%2)
		p := owned(pod("t", fmt.Sprintf("%s-%d", set, i), eip, "203.0.113.7"), "apps/v1", "ReplicaSet", set)
		starts(inv, p, fmt.Sprintf("10.17.%d.%d", i/250, i%250), fmt.Sprintf("0a:00:00:00:%02x:%02x", i/250, i%250))
	}
	starts(inv, pod("t", "alone", eip, "203.0.113.7"), "10.16.0.21", "0a:00:00:00:00:21")
	custom := owned(pod("t", "of-a-kind", eip, "203.0.113.7"), "example.org/v1", "Set", "mine")
	starts(inv, custom, "10.16.0.22", "0a:00:00:00:00:22")
	got := foresee(t, inv)
	web := got["Deployment.apps/web"]
	if len(got) != 3 || web.Running != 1000 || web.Workload != *deployment || len(web.Refused) != 1 ||
		!strings.HasPrefix(web.Refused[0].Text, `metadata.annotations["ovn.kubernetes.io/eip"]: `) {
		t.Errorf("it says %+v", got)
	}
	if got["Pod/alone"].Running != 1 || got["Set.example.org/mine"].Running != 1 {
		t.Errorf("it says %+v", got)
	}
}

// Of many reasons the first are told, and that there are more.
func TestManyReasons(t *testing.T) {
	inv := town()
	for i := range 40 {
		p := pod("t", fmt.Sprintf("db-%02d", i), vips, fmt.Sprintf("10.18.0.%d", i))
		owned(p, "apps/v1", "StatefulSet", "db")
		starts(inv, p, fmt.Sprintf("10.17.0.%d", i), fmt.Sprintf("0a:00:00:00:01:%02x", i))
	}
	refused := foresee(t, inv)["StatefulSet.apps/db"].Refused
	if len(refused) != maxReasons+1 || refused[maxReasons].Text != "and more" ||
		!strings.Contains(refused[0].Text, "10.18.0.0") {
		t.Errorf("%d are told: %+v", len(refused), refused)
	}
}

// Where the template is known, that is judged, and pods that say otherwise are not.
func TestTemplates(t *testing.T) {
	bad := map[string]string{eip: "203.0.113.7"}
	for name, c := range map[string]struct {
		object js
		key    string // "" for nothing
		path   string
	}{
		"Deployment":  {workload("apps/v1", "Deployment", "web", bad), "Deployment.apps/web", "spec.template."},
		"StatefulSet": {workload("apps/v1", "StatefulSet", "db", bad), "StatefulSet.apps/db", "spec.template."},
		"DaemonSet":   {workload("apps/v1", "DaemonSet", "on", bad), "DaemonSet.apps/on", "spec.template."},
		"Job":         {workload("batch/v1", "Job", "once", bad), "Job.batch/once", "spec.template."},
		"CronJob": {
			workload("batch/v1", "CronJob", "daily", bad), "CronJob.batch/daily", "spec.jobTemplate.spec.template.",
		},
		"ReplicaSet": {workload("apps/v1", "ReplicaSet", "rs", bad), "ReplicaSet.apps/rs", "spec.template."},
		"ReplicaSet of a Deployment": {
			object: madeFrom(workload("apps/v1", "ReplicaSet", "rs", bad), "apps/v1", "Deployment", "web"),
		},
		"ReplicaSet of another kind": {
			madeFrom(workload("apps/v1", "ReplicaSet", "rs", bad), "argoproj.io/v1alpha1", "Rollout", "web"),
			"Rollout.argoproj.io/web", "spec.template.",
		},
		"VirtualMachine": {
			workload("kubevirt.io/v1", "VirtualMachine", "vm", bad), "VirtualMachine.kubevirt.io/vm", "spec.template.",
		},
		"VirtualMachineInstance": {
			workload("kubevirt.io/v1", "VirtualMachineInstance", "vm", bad), "VirtualMachineInstance.kubevirt.io/vm", "",
		},
		"VirtualMachineInstance of a machine": {object: madeFrom(
			workload("kubevirt.io/v1", "VirtualMachineInstance", "vm", bad), "kubevirt.io/v1", "VirtualMachine", "vm",
		)},
		"another kind": {object: workload("example.org/v1", "Deployment", "web", bad)},
	} {
		t.Run(name, func(t *testing.T) {
			got := foresee(t, town(), c.object)
			if c.key == "" {
				if len(got) > 0 {
					t.Errorf("it says %+v", got)
				}
				return
			}
			f := got[c.key]
			if len(got) != 1 || len(f.Refused) != 1 || f.Running != 0 ||
				!strings.HasPrefix(f.Refused[0].Text, c.path+`metadata.annotations["ovn.kubernetes.io/eip"]: `) {
				t.Errorf("it says %+v", got)
			}
		})
	}
	ended := workload("batch/v1", "Job", "once", bad)
	ended["status"] = js{"conditions": []js{{"type": "Complete", "status": "True"}}}
	if got := foresee(t, town(), ended); len(got) > 0 {
		t.Errorf("of a Job that has ended it says %+v", got)
	}
}

// A reason that quotes a long value keeps its field, its fix and its check.
func TestLongReasons(t *testing.T) {
	inv := town()
	starts(inv, pod("t", "p", pool, strings.Repeat("é", 8000)), "10.16.0.20", "0a:00:00:00:00:20")
	refused := foresee(t, inv)["Pod/p"].Refused
	if len(refused) != 1 || len(refused[0].Text) > maxReason+8 || !strings.Contains(refused[0].Text, pool) ||
		!strings.HasSuffix(refused[0].Text, "(OVGA12)") || !strings.Contains(refused[0].Text, ";") {
		t.Errorf("it says %+v", refused)
	}
}

// What Kube-OVN trusts is refused in a template, and never in a pod, on which it wrote that itself.
func TestTemplatesAreJudgedForTheirPods(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		check       string
	}{
		"Kube-OVN's own keys": {map[string]string{"ovn.kubernetes.io/allocated": "true"}, "OVGA15"},
		"another's address":   {map[string]string{ip: "10.16.0.5"}, "OVGA12"},
		"another's subnet":    {map[string]string{lsp: "theirs"}, "OVGA14"},
		"its own address":     {map[string]string{ip: "10.16.0.40", hw: "0a:00:00:00:00:40"}, ""},
		"granted to it":       {map[string]string{vips: "192.0.2.7"}, ""},
		"granted to nobody":   {map[string]string{vips: "198.51.100.7"}, "OVGA10"},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web"}
			inv := town()
			inv.SetPolicy(strict(func(p *policy.Policy) { p.ExceptionsIn = []string{"t"} }))
			inv.SetException(exceptionFor(deployment))
			for _, running := range []bool{false, true} {
				if running {
					exists(inv, "Deployment", "web", nil)
					exists(inv, "ReplicaSet", "web-1", deployment)
					p := owned(pod("t", "web-1-a"), "apps/v1", "ReplicaSet", "web-1")
					starts(inv, p, "10.16.0.40", "0a:00:00:00:00:40")
				}
				got := foresee(t, inv, workload("apps/v1", "Deployment", "web", c.annotations))
				var said []string
				for _, r := range got["Deployment.apps/web"].Refused {
					said = append(said, r.Text)
				}
				if c.check == "" && len(said) > 0 ||
					c.check != "" && !strings.Contains(strings.Join(said, "\n"), c.check) {
					t.Errorf("running %t: it says %q, want %q", running, said, c.check)
				}
			}
		})
	}
}

// A pod that says that the Deployment itself makes it is not taken for one of the Deployment's.
func TestPodsThatSayTheyAreMadeFromIt(t *testing.T) {
	inv := town()
	inv.SetPolicy(strict(func(p *policy.Policy) { p.ExceptionsIn = []string{"t"} }))
	web := policy.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web"}
	exists(inv, "Deployment", "web", nil)
	exists(inv, "ReplicaSet", "web-1", &web)
	inv.SetException(exceptionFor(&web))
	template := workload("apps/v1", "Deployment", "web", map[string]string{vips: "192.0.2.7"})
	starts(inv, owned(pod("t", "web-1-a"), "apps/v1", "ReplicaSet", "web-1"), "10.16.0.20", "0a:00:00:00:00:20")
	before := foresee(t, inv, template)
	starts(inv, owned(pod("t", "a"), "apps/v1", "Deployment", "web"), "10.16.0.21", "0a:00:00:00:00:21")
	if after := foresee(t, inv, template); len(before) != len(after) {
		t.Errorf("it says %+v, and before %+v", after, before)
	}
}

// Wishes that are not granted are told apart from refusals, and only of templates: of pods that run, other rules tell.
func TestWishesThatAreNotGranted(t *testing.T) {
	asks := map[string]string{
		ps: "false", l2: "true", "ovn.kubernetes.io/allow_live_migration": "true",
		"blue.t.ovn.kubernetes.io/port_security": "false", "note": "1",
	}
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		inv := town()
		inv.SetPolicy(strict(func(p *policy.Policy) { p.Mode = mode }))
		f := foresee(t, inv, workload("apps/v1", "Deployment", "web", asks))["Deployment.apps/web"]
		if len(f.Refused) > 0 || len(f.Overruled) != 3 {
			t.Fatalf("%s: it says %+v", mode, f)
		}
		for _, o := range f.Overruled {
			if o.Mode != mode || !strings.HasPrefix(o.Text, "spec.template.metadata.annotations[") {
				t.Errorf("%s: it says %+v", mode, o)
			}
		}
		grants := strict(func(p *policy.Policy) { p.Mode, p.Level, p.Forwarding = mode, policy.Open, policy.Allow })
		inv.SetPolicy(grants)
		granted := workload("apps/v1", "Deployment", "web", map[string]string{ps: "false", l2: "true"})
		f = foresee(t, inv, granted)["Deployment.apps/web"]
		if len(f.Refused)+len(f.Overruled) > 0 {
			t.Errorf("%s: where all is granted it says %+v", mode, f)
		}
	}
}

// The mode is that of the policy, except of what is refused whatever that is.
func TestModes(t *testing.T) {
	for _, mode := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		inv := town()
		inv.SetPolicy(strict(func(p *policy.Policy) { p.Mode = mode }))
		enters(inv, pod("t", "p", eip, "203.0.113.7", kubeovn.Networks, "t/green@ovn"))
		got := foresee(t, inv)["Pod/p"].Refused
		says := func(check string, mode policy.Mode) bool {
			return slices.ContainsFunc(got, func(f inventory.Foresight) bool {
				return f.Mode == mode && strings.HasSuffix(f.Text, "("+check+")")
			})
		}
		if !says("OVGA18", mode) || !says("OVGA06", policy.Enforce) {
			t.Errorf("%s: it says %+v", mode, got)
		}
	}
}
