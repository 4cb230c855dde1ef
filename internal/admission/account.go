package admission

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Accounts are the users that own certain keys. They are named one by one: with a label, or a group that others can
// join, users could exempt themselves.
type Accounts struct {
	// KubeOVN writes what Kube-OVN notes about ports.
	KubeOVN []string
	// KubeVirt makes launcher pods and the machines behind them.
	KubeVirt []string
	// WithoutKubeVirt means that the cluster does not serve KubeVirt's API. Then nobody owns its accounts, and a user
	// who creates a namespace of that name would own them: they have no rights of KubeVirt until its API is served.
	WithoutKubeVirt bool
	// Self are the accounts of this program.
	Self []string
}

// DefaultAccounts returns the accounts of Kube-OVN and KubeVirt as their manifests name them.
func DefaultAccounts() Accounts {
	return Accounts{
		KubeOVN: []string{kubeovn.ControllerAccount, "system:serviceaccount:kube-system:kube-ovn-cni"},
		KubeVirt: []string{
			"system:serviceaccount:kubevirt:kubevirt-controller", "system:serviceaccount:kubevirt:kubevirt-handler",
			"system:serviceaccount:kubevirt:kubevirt-apiserver", "system:serviceaccount:kubevirt:kubevirt-operator",
		},
	}
}

// Namespaces returns those that have exempt accounts, in order.
func (a Accounts) Namespaces() []string {
	var names []string
	for _, user := range slices.Concat(a.KubeOVN, a.KubeVirt, a.Self) {
		if rest, ok := strings.CutPrefix(user, serviceAccount); ok {
			name, _, _ := strings.Cut(rest, ":")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (a Accounts) isKubeOVN(user string) bool {
	return slices.Contains(a.KubeOVN, user) || slices.Contains(a.Self, user)
}
func (a Accounts) isKubeVirt(user string) bool { return slices.Contains(a.Machines(), user) }

// Machines returns the accounts that may act as KubeVirt now.
func (a Accounts) Machines() []string {
	if a.WithoutKubeVirt {
		return nil
	}
	return a.KubeVirt
}

// In returns the exempt accounts that are service accounts of the namespace, in order. An owner of the namespace can
// act as them. Those of KubeVirt are among them also where its API is not served: it may be later.
func (a Accounts) In(namespace string) []string {
	var in []string
	for _, user := range slices.Concat(a.KubeOVN, a.KubeVirt, a.Self) {
		if strings.HasPrefix(user, serviceAccount+namespace+":") {
			in = append(in, user)
		}
	}
	slices.Sort(in)
	return slices.Compact(in)
}

// home reports whether an account of Kube-OVN is of the namespace. A user who makes pods there can act as Kube-OVN, so
// keeping those pods from a subnet gains nothing; Kube-OVN's own gateways need subnets of others.
func (a Accounts) home(namespace string) bool {
	return slices.ContainsFunc(
		a.KubeOVN,
		func(user string) bool { return strings.HasPrefix(user, serviceAccount+namespace+":") },
	)
}

// serviceAccount is what the user name of a service account begins with; its namespace and name follow.
const serviceAccount = "system:serviceaccount:"

// controllers are the accounts that kube-controller-manager uses to make pods, by the owner's group and kind. It uses
// one account for each controller (--use-service-account-credentials, as every usual installation does) or else its
// own.
var controllers = map[string]string{
	"apps/ReplicaSet":        "replicaset-controller",
	"apps/StatefulSet":       "statefulset-controller",
	"apps/DaemonSet":         "daemon-set-controller",
	"batch/Job":              "job-controller",
	"/ReplicationController": "replication-controller",
}

// controllerOf returns the account that makes the pods of an owner of that kind; known is false for kinds that are not
// Kubernetes' own.
func controllerOf(o policy.Owner) (account string, known bool) {
	group, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group = ""
	}
	account, known = controllers[group+"/"+o.Kind]
	return account, known
}

// throughOthers are the kinds of workloads whose pods are made from another workload in between, with that one.
var throughOthers = map[string]string{"apps/Deployment": "apps/ReplicaSet", "batch/CronJob": "batch/Job"}

// MakerOf returns the account that makes the pods behind a workload of that kind, directly or through another workload;
// "" for kinds that neither Kubernetes nor KubeVirt make pods from.
func (a Accounts) MakerOf(group, kind string) string {
	if group == kubeovn.MachineGroup {
		if machines := a.Machines(); len(machines) > 0 {
			return machines[0]
		}
		return ""
	}
	name := group + "/" + kind
	if account, known := controllers[cmp.Or(throughOthers[name], name)]; known {
		return serviceAccount + "kube-system:" + account
	}
	return ""
}

// Controllers returns the accounts that make the pods of Kubernetes' own workloads.
func Controllers() []string {
	var users []string
	for _, m := range Makers() {
		users = append(users, m.Users...)
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// Maker says which users make the pods of workloads of one kind.
type Maker struct {
	Group, Kind string
	Users       []string
}

// Makers returns the makers of the pods of all kinds that are Kubernetes' own, in order.
func Makers() []Maker {
	out := make([]Maker, 0, len(controllers))
	for _, groupKind := range slices.Sorted(maps.Keys(controllers)) {
		group, kind, _ := strings.Cut(groupKind, "/")
		out = append(
			out,
			Maker{group, kind, []string{serviceAccount + "kube-system:" + controllers[groupKind], controllerManager}},
		)
	}
	return out
}

// ControllerKinds returns the kinds of owners for which only these accounts make pods.
func ControllerKinds() []string {
	var kinds []string
	for _, m := range Makers() {
		kinds = append(kinds, m.Kind)
	}
	slices.Sort(kinds)
	return kinds
}

// controllerManager is the account of kube-controller-manager where its controllers have none of their own.
const controllerManager = "system:kube-controller-manager"

// made reports whether the user is the account that makes the pods of an owner of that kind: other users can write any
// owner into a pod.
func (a Accounts) made(o policy.Owner, user string) bool {
	if strings.HasPrefix(o.APIVersion, kubeovn.MachineGroup+"/") {
		return a.isKubeVirt(user)
	}
	account, known := controllerOf(o)
	return known && (user == serviceAccount+"kube-system:"+account || user == controllerManager)
}
