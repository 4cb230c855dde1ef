package layout

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Value is one value of a layout, and its source.
type Value[T any] struct {
	Is   T      `json:"is"`
	From string `json:"from"`
}

// Layout is how Kube-OVN is laid out.
type Layout struct {
	// Namespace is where Kube-OVN's controller runs.
	Namespace Value[string] `json:"namespace"`
	// Accounts are the users that write Kube-OVN's keys.
	Accounts Value[[]string] `json:"accounts"`
	// Controller is the account among them that Kube-OVN's controller uses; empty where no workload names it.
	Controller string `json:"controller,omitempty"`
	// Router is the default VPC, and NodeSwitch the subnet between nodes and pods.
	Router     Value[string] `json:"clusterRouter"`
	NodeSwitch Value[string] `json:"nodeSwitch"`
	// KeepVMIP means that a machine's port bears the machine's name and outlives its pods.
	KeepVMIP Value[bool] `json:"keepVMIP"`
	// NonPrimary means that another CNI makes the pods' default network.
	NonPrimary Value[bool] `json:"nonPrimaryCNIMode"`
	// Filtering is what Kube-OVN was told about policies of what pods may reach.
	Filtering Filtering `json:"-"`
	// Northbound is the address of the Northbound database; empty where it is not known.
	Northbound Value[string] `json:"northbound"`
	// TLSSecret is the Secret, namespace/name, with the certificates for it; empty where it is reached without TLS.
	TLSSecret Value[string] `json:"tlsSecret"`
	// Unclear says why the writers of Kube-OVN's keys are not known. While it has entries, nothing may refuse.
	Unclear []Problem `json:"unclear,omitempty"`
	// Missing says which other values are not known.
	Missing []Problem `json:"missing,omitempty"`
	// Ignored are workloads that claim to be Kube-OVN's and are not believed, and why.
	Ignored []string `json:"ignored,omitempty"`
	// Runs are the users of all workloads that run Kube-OVN's programs and may write its keys, whether or not they are in
	// Accounts.
	Runs []string `json:"-"`
}

// Problem is a value that is not known, and the flag that would set it; without a flag, the text says what helps.
type Problem struct {
	Flag string `json:"flag,omitempty"`
	Text string `json:"text"`
}

// String returns what is not known and what to do.
func (p Problem) String() string {
	if p.Flag == "" {
		return p.Text
	}
	return p.Text + "; set --" + p.Flag
}

// Names of this program's flags about the layout of Kube-OVN.
const (
	FlagAccounts   = "kube-ovn-accounts"
	FlagRouter     = "cluster-router"
	FlagNodeSwitch = "node-switch"
	FlagKeepVMIP   = "keep-vm-ip"
	FlagNonPrimary = "non-primary-cni-mode"
	FlagNorthbound = "nb"
)

// Clear reports whether the writers of Kube-OVN's keys are known.
func (l Layout) Clear() bool { return len(l.Unclear) == 0 }

// Problems returns everything that is not known, in words.
func (l Layout) Problems() []string {
	var out []string
	for _, p := range slices.Concat(l.Unclear, l.Missing) {
		out = append(out, p.String())
	}
	return out
}

// Noted returns the part of the layout that is kept, for times when no workload is there.
func (l Layout) Noted() Noted { return Noted{Accounts: l.Accounts.Is, Northbound: l.Northbound.Is} }

// Setup returns the settings of Kube-OVN in the layout.
func (l Layout) Setup() kubeovn.Setup {
	usual := kubeovn.DefaultSetup()
	return kubeovn.Setup{
		Namespace: cmp.Or(l.Namespace.Is, usual.Namespace), Account: cmp.Or(l.Controller, usual.Account),
		Router: l.Router.Is, NodeSwitch: l.NodeSwitch.Is, KeepVMIP: l.KeepVMIP.Is, NonPrimary: l.NonPrimary.Is,
	}
}

