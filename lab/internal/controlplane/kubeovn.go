package controlplane

import (
	"cmp"
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// KubeOVN is the layout of Kube-OVN in the cluster. The zero value is the layout of its first chart.
type KubeOVN struct {
	// Namespace is the namespace that it runs in; empty means kube-system.
	Namespace string
	// Account is the controller's service account; empty means ovn.
	Account string
	// Router and NodeSwitch are the arguments --cluster-router and --node-switch; empty means the chart's values.
	Router, NodeSwitch string
	// NonPrimary is --non-primary-cni-mode.
	NonPrimary bool
	// Northbound is the value of OVN_NB_ADDR for the controller.
	Northbound string
	// V2 labels the workloads as the second chart does.
	V2 bool
}

// Completed fills empty fields with the values of the first chart.
func (k KubeOVN) Completed() KubeOVN {
	k.Namespace = cmp.Or(k.Namespace, metav1.NamespaceSystem)
	k.Account = cmp.Or(k.Account, "ovn")
	k.Router = cmp.Or(k.Router, "ovn-cluster")
	k.NodeSwitch = cmp.Or(k.NodeSwitch, "join")
	return k
}

// User returns the user of Kube-OVN's controller.
func (k KubeOVN) User() string {
	k = k.Completed()
	return "system:serviceaccount:" + k.Namespace + ":" + k.Account
}

// daemonAccount is the daemon's service account.
const daemonAccount = "kube-ovn-cni"

// Install makes the objects of Kube-OVN's charts in the cluster: its accounts with their rights, and the workloads of
// its controller and its daemon. The workloads have no pods, since the stand-in and the node agents do their work.
func (k KubeOVN) Install(ctx context.Context, client kubernetes.Interface) error {
	k = k.Completed()
	_, err := client.CoreV1().
		Namespaces().
		Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: k.Namespace}}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("make Kube-OVN's namespace: %w", err)
	}
	for _, account := range []string{k.Account, daemonAccount} {
		_, err := client.CoreV1().
			ServiceAccounts(k.Namespace).
			Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account}}, metav1.CreateOptions{})
		if err := unlessExists(err); err != nil {
			return fmt.Errorf("make Kube-OVN's accounts: %w", err)
		}
	}
	if err := bind(ctx, client, "ovnguard-lab:kube-ovn", "cluster-admin", rbacv1.UserKind, k.User()); err != nil {
		return err
	}
	_, err = client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "system:kube-ovn-cni"},
		Rules: []rbacv1.PolicyRule{
			{
				APIGroups: []string{""},
				Resources: []string{"pods", "nodes"},
				Verbs:     []string{"get", "list", "patch", "watch"},
			},
			{APIGroups: []string{"kubeovn.io"}, Resources: []string{"ips"}, Verbs: []string{"get", "update"}},
		},
	}, metav1.CreateOptions{})
	if err := unlessExists(err); err != nil {
		return fmt.Errorf("make the role of Kube-OVN's daemon: %w", err)
	}
	daemon := "system:serviceaccount:" + k.Namespace + ":" + daemonAccount
	if err := bind(ctx, client, "kube-ovn-cni", "system:kube-ovn-cni", rbacv1.UserKind, daemon); err != nil {
		return err
	}
	if _, err = client.AppsV1().
		Deployments(k.Namespace).
		Create(ctx, k.controller(), metav1.CreateOptions{}); unlessExists(
		err,
	) != nil {
		return fmt.Errorf("make Kube-OVN's Deployment: %w", err)
	}
	if _, err = client.AppsV1().
		DaemonSets(k.Namespace).
		Create(ctx, k.daemon(), metav1.CreateOptions{}); unlessExists(
		err,
	) != nil {
		return fmt.Errorf("make Kube-OVN's DaemonSet: %w", err)
	}
	return nil
}

// kubeOVNImage is the image in the charts.
const kubeOVNImage = "docker.io/kubeovn/kube-ovn:v1.16.2"

func (k KubeOVN) controller() *appsv1.Deployment {
	const name = "kube-ovn-controller"
	labels, none := k.labels(name), int32(0)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: k.Account, HostNetwork: true,
					Containers: []corev1.Container{{
						Name: name, Image: kubeOVNImage,
						Args: []string{
							"/kube-ovn/start-controller.sh",
							"--default-ls=ovn-default",
							"--cluster-router=" + k.Router,
							"--node-switch=" + k.NodeSwitch,
							"--keep-vm-ip=true",
							fmt.Sprintf("--non-primary-cni-mode=%v", k.NonPrimary),
						},
						Env: []corev1.EnvVar{
							{Name: "ENABLE_SSL", Value: "false"},
							{Name: "OVN_NB_ADDR", Value: k.Northbound},
							{
								Name: "POD_IP",
								ValueFrom: &corev1.EnvVarSource{
									FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"},
								},
							},
						},
					}},
				},
			},
		},
	}
}

func (k KubeOVN) daemon() *appsv1.DaemonSet {
	labels := k.labels(daemonAccount)
	return &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: daemonAccount},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{
					ServiceAccountName: daemonAccount, HostNetwork: true,
					NodeSelector: map[string]string{"ovnguard-lab": "no-node-has-this"},
					Containers: []corev1.Container{
						{
							Name:    "cni-server",
							Image:   kubeOVNImage,
							Command: []string{"bash", "/kube-ovn/start-cniserver.sh"},
							Args: []string{
								"--node-switch=" + k.NodeSwitch,
								fmt.Sprintf("--non-primary-cni-mode=%v", k.NonPrimary),
							},
						},
					},
				},
			},
		},
	}
}

// labels returns the labels that the workload of a name uses to select its pods.
func (k KubeOVN) labels(name string) map[string]string {
	if k.V2 {
		return map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "kube-ovn"}
	}
	return map[string]string{"app": name}
}
