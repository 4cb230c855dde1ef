//go:build integration

package apply

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
)

// A port with a grant beyond its identity is widened as soon as Kube-OVN has written the identity, whatever else is
// waiting: in between, repair asks the API server nothing; here the server stops answering at that point.
func TestGrantedPortWaitsForNoRequest(t *testing.T) {
	const ports = 40
	s := newServer(t, ports)
	silence := make(chan struct{})
	release := sync.OnceFunc(func() { close(silence) })
	var mu sync.Mutex
	silent, followed, annotated := false, false, 0
	answer := func() {
		mu.Lock()
		wait := silent
		mu.Unlock()
		if wait {
			<-silence
		}
	}
	var r *replica
	var running sync.WaitGroup
	api := fake.NewClientBuilder().WithObjects(podsOf(ports)...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			answer()
			return c.Create(ctx, o, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			answer()
			return c.Update(ctx, o, options...)
		},
		SubResourcePatch: func(_ context.Context, _ client.Client, _ string, o client.Object, _ client.Patch,
			_ ...client.SubResourcePatchOption,
		) error {
			answer()
			i, err := strconv.Atoi(strings.TrimPrefix(o.GetName(), "p"))
			if err != nil {
				return err
			}
			mu.Lock()
			annotated++
			silent = silent || i == 0
			mu.Unlock()
			running.Go(func() { // Kube-OVN follows
				transact(
					t,
					s,
					fmt.Sprintf(
						`,{"op":"update","table":"Logical_Switch_Port","where":[["name","==",%q]],"row":{"port_security":%q}}`,
						nameOf(i),
						ownOf(i),
					),
				)
				mu.Lock()
				followed = followed || i == 0
				mu.Unlock()
				r.annotated(true, i)
			})
			return nil
		},
	}).Build()
	r, _ = lead(t, s.Endpoint(), api, "a", ports, wideBrake)
	t.Cleanup(release)
	r.grant("192.0.2.0/24")
	isWide := func() bool { return strings.Contains(snapshotOf(t, s, nameOf(0)), "192.0.2.0/24") }
	until(t, "the grant reaches the port", isWide)
	until(t, "all is at rest", r.Rested)
	all := make([]int, ports)
	for i := range all {
		all[i] = i
	}
	r.annotated(false, all...)
	until(t, "what Kube-OVN wrote over the grant is widened", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return silent && followed && isWide()
	})
	release()
	until(t, "all pods are annotated", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return annotated == ports
	})
	running.Wait()
	until(t, "the outcomes are written down", func() bool {
		return !slices.ContainsFunc(read(t, api), func(e journal.Entry) bool { return e.Outcome != journal.Written })
	})
	var kinds []string
	for _, e := range read(t, api) {
		if e.Port == nameOf(0) {
			kinds = append(kinds, fmt.Sprint(e.After.Annotations != nil, " ", e.After.PortSecurity != nil))
		}
	}
	if want := []string{"false true", "true false", "false true"}; !slices.Equal(kinds, want) {
		t.Errorf("annotations and rows were changed in the order %v, want %v", kinds, want)
	}
}

// annotated sets the annotation of the ports' pods to strict, or removes it.
func (r *replica) annotated(strict bool, ports ...int) {
	r.Monitor.Change(func(inv *inventory.Inventory) (touched []string) {
		for _, i := range ports {
			words := strings.Fields(ownOf(i))
			annotations := map[string]string{
				"ovn.kubernetes.io/allocated":   "true",
				"ovn.kubernetes.io/mac_address": words[0],
				"ovn.kubernetes.io/ip_address":  words[1],
			}
			if strict {
				annotations[levelKey] = "true"
			}
			touched = append(touched, inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "ns",
					Name:      fmt.Sprintf("p%d", i),
				},
				UID:         fmt.Sprint("uid-", i),
				Owner:       fmt.Sprintf("p%d", i),
				Labels:      map[string]string{"pod": strconv.Itoa(i)},
				Annotations: annotations,
			})...)
		}
		return touched
	})
}