// Detect works the layout out. This program's flags come before the flags of workloads, and those before Kube-OVN's
// defaults.
func Detect(e Evidence) Layout {
	var l Layout
	believed := l.believe(e)
	l.writers(e, believed)
	controllers, daemons := believed[Controller], believed[Daemon]
	l.place(controllers)

	all := slices.Concat(controllers, daemons)
	l.Router = text(e.Wanted.Router, FlagRouter, all, kubeovn.DefaultVPC)
	l.NodeSwitch = text(e.Wanted.NodeSwitch, FlagNodeSwitch, all, kubeovn.JoinSubnet)
	// The daemon does not know this flag.
	l.KeepVMIP = toggle(e.Wanted.KeepVMIP, FlagKeepVMIP, controllers, keepsByDefault(controllers))
	l.NonPrimary = toggle(e.Wanted.NonPrimary, FlagNonPrimary, all, false)
	l.Filtering = filtering(controllers)
	l.reach(e, controllers)
	return l
}

// believe decides which workloads are Kube-OVN's: those with a user that our flag names, and those with a user that may
// write what Kube-OVN writes. Anyone who may make workloads can make one that looks like Kube-OVN's; with an account
// without these rights it counts for nothing.
func (l *Layout) believe(e Evidence) map[Role][]Workload {
	believed := make(map[Role][]Workload)
	for _, w := range e.Workloads {
		user := w.User()
		rights, asked := e.Rights[user]
		switch {
		case w.foreignUser():
		case slices.Contains(e.Wanted.Accounts, user), asked && rights.has():
			believed[w.Role] = append(believed[w.Role], w)
			if asked && rights.has() && !slices.Contains(l.Runs, user) {
				l.Runs = append(l.Runs, user)
			}
			continue
		}
		l.Ignored = append(l.Ignored, w.doubt(rights, asked))
	}
	slices.Sort(l.Runs)
	return believed
}

// foreignUser reports whether the workload uses another user than its service account at the API server.
func (w Workload) foreignUser() bool {
	value, given, known := w.flag("kubeconfig")
	return given && (value != "" || !known)
}

// doubt returns why the workload is not believed.
func (w Workload) doubt(rights Rights, asked bool) string {
	switch {
	case w.foreignUser():
		return w.String() + " is somebody by the kubeconfig of its argument --kubeconfig, and nobody can say who"
	case !asked:
		return w.as() + ", of whose rights nobody has asked: too many workloads look like Kube-OVN's"
	case rights.Unknown != "":
		return w.as() + ", of whose rights the API server could not be asked: " + rights.Unknown
	}
	return w.as() + ", which may not " + strings.Join(rights.Lacks, " and may not ")
}

// writers finds the accounts that write Kube-OVN's keys.
func (l *Layout) writers(e Evidence, believed map[Role][]Workload) {
	found := make(map[string][]string) // workloads by user
	var lacking []Role
	for _, role := range roles {
		for _, w := range believed[role] {
			found[w.User()] = append(found[w.User()], w.String())
		}
		if len(believed[role]) == 0 {
			lacking = append(lacking, role)
		}
	}
	if wanted := e.Wanted.Accounts; len(wanted) > 0 {
		l.Accounts = Value[[]string]{sorted(wanted), "--" + FlagAccounts}
		for _, user := range slices.Sorted(maps.Keys(found)) {
			if !slices.Contains(wanted, user) {
				l.unclear("%s runs as %s, which is none of --%s, and would be refused",
					strings.Join(found[user], " and "), user, FlagAccounts)
			}
		}
		for _, w := range e.Workloads {
			rights, asked := e.Rights[w.User()]
			if asked && rights.Unknown != "" && !slices.Contains(wanted, w.User()) {
				l.unclear("%s; if that is Kube-OVN's, it is none of --%s and would be refused",
					w.doubt(rights, asked), FlagAccounts)
			}
		}
		return
	}
	users := slices.Sorted(maps.Keys(found))
	from := fromWorkloads(found)
	if len(lacking) > 0 && e.Noted != nil && len(e.Noted.Accounts) > 0 {
		for _, user := range e.Noted.Accounts {
			if rights := e.Rights[user]; len(rights.Lacks) == 0 && !slices.Contains(users, user) {
				users = append(users, user)
			}
		}
		from = strings.TrimPrefix(from+", and what was found before", ", and ")
		lacking = nil
	}
	l.Accounts = Value[[]string]{sorted(users), from}
	for _, role := range lacking {
		l.unclear("%s", l.unknownWriter(e, role))
	}
}

