package layout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// chart returns the two workloads as Kube-OVN's charts make them, in a namespace.
func chart(namespace string, env []Variable, flags ...string) []Workload {
	return []Workload{
		{
			Role: Controller, Kind: "Deployment", Namespace: namespace, Name: "kube-ovn-controller", Account: "ovn",
			Command: append([]string{"/kube-ovn/start-controller.sh", "--default-ls=ovn-default"}, flags...), Env: env,
			Image: "docker.io/kubeovn/kube-ovn:v1.16.2", TLSSecret: "kube-ovn-tls",
		},
		{
			Role: Daemon, Kind: "DaemonSet", Namespace: namespace, Name: "kube-ovn-cni", Account: "kube-ovn-cni",
			Command: append([]string{"bash", "/kube-ovn/start-cniserver.sh", "--enable-mirror=false"}, flags...),
			Image:   "docker.io/kubeovn/kube-ovn:v1.16.2",
		},
	}
}

// env makes an environment of pairs.
func env(pairs ...string) []Variable {
	var out []Variable
	for pair := range slices.Chunk(pairs, 2) {
		out = append(out, Variable{Name: pair[0], Value: pair[1]})
	}
	return out
}

// all grants the users of workloads every right.
func all(workloads []Workload) map[string]Rights {
	rights := make(map[string]Rights)
	for _, w := range workloads {
		rights[w.User()] = Rights{}
	}
	return rights
}

// seen returns evidence of workloads with users that have every right.
func seen(workloads []Workload) Evidence {
	return Evidence{Workloads: workloads, Rights: all(workloads)}
}

// short describes the detected layout, with the source of each value.
func short(l Layout) string {
	var b strings.Builder
	line := func(name string, is any, from string) { fmt.Fprintf(&b, "%s %v (%s)\n", name, is, from) }
	line("namespace", l.Namespace.Is, l.Namespace.From)
	line(
		"accounts",
		strings.ReplaceAll(strings.Join(l.Accounts.Is, " "), "system:serviceaccount:", ""),
		l.Accounts.From,
	)
	line("router", l.Router.Is, l.Router.From)
	line("switch", l.NodeSwitch.Is, l.NodeSwitch.From)
	line("keep", l.KeepVMIP.Is, l.KeepVMIP.From)
	line("second", l.NonPrimary.Is, l.NonPrimary.From)
	line("nb", l.Northbound.Is, l.Northbound.From)
	line("tls", l.TLSSecret.Is, l.TLSSecret.From)
	for _, p := range l.Problems() {
		b.WriteString("problem " + p + "\n")
	}
	for _, i := range l.Ignored {
		b.WriteString("ignored " + i + "\n")
	}
	return b.String()
}

