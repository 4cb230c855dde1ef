//go:build integration

package e2e

import (
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

const vipsPath = "/apis/kubeovn.io/v1/vips"

// vipRights allows writing Vips, which belong to the cluster, and nothing about pods.
var vipRights = rbacv1.PolicyRule{
	APIGroups: []string{"kubeovn.io"},
	Resources: []string{"vips", "vips/status"},
	Verbs:     []string{"get", "create", "update", "patch", "delete"},
}

// vipFor returns a Vip of a namespace; Kube-OVN chooses its address.
func vipFor(ns string) map[string]any {
	return map[string]any{
		"apiVersion": "kubeovn.io/v1",
		"kind":       "Vip",
		"metadata":   map[string]any{"name": unique("vip")},
		"spec":       map[string]any{"subnet": "ovn-default", "namespace": ns},
	}
}

// makeVip makes a Vip on the default subnet and returns its name and its address.
func makeVip(t *testing.T, ns string) (name, address string) {
	t.Helper()
	return makeVipOn(t, "ovn-default", ns)
}

// makeVipOn is makeVip on another subnet.
func makeVipOn(t *testing.T, subnet, ns string) (name, address string) {
	t.Helper()
	name = unique("vip")
	makeKubeOVNObject(t, "vips", "Vip", name, map[string]any{"subnet": subnet, "namespace": ns})
	eventually(t, "Vip "+name+" to have an address", func() (bool, error) {
		body, err := admin(t).do(t.Context(), http.MethodGet, vipsPath+"/"+name, nil)
		if err != nil {
			return false, err
		}
		address = fieldOf(t, body, "status", "v4ip")
		return address != "", nil
	})
	return name, address
}

// awaitMayShare waits until the person may make pods that share a Vip, because the program has read it.
func (p person) awaitMayShare(t *testing.T, ns, vip string) {
	t.Helper()
	eventually(t, "the program to know Vip "+vip, func() (bool, error) {
		_, err := p.dryRun(t.Context(), ns, map[string]string{kubeovn.AAPs: vip})
		return err == nil, nil
	})
}

// A Vip is for pods of the namespace that it names. Kube-OVN assigns its address, and its MAC, to every pod that names
// it.
func TestThreatT07VipOfAnotherNamespace(t *testing.T) {
	p, ns := tenant(t), namespace(t, nil)
	theirs, address := makeVip(t, ns)
	mine, _ := makeVip(t, tenantNamespace)
	vipKey := kubeovn.DefaultProvider.Key(kubeovn.VIP)
	pod := allocatedPod(t, p, nil)
	for key, value := range map[string]string{kubeovn.AAPs: theirs, vipKey: theirs, portVIPs: address} {
		wish{name: key, annotations: map[string]string{key: value}, refused: key}.try(t, p)
		mustRefuse(t, key+" later", p.patch(t.Context(), pod, map[string]any{key: value}), key)
	}
	unchanged(t, pod)
	p.awaitMayShare(t, tenantNamespace, mine)
	// Nobody can take it by changing its namespace either, nor make one for a namespace of others.
	_, author := granted(t, vipRights)
	_, err := author.do(
		t.Context(),
		http.MethodPatch,
		vipsPath+"/"+theirs,
		map[string]any{"spec": map[string]any{"namespace": tenantNamespace}},
	)
	mustRefuse(t, "a Vip given away", err, "spec.namespace")
	_, err = author.do(
		t.Context(),
		http.MethodPatch,
		vipsPath+"/"+theirs+"/status",
		map[string]any{"status": map[string]any{"v4ip": "10.16.0.1"}},
	)
	mustRefuse(t, "a Vip's address", err, "status")
	_, err = author.do(t.Context(), http.MethodPost, vipsPath, vipFor(ns))
	mustRefuse(t, "a Vip for others", err, "may not create pods in namespace "+ns)
	body, err := admin(t).do(t.Context(), http.MethodGet, vipsPath+"/"+theirs, nil)
	if err != nil || fieldOf(t, body, "spec", "namespace") != ns || fieldOf(t, body, "status", "v4ip") != address {
		t.Errorf("the Vip is now %s, %v", body, err)
	}
}

// A Vip with a type has a port of its own on its subnet's switch, and a balancer's has the gateway's MAC: only users
// who may change the subnet can make it, and no pod takes its MAC.
func TestThreatT07VipsWithPorts(t *testing.T) {
	_, author := granted(t, vipRights, podRights)
	typed := func(kind, ns string) map[string]any {
		vip := vipFor(ns)
		vip["spec"] = map[string]any{"subnet": "ovn-default", "namespace": ns, "type": kind}
		return vip
	}
	for _, kind := range []string{kubeovn.VipSwitchLB, kubeovn.VipHostVM} {
		for _, ns := range []string{tenantNamespace, ""} {
			_, err := author.do(t.Context(), http.MethodPost, vipsPath, typed(kind, ns))
			mustRefuse(t, "a Vip of type "+kind+" for namespace "+ns, err, "spec.type")
		}
	}
	plain, _ := makeVip(t, tenantNamespace)
	_, err := author.do(
		t.Context(),
		http.MethodPatch,
		vipsPath+"/"+plain,
		map[string]any{"spec": map[string]any{"type": kubeovn.VipSwitchLB}},
	)
	mustRefuse(t, "a Vip that becomes a balancer's", err, "spec.type")
	if _, err := author.do(t.Context(), http.MethodPost, vipsPath+dryRun, vipFor(tenantNamespace)); err != nil {
		t.Errorf("a Vip that pods share: %v", err)
	}

	body, err := admin(t).do(t.Context(), http.MethodPost, vipsPath, typed(kubeovn.VipSwitchLB, tenantNamespace))
	if err != nil {
		t.Fatal(err)
	}
	balancer := nameOf(t, body)
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, vipsPath+"/"+balancer, nil); err != nil {
			t.Error(err)
		}
	})
	mac, err := world.Nbctl(t.Context(), "get", "logical_router_port", "ovn-cluster-ovn-default", "mac")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the balancer's Vip to have the gateway's MAC", func() (bool, error) {
		body, err := admin(t).do(t.Context(), http.MethodGet, vipsPath+"/"+balancer, nil)
		return err == nil && fieldOf(t, body, "status", "mac") == strings.Trim(mac, "\"\n "), err
	})
	annotations := map[string]string{kubeovn.DefaultProvider.Key(kubeovn.VIP): balancer}
	eventually(t, "the program to know the balancer's Vip", func() (bool, error) {
		_, err := tenant(t).dryRun(t.Context(), tenantNamespace, annotations)
		return err != nil && strings.Contains(err.Error(), kubeovn.VipSwitchLB), nil
	})
	wish{name: "the balancer's MAC", annotations: annotations, refused: kubeovn.VipSwitchLB}.try(t, tenant(t))
}