// unknownWriter returns why the writer of a role is not known.
func (l *Layout) unknownWriter(e Evidence, role Role) string {
	var why []string
	if e.Unread != "" {
		why = append(why, e.Unread)
	}
	for _, w := range e.Workloads {
		if w.Role == role {
			rights, asked := e.Rights[w.User()]
			why = append(why, w.doubt(rights, asked))
		}
	}
	if len(why) == 0 {
		why = []string{"no Deployment, DaemonSet or pod runs it here"}
	}
	const most = 3
	if len(why) > most {
		why = append(why[:most:most], fmt.Sprintf("and %d more", len(why)-most))
	}
	return fmt.Sprintf("it is not known as which user %s writes: %s", role, strings.Join(why, "; "))
}

func (l *Layout) unclear(format string, args ...any) {
	l.Unclear = append(l.Unclear, Problem{FlagAccounts, fmt.Sprintf(format, args...)})
}

// place finds the namespace of Kube-OVN.
func (l *Layout) place(controllers []Workload) {
	if len(controllers) > 0 {
		l.Namespace = Value[string]{controllers[0].Namespace, controllers[0].String()}
		l.Controller = controllers[0].User()
		return
	}
	for _, user := range l.Accounts.Is {
		if rest, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
			namespace, _, _ := strings.Cut(rest, ":")
			l.Namespace = Value[string]{namespace, "account " + user + " of " + l.Accounts.From}
			return
		}
	}
}

// text returns the value of a flag of Kube-OVN's.
func text(wanted, name string, workloads []Workload, usual string) Value[string] {
	if wanted != "" {
		return Value[string]{wanted, "--" + name}
	}
	for _, w := range workloads {
		if value, given, known := w.flag(name); given && known && value != "" {
			return Value[string]{value, w.with("argument --" + name)}
		}
	}
	return Value[string]{usual, byDefault(workloads)}
}

// toggle returns the value of a flag of Kube-OVN's that is true or false.
func toggle(wanted *bool, name string, workloads []Workload, usual bool) Value[bool] {
	if wanted != nil {
		return Value[bool]{*wanted, "--" + name}
	}
	for _, w := range workloads {
		value, given, known := w.flag(name)
		if !given || !known {
			continue
		}
		if value == "" {
			value = "true" // a flag without a value
		}
		if is, err := strconv.ParseBool(value); err == nil {
			return Value[bool]{is, w.with("argument --" + name)}
		}
	}
	return Value[bool]{usual, byDefault(workloads)}
}

func byDefault(workloads []Workload) string {
	if len(workloads) == 0 {
		return "Kube-OVN's default, as no workload of Kube-OVN's says anything else"
	}
	return fmt.Sprintf("Kube-OVN's default, as %s says nothing else", workloads[0])
}

// keepsByDefault reports whether --keep-vm-ip is Kube-OVN's default: since 1.12 it is.
func keepsByDefault(controllers []Workload) bool {
	if len(controllers) == 0 {
		return true
	}
	image, _, _ := strings.Cut(controllers[0].Image, "@")
	tag := image[strings.LastIndexByte(image, ':')+1:]
	numbers := strings.Split(strings.TrimPrefix(tag, "v"), ".")
	if len(numbers) < 3 || numbers[0] != "1" {
		return true
	}
	minor, err := strconv.Atoi(numbers[1])
	return err != nil || minor >= 12
}

