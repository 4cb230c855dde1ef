package admission

import (
	"maps"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Accounts are the users that own certain keys. They are named one by one: a label, or a group that others can get into, would
// exempt whoever makes objects.
type Accounts struct {
	// KubeOVN writes what Kube-OVN notes about ports.
	KubeOVN []string
	// KubeVirt makes launcher pods and the machines behind them.
	KubeVirt []string
	// Self are the accounts of this program.
	Self []string
}

// DefaultAccounts gives the accounts of Kube-OVN and KubeVirt as their manifests name them.
func DefaultAccounts() Accounts {
	return Accounts{
		KubeOVN: []string{kubeovn.ControllerAccount, "system:serviceaccount:kube-system:kube-ovn-cni"},
		KubeVirt: []string{
			"system:serviceaccount:kubevirt:kubevirt-controller", "system:serviceaccount:kubevirt:kubevirt-handler",
			"system:serviceaccount:kubevirt:kubevirt-apiserver", "system:serviceaccount:kubevirt:kubevirt-operator",
		},
	}
}

func (a Accounts) isKubeOVN(user string) bool {
	return slices.Contains(a.KubeOVN, user) || slices.Contains(a.Self, user)
}
func (a Accounts) isKubeVirt(user string) bool { return slices.Contains(a.KubeVirt, user) }

// home tells that an account of Kube-OVN is of the namespace. Whoever makes pods there can become Kube-OVN, so that nothing is
// gained by keeping them from a subnet; Kube-OVN's own gateways need subnets of others.
func (a Accounts) home(namespace string) bool {
	return slices.ContainsFunc(a.KubeOVN, func(user string) bool { return strings.HasPrefix(user, serviceAccount+namespace+":") })
}

// serviceAccount is what the user name of a service account begins with; its namespace and name follow.
const serviceAccount = "system:serviceaccount:"

// controllers are the accounts by which kube-controller-manager makes pods, by the owner's group and kind. It uses one account
// for each controller (--use-service-account-credentials, as every usual installation does) or else its own.
var controllers = map[string]string{
	"apps/ReplicaSet": "replicaset-controller", "apps/StatefulSet": "statefulset-controller", "apps/DaemonSet": "daemon-set-controller",
	"batch/Job": "job-controller", "/ReplicationController": "replication-controller",
}

// controllerOf gives the account by which an owner of that kind makes pods; known is false for kinds that are not Kubernetes' own.
func controllerOf(o policy.Owner) (account string, known bool) {
	group, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group = ""
	}
	account, known = controllers[group+"/"+o.Kind]
	return account, known
}

// Controllers gives the accounts by which Kubernetes itself makes the pods of workloads.
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

// Makers gives the makers of the pods of all kinds that are Kubernetes' own, in order.
func Makers() []Maker {
	out := make([]Maker, 0, len(controllers))
	for _, groupKind := range slices.Sorted(maps.Keys(controllers)) {
		group, kind, _ := strings.Cut(groupKind, "/")
		out = append(out, Maker{group, kind, []string{serviceAccount + "kube-system:" + controllers[groupKind], controllerManager}})
	}
	return out
}

// ControllerKinds gives the kinds of the owners whose pods only those accounts make.
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

// made tells that the user is the one by whom an owner of that kind makes pods: others can write any owner into a pod.
func (a Accounts) made(o policy.Owner, user string) bool {
	if strings.HasPrefix(o.APIVersion, kubeovn.MachineGroup+"/") {
		return a.isKubeVirt(user)
	}
	account, known := controllerOf(o)
	return known && (user == serviceAccount+"kube-system:"+account || user == controllerManager)
}