// Kube-OVN's layouts are detected without a flag of this program's.
func TestLayouts(t *testing.T) {
	usual := []string{
		"--cluster-router=ovn-cluster",
		"--node-switch=join",
		"--keep-vm-ip=true",
		"--non-primary-cni-mode=false",
	}
	masters := env("ENABLE_SSL", "false", "OVN_DB_IPS", "10.0.0.1,10.0.0.2", "KUBE_OVN_NB_PORT", "6641")
	for name, tt := range map[string]struct {
		workloads []Workload
		want      string
	}{
		"chart v1": {chart("kube-system", masters, usual...), `
namespace kube-system (controller)
accounts kube-system:kube-ovn-cni kube-system:ovn (daemon and controller)
router ovn-cluster (argument --cluster-router of controller)
switch join (argument --node-switch of controller)
keep true (argument --keep-vm-ip of controller)
second false (argument --non-primary-cni-mode of controller)
nb tcp:10.0.0.1:6641,tcp:10.0.0.2:6641 (variable OVN_DB_IPS of controller)
tls  ()
`},
		"chart v2 in another namespace": {chart("networking", env("ENABLE_SSL", "false", "OVN_DB_IPS", "fd00::1, fd00::2"), usual...), `
namespace networking (controller)
accounts networking:kube-ovn-cni networking:ovn (daemon and controller)
router ovn-cluster (argument --cluster-router of controller)
switch join (argument --node-switch of controller)
keep true (argument --keep-vm-ip of controller)
second false (argument --non-primary-cni-mode of controller)
nb tcp:[fd00::1]:6641,tcp:[fd00::2]:6641 (variable OVN_DB_IPS of controller)
tls  ()
`},
		"Cozystack": {chart("cozy-kubeovn", env("ENABLE_SSL", "true", "OVN_DB_IPS", "192.168.100.11"), usual...), `
namespace cozy-kubeovn (controller)
accounts cozy-kubeovn:kube-ovn-cni cozy-kubeovn:ovn (daemon and controller)
router ovn-cluster (argument --cluster-router of controller)
switch join (argument --node-switch of controller)
keep true (argument --keep-vm-ip of controller)
second false (argument --non-primary-cni-mode of controller)
nb ssl:192.168.100.11:6641 (variable OVN_DB_IPS of controller)
tls cozy-kubeovn/kube-ovn-tls (a volume of controller)
`},
		"second CNI": {chart("kube-system", env("OVN_DB_IPS", ""), "--non-primary-cni-mode=true"), `
namespace kube-system (controller)
accounts kube-system:kube-ovn-cni kube-system:ovn (daemon and controller)
router ovn-cluster (Kube-OVN's default, as controller says nothing else)
switch join (Kube-OVN's default, as controller says nothing else)
keep true (Kube-OVN's default, as controller says nothing else)
second true (argument --non-primary-cni-mode of controller)
nb tcp:ovn-nb.kube-system.svc:6641 (Service ovn-nb, as neither OVN_NB_ADDR nor OVN_DB_IPS is set in the environment of controller)
tls  ()
`},
		"database behind a load balancer": {chart("kube-system",
			env("ENABLE_SSL", "true", "OVN_NB_ADDR", "ssl:ovn-nb.example.org:16641"), usual...), `
namespace kube-system (controller)
accounts kube-system:kube-ovn-cni kube-system:ovn (daemon and controller)
router ovn-cluster (argument --cluster-router of controller)
switch join (argument --node-switch of controller)
keep true (argument --keep-vm-ip of controller)
second false (argument --non-primary-cni-mode of controller)
nb ssl:ovn-nb.example.org:16641 (variable OVN_NB_ADDR of controller)
tls kube-system/kube-ovn-tls (a volume of controller)
`},
		"renamed router and subnet of the nodes": {chart("kube-system", masters,
			"--cluster-router=core", "--node-switch", "nodes", "--keep-vm-ip=false"), `
namespace kube-system (controller)
accounts kube-system:kube-ovn-cni kube-system:ovn (daemon and controller)
router core (argument --cluster-router of controller)
switch nodes (argument --node-switch of controller)
keep false (argument --keep-vm-ip of controller)
second false (Kube-OVN's default, as controller says nothing else)
nb tcp:10.0.0.1:6641,tcp:10.0.0.2:6641 (variable OVN_DB_IPS of controller)
tls  ()
`},
	} {
		t.Run(name, func(t *testing.T) {
			l := Detect(seen(tt.workloads))
			names := strings.NewReplacer(tt.workloads[0].String(), "controller", tt.workloads[1].String(), "daemon")
			if got := "\n" + names.Replace(short(l)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if !l.Clear() {
				t.Error("it is unclear")
			}
		})
	}
}

// user returns the user name of a service account.
func user(account string) string { return "system:serviceaccount:" + account }

// Where the writers of Kube-OVN's keys are not known, the layout says so, and what would help; and no workload is
// believed for its looks.
func TestWriters(t *testing.T) {
	kubeOVN := chart("kube-system", nil)
	moved := chart("cozy-kubeovn", nil)
	// This is a tenant's workload with the command of Kube-OVN's controller.
	forged := Workload{
		Role:      Controller,
		Kind:      "Deployment",
		Namespace: "tenant",
		Name:      "kube-ovn-controller",
		Account:   "ovn",
		Command:   []string{"/kube-ovn/start-controller.sh"},
	}
	old := slices.Clone(kubeOVN)
	for i := range old {
		old[i].Account = "ovn"
	}
	byFile := slices.Clone(kubeOVN)
	byFile[0].Command = append(slices.Clone(byFile[0].Command), "--kubeconfig=/etc/kube-ovn.conf")
	noRight := map[string]Rights{
		user("kube-system:ovn"):          {Lacks: []string{"patch pods"}},
		user("kube-system:kube-ovn-cni"): {},
	}
	both := []string{user("kube-system:ovn"), user("kube-system:kube-ovn-cni")}
	for name, tt := range map[string]struct {
		evidence Evidence
		accounts string
		// unclear are words of the problems; none where the writers are known.
		unclear []string
		ignored string
	}{
		"one account for both, as to 1.11": {evidence: seen(old), accounts: "kube-system:ovn"},
		"no workload": {
			evidence: Evidence{},
			unclear: []string{
				"kube-ovn-controller writes: no Deployment", "kube-ovn-cni writes: no Deployment",
				"set --kube-ovn-accounts",
			},
		},
		"no right to look": {
			evidence: Evidence{Unread: "deployments are forbidden"}, unclear: []string{"deployments are forbidden"},
		},
		"no daemon": {
			evidence: seen(kubeOVN[:1]), accounts: "kube-system:ovn",
			unclear: []string{"as which user kube-ovn-cni writes"},
		},
		"may not patch pods": {
			evidence: Evidence{Workloads: kubeOVN, Rights: noRight}, accounts: "kube-system:kube-ovn-cni",
			unclear: []string{"Deployment kube-system/kube-ovn-controller runs as " +
				"system:serviceaccount:kube-system:ovn, which may not patch pods"}, ignored: "may not patch pods",
		},
		"rights cannot be asked": {
			evidence: Evidence{
				Workloads: kubeOVN,
				Rights: map[string]Rights{
					user("kube-system:ovn"): {Unknown: "timeout"}, user("kube-system:kube-ovn-cni"): {},
				},
			},
			accounts: "kube-system:kube-ovn-cni", unclear: []string{"could not be asked: timeout"}, ignored: "timeout",
		},
		"another user by a kubeconfig": {
			evidence: Evidence{Workloads: byFile, Rights: all(byFile)}, accounts: "kube-system:kube-ovn-cni",
			unclear: []string{"argument --kubeconfig"}, ignored: "--kubeconfig",
		},
		"a tenant's besides it": {
			evidence: Evidence{Workloads: append(slices.Clone(kubeOVN), forged), Rights: map[string]Rights{
				user("kube-system:ovn"): {}, user("kube-system:kube-ovn-cni"): {},
				user("tenant:ovn"): {Lacks: []string{"patch pods"}},
			}},
			accounts: "kube-system:kube-ovn-cni kube-system:ovn", ignored: "Deployment tenant/kube-ovn-controller " +
				"runs as system:serviceaccount:tenant:ovn, which may not patch pods",
		},
		"a tenant's alone": {
			evidence: Evidence{
				Workloads: []Workload{forged},
				Rights: map[string]Rights{user("tenant:ovn"): {Lacks: []string{"patch pods", "update " +
					"ips.kubeovn.io"}}},
			},
			unclear: []string{"may not patch pods and may not update ips.kubeovn.io", "kube-ovn-cni writes"},
			ignored: "tenant/kube-ovn-controller",
		},
		"nobody has asked": {
			evidence: Evidence{Workloads: kubeOVN}, unclear: []string{"too many workloads look like"},
			ignored: "too many",
		},
		"flag": {
			evidence: Evidence{Wanted: Wanted{Accounts: both}}, accounts: "kube-system:kube-ovn-cni kube-system:ovn",
		},
		"flag and workload": {
			evidence: Evidence{Wanted: Wanted{Accounts: both}, Workloads: kubeOVN, Rights: all(kubeOVN)},
			accounts: "kube-system:kube-ovn-cni kube-system:ovn",
		},
		"flag that leaves out who runs": {
			evidence: Evidence{Wanted: Wanted{Accounts: both}, Workloads: moved, Rights: all(moved)},
			accounts: "kube-system:kube-ovn-cni kube-system:ovn",
			unclear: []string{
				"Deployment cozy-kubeovn/kube-ovn-controller runs as system:serviceaccount:cozy-kubeovn:ovn, which " +
					"is none of --kube-ovn-accounts, and would be refused",
			},
		},
		"flag that may leave out who runs": {
			evidence: Evidence{
				Wanted: Wanted{Accounts: both}, Workloads: moved[:1],
				Rights: map[string]Rights{user("cozy-kubeovn:ovn"): {Unknown: "timeout"}},
			},
			accounts: "kube-system:kube-ovn-cni kube-system:ovn", unclear: []string{"timeout", "would be refused"},
			ignored: "timeout",
		},
		"flag, and a tenant's": {
			evidence: Evidence{
				Wanted: Wanted{Accounts: both}, Workloads: []Workload{forged},
				Rights: map[string]Rights{user("tenant:ovn"): {Lacks: []string{"patch pods"}}},
			},
			accounts: "kube-system:kube-ovn-cni kube-system:ovn", ignored: "tenant/kube-ovn-controller",
		},
		"away for a while": {
			evidence: Evidence{Noted: &Noted{Accounts: both}}, accounts: "kube-system:kube-ovn-cni kube-system:ovn",
		},
		"moved since": {
			evidence: Evidence{Noted: &Noted{Accounts: both}, Workloads: moved, Rights: all(moved)},
			accounts: "cozy-kubeovn:kube-ovn-cni cozy-kubeovn:ovn",
		},
		"half of it away": {
			evidence: Evidence{Noted: &Noted{Accounts: both}, Workloads: moved[:1], Rights: all(moved)},
			accounts: "cozy-kubeovn:ovn kube-system:kube-ovn-cni kube-system:ovn",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := Detect(tt.evidence)
			if got := strings.ReplaceAll(
				strings.Join(l.Accounts.Is, " "),
				"system:serviceaccount:",
				"",
			); got != tt.accounts {
				t.Errorf("accounts are %q, want %q", got, tt.accounts)
			}
			var said strings.Builder
			for _, p := range l.Unclear {
				fmt.Fprintln(&said, p)
			}
			if l.Clear() != (len(tt.unclear) == 0) {
				t.Errorf("clear is %v, want it unclear for %q; said is:\n%s", l.Clear(), tt.unclear, &said)
			}
			for _, want := range tt.unclear {
				if !strings.Contains(said.String(), want) {
					t.Errorf("said is\n%swant %q in it", &said, want)
				}
			}
			if ignored := strings.Join(
				l.Ignored,
				"\n",
			); !strings.Contains(ignored, tt.ignored) ||
				tt.ignored == "" && ignored != "" {
				t.Errorf("ignored is %q, want %q", ignored, tt.ignored)
			}
		})
	}
}

