//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// A tenant sends 10,000 requests to the API server, with every key and every value that is known to do harm and by
// every path to a pod's metadata. None of the tenant's ports has more than its identity for a moment, except in the
// case that stayedBlank describes, and no port of others changes.
func TestTenantNeverLoosens(t *testing.T) {
	const requests, workers, pods = 10_000, 16, 24
	// A test that refuses everything would prove nothing.
	const leastMade, leastChanged, leastRefused = 200, 1000, 1000
	elsewhere := namespace(t, nil)
	run(t, elsewhere, nil)
	a := attacker{
		// These are the rights of the role "edit", and to subresources that people think harmless.
		person: mayDo(t, rbacv1.PolicyRule{
			APIGroups: []string{
				"",
			},
			Resources: []string{"pods", "pods/status", "pods/binding"},
			Verbs:     []string{"get", "create", "update", "patch", "delete"},
		}),
		own: newNetwork(t), foreign: foreignNetwork(t, elsewhere), names: make([]string, pods),
	}
	for i := range a.names {
		a.names[i] = unique("random")
	}
	t.Cleanup(func() {
		for _, name := range a.names {
			deletePod(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: name}})
		}
	})
	followed := follow(t, tenantNamespace, elsewhere)
	const seed = uint64(1)
	t.Logf("seed %d", seed)
	var left, made, changed, refused atomic.Int64
	left.Store(requests)
	var wg sync.WaitGroup
	for w := range uint64(workers) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, w))
			for left.Add(-1) >= 0 {
				did, err := a.request(t.Context(), r)
				switch {
				case err == nil && did == created:
					made.Add(1)
				case err == nil && did == edited:
					changed.Add(1)
				case err == nil:
				case apierrors.IsForbidden(err):
					refused.Add(1)
				case apierrors.IsAlreadyExists(err),
					apierrors.IsNotFound(err),
					apierrors.IsConflict(err),
					apierrors.IsInvalid(err):
				default:
					t.Errorf("a request ended otherwise: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	list, err := world.Kube.CoreV1().Pods(tenantNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checked, attached := 0, 0
	for _, pod := range list.Items {
		// A pod that asked for an address which another pod got first has no port.
		if !strings.HasPrefix(pod.Name, "random-") ||
			pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.Allocated)] != kubeovn.True {
			continue
		}
		var second []kubeovn.Provider
		if pod.Annotations[a.own.provider.Key(kubeovn.Allocated)] == kubeovn.True {
			second = append(second, a.own.provider)
		}
		// A pod that was bound to a missing node may be collected at any time.
		stays := func() bool {
			now, err := world.Kube.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
			return !apierrors.IsNotFound(err) && (err != nil || now.UID == pod.UID && now.DeletionTimestamp == nil)
		}
		if strictWhile(t, stays, pod.Namespace, pod.Name, second...) {
			checked, attached = checked+1, attached+len(second)
		}
	}
	followed.stop()
	t.Logf(
		"%d pods made, %d changed, %d requests refused; OVN's rows changed %d times, %d of them to nothing; %d pods "+
			"have a port at the end, %d a second one",
		made.Load(),
		changed.Load(),
		refused.Load(),
		followed.changes,
		followed.blanks,
		checked,
		attached,
	)
	if made.Load() < leastMade || changed.Load() < leastChanged || refused.Load() < leastRefused {
		t.Errorf(
			"want at least %d pods made, %d changed and %d requests refused",
			leastMade,
			leastChanged,
			leastRefused,
		)
	}
	if followed.changes < leastMade || checked == 0 || attached == 0 {
		t.Error("there were not enough ports to say anything")
	}
	for _, problem := range slices.Concat(followed.problems, followed.early, followed.stayedBlank(),
		followed.unrecorded()) {
		t.Error(problem)
	}
}

// attacker is a user who asks for things that loosen ports.
type attacker struct {
	person
	own     network
	foreign string
	names   []string
}

// did is the kind of an allowed request.
type did int

const (
	created did = iota
	edited
	deleted
)

