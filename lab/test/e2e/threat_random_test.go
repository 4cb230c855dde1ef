//go:build integration

package e2e

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Whatever a tenant asks of the API server, 10,000 times, with every key and every value that is known to do harm, no
// allocated port ends up with more than its identity.
func TestTenantNeverLoosens(t *testing.T) {
	const requests, workers, pods = 10_000, 16, 24
	p := tenant(t)
	names := make([]string, pods)
	for i := range names {
		names[i] = unique("random")
	}
	t.Cleanup(func() {
		for _, name := range names {
			deletePod(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: name}})
		}
	})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var left, made, allowed, refused atomic.Int64
	left.Store(requests)
	var wg sync.WaitGroup
	for w := range uint64(workers) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, w))
			for left.Add(-1) >= 0 {
				created, err := p.randomRequest(t.Context(), r, names[r.IntN(len(names))])
				switch {
				case err == nil && created:
					made.Add(1)
				case err == nil:
					allowed.Add(1)
				case apierrors.IsForbidden(err):
					refused.Add(1)
				case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsInvalid(err):
				default:
					t.Errorf("a request failed otherwise: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d pods made, %d edits allowed, %d requests refused", made.Load(), allowed.Load(), refused.Load())
	if made.Load() == 0 || allowed.Load() == 0 || refused.Load() == 0 {
		t.Error("the requests were all of one sort")
	}
	list, err := world.Kube.CoreV1().Pods(tenantNamespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, pod := range list.Items {
		// A pod that asked for an address which another one got first has no port.
		if pod.Annotations[kubeovn.DefaultProvider.Key(kubeovn.Allocated)] == kubeovn.True {
			strictInOVN(t, pod.Namespace, pod.Name)
			checked++
		}
	}
	if checked == 0 {
		t.Error("no pod has a port at the end")
	}
}

// randomRequest makes, edits or deletes the tenant's pod of that name.
func (p person) randomRequest(ctx context.Context, r *rand.Rand, name string) (created bool, err error) {
	pods := p.CoreV1().Pods(tenantNamespace)
	switch n := r.IntN(100); {
	case n < 25:
		template := wish{annotations: randomAnnotations(r)}.template()
		_, err := pods.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: template.Annotations, Labels: randomLabels(r)}, Spec: template.Spec,
		}, metav1.CreateOptions{})
		return true, err
	case n < 28:
		now := int64(0)
		return false, pods.Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	default:
		edit := make(map[string]any)
		for key, value := range randomAnnotations(r) {
			if edit[key] = value; r.IntN(4) == 0 {
				edit[key] = nil
			}
		}
		return false, p.patch(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: tenantNamespace, Name: name}}, edit)
	}
}

// randomAnnotations gives a few annotations: keys that Kube-OVN reads with values that loosen, and harmless ones.
func randomAnnotations(r *rand.Rand) map[string]string {
	providers := []kubeovn.Provider{"ovn", "ovn", "ovn", "blue.tenant.ovn", "blue.tenant"}
	suffixes := []kubeovn.Suffix{
		kubeovn.PortSecurity, kubeovn.PortSecurity, kubeovn.Layer2Forward, kubeovn.PortVIPs, kubeovn.IPAddress, kubeovn.MACAddress, kubeovn.LogicalSwitch,
		kubeovn.SecurityGroups, kubeovn.Allocated, kubeovn.Routed, kubeovn.Gateway, "vip", "virtualmachine", "ip_pool", "eip", "note",
	}
	values := []string{
		"true", "false", "True", "", "1", "0.0.0.0/0", "10.16.0.1", "::ffff:10.16.0.1", "10.16.77.7", "0a:00:00:00:00:07", "0a-00-00-00-00-07",
		"unknown", "ovn-default", "x,y", "10.16.0.1,", "fd00::1",
	}
	out := map[string]string{"example.org/harmless": strconv.Itoa(r.IntN(1000))}
	for range r.IntN(3) {
		key := providers[r.IntN(len(providers))].Key(suffixes[r.IntN(len(suffixes))])
		switch r.IntN(12) {
		case 0:
			key = kubeovn.AAPs
		case 1:
			key = kubeovn.MigrationJob
		}
		out[key] = values[r.IntN(len(values))]
	}
	return out
}

func randomLabels(r *rand.Rand) map[string]string {
	labels := []map[string]string{nil, {"app": "kube-ovn-webhook"}, {"ovn.kubernetes.io/vpc-nat-gw": "true"}, {"ovnguard.io/level": "open"}}
	return labels[r.IntN(len(labels))]
}