// The database is where Kube-OVN's own script would look for it.
func TestNorthbound(t *testing.T) {
	elsewhere := func(name string) []Variable { return []Variable{{Name: name, Elsewhere: true}} }
	for name, tt := range map[string]struct {
		env    []Variable
		flags  []string
		wanted string
		from   string
		noted  string
		want   string
		// said is a word of the reason why it is not known.
		said string
	}{
		"one address": {env: env("OVN_DB_IPS", "10.0.0.1"), want: "tcp:10.0.0.1:6641"},
		"another port": {
			env: env("OVN_DB_IPS", "10.0.0.1", "KUBE_OVN_NB_PORT", "30641"), want: "tcp:10.0.0.1:30641",
		},
		"any word but false is TLS": {
			env: env("OVN_DB_IPS", "10.0.0.1", "ENABLE_SSL", "yes"), want: "ssl:10.0.0.1:6641",
		},
		"no word is none": {env: env("OVN_DB_IPS", "10.0.0.1", "ENABLE_SSL", ""), want: "tcp:10.0.0.1:6641"},
		"names of a StatefulSet": {
			env:  env("OVN_DB_IPS", "ovn-central-0.ovn-central.ns.svc,ovn-central-1.ovn-central.ns.svc"),
			want: "tcp:ovn-central-0.ovn-central.ns.svc:6641,tcp:ovn-central-1.ovn-central.ns.svc:6641",
		},
		"address before addresses": {
			env: env("OVN_DB_IPS", "10.0.0.1", "OVN_NB_ADDR", "tcp:[fd00::1]:6641"), want: "tcp:[fd00::1]:6641",
		},
		"argument before both": {
			env: env("OVN_NB_ADDR", "tcp:a:6641"), flags: []string{"--ovn-nb-addr=tcp:b:6641"}, want: "tcp:b:6641",
		},
		"argument with a variable": {
			env: env("AT", "tcp:c:6641"), flags: []string{"--ovn-nb-addr=$(AT)"}, want: "tcp:c:6641",
		},
		"variable kept elsewhere": {
			env: elsewhere("AT"), flags: []string{"--ovn-nb-addr=$(AT)"}, said: "--ovn-nb-addr",
		},
		"kept in a ConfigMap": {env: elsewhere("OVN_DB_IPS"), said: "variable OVN_DB_IPS is kept elsewhere"},
		"TLS kept in a ConfigMap": {
			env: append(env("OVN_DB_IPS", "10.0.0.1"), elsewhere("ENABLE_SSL")...), said: "ENABLE_SSL",
		},
		"our environment": {
			env: env("OVN_DB_IPS", "10.0.0.1"), wanted: "unix:/nb.sock", from: "$OVN_NB_DB", want: "unix:/nb.sock",
		},
		"our flag": {
			env: env("OVN_DB_IPS", "10.0.0.1"), wanted: "unix:/nb.sock", want: "unix:/nb.sock",
		},
		"what was noted": {
			env: elsewhere("OVN_DB_IPS"), noted: "tcp:10.0.0.9:6641", want: "tcp:10.0.0.9:6641",
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := seen(chart("kube-system", tt.env, tt.flags...))
			e.Wanted.Northbound, e.Wanted.NorthboundFrom = tt.wanted, tt.from
			if tt.noted != "" {
				e.Noted = &Noted{Northbound: tt.noted}
			}
			l := Detect(e)
			if l.Northbound.Is != tt.want || (l.Northbound.From == "") != (tt.want == "") {
				t.Errorf("the database is at %+v, want %q", l.Northbound, tt.want)
			}
			if tt.from != "" && l.Northbound.From != tt.from {
				t.Errorf("the database is from %q, want %q", l.Northbound.From, tt.from)
			}
			if said := strings.Join(
				l.Problems(),
				"\n",
			); (said == "") != (tt.said == "") || !strings.Contains(said, tt.said) ||
				tt.said != "" && !strings.HasSuffix(said, "set --nb") {
				t.Errorf("said is %q, want %q", said, tt.said)
			}
			if !l.Clear() {
				t.Errorf("who writes is unclear: %v", l.Unclear)
			}
		})
	}
	if said := Detect(
		Evidence{},
	).Problems(); !slices.ContainsFunc(
		said,
		func(s string) bool { return strings.HasSuffix(s, "set --nb") },
	) {
		t.Errorf("without a workload, %q is said, and nothing of --nb", said)
	}
}