// request makes, edits or deletes one of the tenant's pods. The error is the API server's answer, or a fault of a pod
// that it let through.
func (a attacker) request(ctx context.Context, r *rand.Rand) (did, error) {
	pods, name := a.CoreV1().Pods(tenantNamespace), a.names[r.IntN(len(a.names))]
	path := "/api/v1/namespaces/" + tenantNamespace + "/pods/" + name
	metadata := map[string]any{}
	switch n := r.IntN(100); {
	case n < 25:
		template := wish{annotations: a.annotations(r)}.template()
		if r.IntN(2) == 0 {
			template.Annotations[kubeovn.Networks] = a.own.name
		}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:            name,
				Annotations:     template.Annotations,
				Labels:          randomLabels(r),
				OwnerReferences: randomOwners(r),
			},
			Spec: template.Spec,
		}
		got, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		if err != nil {
			return created, err
		}
		return created, a.loose(got)
	case n < 31:
		now := int64(0)
		return deleted, pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	case n < 37:
		_, err := a.do(ctx, http.MethodPost, path+"/binding", &corev1.Binding{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Binding"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: a.annotations(r), Labels: randomLabels(r)},
			Target:     corev1.ObjectReference{Kind: "Node", Name: "nowhere"},
		})
		return edited, err
	case n < 43:
		metadata["labels"] = randomLabels(r)
	case n < 47:
		metadata["ownerReferences"] = randomOwners(r)
	default:
		edit := make(map[string]any)
		for key, value := range a.annotations(r) {
			if edit[key] = value; r.IntN(4) == 0 {
				edit[key] = nil
			}
		}
		metadata["annotations"] = edit
	}
	body := map[string]any{"metadata": metadata}
	if r.IntN(5) == 0 {
		path += "/status"
		body["status"] = map[string]any{
			"message": strconv.Itoa(r.IntN(1000)),
			"podIP":   "10.16.0.1",
			"podIPs":  []any{map[string]any{"ip": "10.16.0.1"}},
		}
	}
	raw, err := a.do(ctx, http.MethodPatch, path, body)
	if err != nil {
		return edited, err
	}
	var got corev1.Pod
	if err := json.Unmarshal(raw, &got); err != nil {
		return edited, err
	}
	return edited, a.loose(&got)
}

// loose returns an error for a pod that was let through with a NIC's key that differs from the decision: each must be
// strict, since nobody has a grant.
func (a attacker) loose(pod *corev1.Pod) error {
	want := make(map[string]string)
	if pod.Annotations[kubeovn.DefaultNetwork] == "" { // the default network replaces Kube-OVN's own
		want[portSecurity] = kubeovn.True
	}
	if strings.Contains(pod.Annotations[kubeovn.Networks], a.own.name) {
		want[a.own.provider.Key(kubeovn.PortSecurity)] = kubeovn.True
	}
	networks := pod.Annotations[kubeovn.Networks] + " " + pod.Annotations[kubeovn.DefaultNetwork]
	for key, value := range keys(pod) {
		provider, suffix, _ := kubeovn.SplitKey(key)
		if name, _, attached := strings.Cut(string(provider), "."); attached && !strings.Contains(networks, name) {
			continue // Kube-OVN reads no key of a NIC that the pod does not have
		}
		if suffix == kubeovn.Layer2Forward && value == kubeovn.True ||
			suffix == kubeovn.PortSecurity && value != kubeovn.True && value != "" {
			return fmt.Errorf("pod %s was let through with %s=%q", pod.Name, key, value)
		}
	}
	for key, value := range want {
		if pod.Annotations[key] != value {
			return fmt.Errorf("pod %s was let through with %s=%q, want %q", pod.Name, key, pod.Annotations[key], value)
		}
	}
	return nil
}