// A grant would be in the address sets of others' rules: an exception contains nobody else's address, and a port with a
// grant is in no security group.
func TestThreat41GroupAmplification(t *testing.T) {
	victim := allocatedPod(t, tenant(t), nil)
	_, vip := makeVip(t, namespace(t, nil))
	service, err := world.Kube.CoreV1().
		Services(metav1.NamespaceDefault).
		Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	honourExceptions(t, tenantNamespace)
	_, writer := granted(t, exceptionRights)
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + tenantNamespace + "/portsecurityexceptions"
	try := func(prefix string) error {
		e := exceptionIn(tenantNamespace)
		e.Spec.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: prefix}}
		_, err := writer.do(t.Context(), http.MethodPost, path, e)
		return err
	}
	eventually(t, "the policy to be followed", func() (bool, error) {
		err := try("0.0.0.0/1")
		return err != nil && strings.Contains(err.Error(), "/24"), nil
	})
	for prefix, holder := range map[string]string{ // holders in other namespaces are not named
		victim.Annotations[ipAddress]: "port " + victim.Name + "." + tenantNamespace,
		"10.16.0.1":                   "is taken, and can never be granted",
		service.Spec.ClusterIP:        "is taken", vip: "is taken", "10.16.0.0/24": "has addresses of subnet ovn-default",
	} {
		err := try(prefix)
		mustRefuse(t, "a grant of "+prefix, err, holder)
		if prefix != "10.16.0.1" {
			mustRefuse(t, "a grant of "+prefix, err, "sharedWith")
		}
	}
	if _, err := writer.do(
		t.Context(),
		http.MethodGet,
		path+"/"+exceptionIn(tenantNamespace).Name,
		nil,
	); !apierrors.IsNotFound(
		err,
	) {
		t.Errorf("an exception that was refused: %v", err)
	}

	if err := try("10.120.0.0/28"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(
			t,
		).do(cleanup(t), http.MethodDelete, path+"/"+exceptionIn(tenantNamespace).Name, nil); err != nil {
			t.Error(err)
		}
	})
	groups := kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups)
	w := wish{
		name:        "in a group",
		labels:      map[string]string{"app": "till"},
		annotations: map[string]string{groups: "web"},
		refused:     groups,
	}
	eventually(t, "the exception to be followed", func() (bool, error) {
		pod := &corev1.Pod{ObjectMeta: w.template().ObjectMeta, Spec: w.template().Spec}
		pod.Name = unique("dry")
		_, err := tenant(
			t,
		).CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil, nil
	})
	w.try(t, tenant(t))
}