// Our own flags come before everything else.
func TestFlagsCountFirst(t *testing.T) {
	e := seen(
		chart(
			"kube-system",
			nil,
			"--cluster-router=core",
			"--node-switch=nodes",
			"--keep-vm-ip=true",
			"--non-primary-cni-mode=true",
		),
	)
	e.Wanted = Wanted{Router: "mine", NodeSwitch: "ours", KeepVMIP: new(false), NonPrimary: new(false)}
	l := Detect(e)
	got := []any{l.Router, l.NodeSwitch, l.KeepVMIP, l.NonPrimary}
	want := []any{
		Value[string]{"mine", "--cluster-router"},
		Value[string]{"ours", "--node-switch"},
		Value[bool]{false, "--keep-vm-ip"},
		Value[bool]{false, "--non-primary-cni-mode"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// To 1.11, machines did not keep their ports unless Kube-OVN was told so.
func TestKeepVMIPByRelease(t *testing.T) {
	for image, want := range map[string]bool{
		"kubeovn/kube-ovn:v1.10.7": false, "kubeovn/kube-ovn:v1.11.10": false, "registry:5000/kube-ovn:v1.12.0": true,
		"ghcr.io/cozystack/cozystack/kubeovn:v1.15.10@sha256:741299cb": true, "registry:5000/kube-ovn": true,
		"kube-ovn:latest": true, "": true,
	} {
		w := chart("kube-system", nil)
		w[0].Image = image
		if got := Detect(seen(w)).KeepVMIP.Is; got != want {
			t.Errorf("%q keeps: %v, want %v", image, got, want)
		}
	}
}

// The last value of a flag counts, and a flag with a longer name does not.
func TestFlag(t *testing.T) {
	for name, tt := range map[string]struct {
		words []string
		value string
		given bool
	}{
		"none":           {[]string{"--node-switch-cidr=100.64.0.0/16", "--node-switches", "x"}, "", false},
		"equals":         {[]string{"--node-switch=a"}, "a", true},
		"next word":      {[]string{"--node-switch", "a"}, "a", true},
		"alone":          {[]string{"--node-switch", "--other"}, "", true},
		"last":           {[]string{"--node-switch=a", "--node-switch=b"}, "b", true},
		"nothing is set": {[]string{"--node-switch=$(NONE)"}, "$(NONE)", true},
	} {
		if value, given, known := (Workload{Command: tt.words}).flag(
			"node-switch",
		); value != tt.value || given != tt.given ||
			!known {
			t.Errorf("%s: got %q, %v, %v; want %q, %v", name, value, given, known, tt.value, tt.given)
		}
	}
}

// A program is recognised by its command, not by names.
func TestRoleOf(t *testing.T) {
	for command, want := range map[string]Role{
		"/kube-ovn/start-controller.sh --default-ls=ovn-default": Controller,
		"bash /kube-ovn/start-cniserver.sh":                      Daemon,
		"./kube-ovn-controller":                                  Controller, "/kube-ovn/kube-ovn-daemon " +
			"--node-switch=join": Daemon,
		"/kube-ovn/start-ic-controller.sh": "", "sleep": "", "/kube-ovn/start-webhook.sh": "", "app " +
			"--image=/kube-ovn-controller": "",
	} {
		role, ok := RoleOf(strings.Fields(command))
		if role != want || ok != (want != "") {
			t.Errorf("%q is %q, %v; want %q", command, role, ok, want)
		}
	}
	if role, _ := RoleOf([]string{"sh", "-c", "exec /kube-ovn/start-controller.sh --a"}); role != Controller {
		t.Errorf("within a shell's words it is %q", role)
	}
}

// The rights of users are checked in the order in which workloads were made, and for a bounded number.
func TestUsers(t *testing.T) {
	w := append(chart("kube-system", nil), chart("kube-system", nil)...)
	for i := range 100 {
		w = append(w, Workload{Namespace: "tenant", Account: strconv.Itoa(i)})
	}
	got := Users(w, 3)
	if want := []string{
		user("kube-system:ovn"),
		user("kube-system:kube-ovn-cni"),
		user("tenant:0"),
	}; !slices.Equal(
		got,
		want,
	) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Workload{Namespace: "n"}).User(); got != user("n:default") {
		t.Errorf("without an account it is %q", got)
	}
}