// annotations returns a few annotations: keys that Kube-OVN reads with values that loosen, and harmless ones.
func (a attacker) annotations(r *rand.Rand) map[string]string {
	elsewhere, foreign, _ := strings.Cut(a.foreign, "/")
	providers := []kubeovn.Provider{
		"ovn",
		"ovn",
		"ovn",
		a.own.provider,
		a.own.provider,
		kubeovn.AttachmentProvider(elsewhere, foreign),
		"blue.tenant.ovn",
		"blue.tenant",
	}
	suffixes := []kubeovn.Suffix{
		kubeovn.PortSecurity,
		kubeovn.PortSecurity,
		kubeovn.Layer2Forward,
		kubeovn.PortVIPs,
		kubeovn.IPAddress,
		kubeovn.MACAddress,
		kubeovn.LogicalSwitch,
		kubeovn.SecurityGroups,
		kubeovn.Allocated,
		kubeovn.Routed,
		kubeovn.Gateway,
		"vip",
		"virtualmachine",
		"ip_pool",
		"eip",
		"note",
		"ip_address.net1",
		"mac_address.net1",
	}
	values := []string{
		"true",
		"false",
		"True",
		"",
		"1",
		"0.0.0.0/0",
		"10.16.0.1",
		"::ffff:10.16.0.1",
		"10.16.77.7",
		"0a:00:00:00:00:07",
		"0a-00-00-00-00-07",
		"unknown",
		"ovn-default",
		"x,y",
		"10.16.0.1,",
		"fd00::1",
		"VRRPv3 0a:00:00:00:00:07 00:00:5E:00:01:07 10.16.0.1",
	}
	attachments := []string{
		a.own.name,
		tenantNamespace + "/" + a.own.name,
		a.own.name + "," + a.own.name,
		a.own.name + "@net7",
		a.foreign,
		a.own.name + "," + a.foreign,
		"missing",
		`[{"name":"` + a.own.name + `","ips":["10.78.0.1/24"]}]`,
		`[{"name":"` + a.own.name + `","mac":"0a-00-00-00-00-07"}]`,
		`[{"name":"` + foreign + `","namespace":"` + elsewhere + `"}]`,
	}
	out := map[string]string{"example.org/harmless": strconv.Itoa(r.IntN(1000))}
	for range r.IntN(3) {
		key, value := providers[r.IntN(len(providers))].Key(
			suffixes[r.IntN(len(suffixes))],
		), values[r.IntN(len(values))]
		switch r.IntN(12) {
		case 0:
			key = kubeovn.AAPs
		case 1:
			key = kubeovn.MigrationJob
		case 2:
			key, value = kubeovn.Networks, attachments[r.IntN(len(attachments))]
		case 3:
			key, value = kubeovn.DefaultNetwork, attachments[r.IntN(len(attachments))]
		}
		out[key] = value
	}
	return out
}

func randomLabels(r *rand.Rand) map[string]string {
	labels := []map[string]string{
		nil,
		{"app": "kube-ovn-webhook"},
		{"ovn.kubernetes.io/vpc-nat-gw": "true"},
		{"ovnguard.io/level": "open"},
	}
	return labels[r.IntN(len(labels))]
}

// randomOwners returns mostly none, and otherwise one with a grant for its pods.
func randomOwners(r *rand.Rand) []metav1.OwnerReference {
	owners := []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "router"},
		{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "router"},
		{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "db"},
		{APIVersion: "kubeovn.io/v1", Kind: "VpcEgressGateway", Name: "gw"},
	}
	n := r.IntN(4 * len(owners))
	if n >= len(owners) {
		return nil
	}
	owners[n].UID, owners[n].Controller = "7b1f6d4e-0000-4000-8000-000000000004", new(r.IntN(2) == 0)
	return owners[n : n+1]
}

// foreignNetwork makes an attachment in a namespace with a subnet that is only for that namespace, and returns its name
// for pods.
func foreignNetwork(t *testing.T, ns string) string {
	t.Helper()
	name := unique("theirs")
	documents := strings.NewReplacer("NAME", name, tenantNamespace, ns, "10.78.", "10.79.", "provider: ",
		"namespaces: ["+ns+"], provider: ").
		Replace(secondSubnet)
	if err := world.Apply(t.Context(), []byte(documents)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // the definition goes with its namespace
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, "/apis/kubeovn.io/v1/subnets/"+name, nil); err != nil {
			t.Error(err)
		}
	})
	return ns + "/" + name
}