// An exception for an owner is for the object that had the name when it was written. Another object that takes the name
// gets nothing by it.
func TestThreat47NameTakenAgain(t *testing.T) {
	honourExceptions(t, tenantNamespace)
	p, name := tenant(t), unique("router")
	labels := map[string]string{"router": name}
	sets := p.AppsV1().ReplicaSets(tenantNamespace)
	made := func(replicas int32) *appsv1.ReplicaSet {
		t.Helper()
		w := wish{labels: labels}
		set, err := sets.Create(
			t.Context(),
			&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.ReplicaSetSpec{
				Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: w.template(),
			}},
			metav1.CreateOptions{},
		)
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	// podOf returns the pod that the set made.
	podOf := func(set *appsv1.ReplicaSet) (pod corev1.Pod) {
		t.Helper()
		eventually(t, "a pod of "+set.Name, func() (bool, error) {
			list, err := world.Kube.CoreV1().
				Pods(tenantNamespace).
				List(t.Context(), metav1.ListOptions{LabelSelector: labelText(labels)})
			if err != nil {
				return false, err
			}
			for _, pod = range list.Items {
				if metav1.IsControlledBy(&pod, set) {
					return true, nil
				}
			}
			return false, nil
		})
		return pod
	}
	remove := func() {
		t.Helper()
		background := metav1.DeletePropagationBackground
		if err := world.Kube.AppsV1().
			ReplicaSets(tenantNamespace).
			Delete(cleanup(t), name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
			t.Error(err)
		}
	}
	first := made(0)
	grantIn(t, tenantNamespace, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Target = v1alpha1.Target{Owner: &v1alpha1.Owner{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: name}}
		s.Grant = v1alpha1.Grant{Level: v1alpha1.LevelOpen}
	})
	t.Cleanup(func() {
		path := "/apis/ovnguard.io/v1alpha1/namespaces/" + tenantNamespace + "/portsecurityexceptions/" + exceptionIn(
			tenantNamespace,
		).Name
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, path, nil); err != nil {
			t.Error(err)
		}
	})
	// The exception takes effect when it counts for a pod of the owner, which its controller makes.
	eventually(t, "the owner's pod to be open", func() (bool, error) {
		scale := func(n int) error {
			_, err := p.do(
				t.Context(),
				http.MethodPatch,
				"/apis/apps/v1/namespaces/"+tenantNamespace+"/replicasets/"+name,
				map[string]any{"spec": map[string]any{"replicas": n}},
			)
			return err
		}
		if err := scale(1); err != nil {
			return false, err
		}
		pod := podOf(first)
		if pod.Annotations[portSecurity] == "false" {
			return true, nil
		}
		deletePod(t, &pod) // the set makes another
		return false, nil
	})
	remove()
	second := made(1)
	defer remove()
	pod := podOf(second)
	if first.UID == second.UID || pod.Annotations[portSecurity] != "true" {
		t.Errorf("the pod of the one that took the name has port_security %q", pod.Annotations[portSecurity])
	}
	strictInOVN(t, pod.Namespace, pod.Name)
}