// The environment and the arguments that lead Kube-OVN's controller to the Northbound database (start-controller.sh).
const (
	argNorthbound   = "ovn-nb-addr"
	envNorthbound   = "OVN_NB_ADDR"
	envDatabaseIPs  = "OVN_DB_IPS"
	envPort         = "KUBE_OVN_NB_PORT"
	envTLS          = "ENABLE_SSL"
	northboundPort  = "6641"
	northboundNamed = "ovn-nb" // the Service
)

// reach finds the address of the Northbound database.
func (l *Layout) reach(e Evidence, controllers []Workload) {
	var why string
	if e.Wanted.Northbound != "" {
		l.Northbound = Value[string]{e.Wanted.Northbound, cmp.Or(e.Wanted.NorthboundFrom, "--"+FlagNorthbound)}
	} else {
		for _, w := range controllers {
			if l.Northbound, why = w.northbound(); l.Northbound.Is != "" {
				break
			}
		}
	}
	if l.Northbound.Is == "" && e.Noted != nil && e.Noted.Northbound != "" {
		l.Northbound = Value[string]{e.Noted.Northbound, "what was found before"}
	}
	if l.Northbound.Is == "" {
		if why == "" {
			why = "no workload of kube-ovn-controller is known that says it"
		}
		l.Missing = append(l.Missing,
			Problem{FlagNorthbound, "it is not known where the Northbound database is: " + why})
		return
	}
	if !strings.Contains(l.Northbound.Is, "ssl:") {
		return
	}
	for _, w := range controllers {
		if w.TLSSecret != "" {
			l.TLSSecret = Value[string]{w.Namespace + "/" + w.TLSSecret, w.with("a volume")}
			return
		}
	}
}

// northbound returns where the workload looks for the Northbound database, or why that is not known.
func (w Workload) northbound() (at Value[string], why string) {
	if value, given, known := w.flag(argNorthbound); given && (value != "" || !known) {
		if !known {
			return at, w.with("argument --" + argNorthbound + " has a value that is kept elsewhere, in the environment")
		}
		return Value[string]{value, w.with("argument --" + argNorthbound)}, ""
	}
	for _, name := range []string{envNorthbound, envDatabaseIPs, envPort, envTLS} {
		if _, _, known := w.variable(name); !known {
			return at, w.with("variable " + name + " is kept elsewhere, in the environment")
		}
	}
	if value, _, _ := w.variable(envNorthbound); value != "" {
		return Value[string]{value, w.with("variable " + envNorthbound)}, ""
	}
	kind := "ssl:"
	if secured, _, _ := w.variable(envTLS); secured == "" || secured == "false" { // the script knows no other word
		kind = "tcp:"
	}
	port, _, _ := w.variable(envPort)
	if port == "" {
		port = northboundPort
	}
	ips, _, _ := w.variable(envDatabaseIPs)
	if ips = strings.Join(strings.Fields(ips), ""); ips == "" {
		// The script reads the address of the Service from the variables that kubelets set.
		return Value[string]{
			kind + net.JoinHostPort(northboundNamed+"."+w.Namespace+".svc", northboundPort),
			w.with("Service " + northboundNamed +
				", as neither " + envNorthbound + " nor " + envDatabaseIPs + " is set in the environment"),
		}, ""
	}
	var endpoints []string
	for ip := range strings.SplitSeq(ips, ",") {
		if ip = strings.Trim(ip, "[]"); ip != "" {
			endpoints = append(endpoints, kind+net.JoinHostPort(ip, port))
		}
	}
	return Value[string]{strings.Join(endpoints, ","), w.with("variable " + envDatabaseIPs)}, ""
}

// fromWorkloads names each workload once.
func fromWorkloads(found map[string][]string) string {
	var all []string
	for _, workloads := range found {
		all = append(all, workloads...)
	}
	return strings.Join(sorted(all), " and ")
}

// sorted returns the entries in order, each once.
func sorted(list []string) []string {
	out := slices.Clone(list)
	slices.Sort(out)
	return slices.Compact(out)
}
