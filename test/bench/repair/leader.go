package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

func nameOf(i int) string { return fmt.Sprintf("p%d.ns", i) }
func ownOf(i int) string {
	return fmt.Sprintf("0a:00:00:00:%02x:%02x 10.16.%d.%d", i>>8, i&255, i>>8, i&255)
}

// switchSize is the number of ports of a switch: as many as fit on a command line.
const switchSize = 200

// serve starts a Northbound server with strict ports.
func serve(ctx context.Context, dir string) (*ovsdbserver.Server, error) {
	s, err := ovsdbserver.Create(ctx, dir, "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, err
	}
	for first := 0; first < ports; first += switchSize {
		var insert, names strings.Builder
		for i := first; i < first+switchSize; i++ {
			fmt.Fprintf(
				&insert,
				`{"op":"insert","table":"Logical_Switch_Port","uuid-name":"u%d","row":{"name":%q,"addresses":%q,"port_security":%q,"external_ids":["map",[["vendor","kube-ovn"],["pod","ns/p%d"]]]}},`,
				i,
				nameOf(i),
				ownOf(i),
				ownOf(i),
				i,
			)
			fmt.Fprintf(&names, `,["named-uuid","u%d"]`, i)
		}
		transaction := fmt.Sprintf(
			`["OVN_Northbound",%s{"op":"insert","table":"Logical_Switch","row":{"name":"sw%d","ports":["set",[%s]]}}]`,
			insert.String(),
			first,
			names.String()[1:],
		)
		if _, err := s.Transact(ctx, transaction); err != nil {
			s.Kill()
			return nil, err
		}
	}
	return s, nil
}

// lead runs a replica that repairs until ctx ends.
func lead(ctx context.Context, endpoint string) error {
	mirror, err := follow(ctx, endpoint)
	if err != nil {
		return err
	}
	counts, err := apply.NewMetrics(prometheus.NewRegistry())
	if err != nil {
		return err
	}
	api := fake.NewClientBuilder().Build()
	r := &apply.Repairer{
		Queue:     apply.NewQueue(time.Now),
		Mirror:    mirror,
		Pods:      api,
		Journal:   &journal.Journal{Client: api, Namespace: "ovnguard-system", By: "bench", Now: time.Now},
		Current:   func() error { return nil },
		Confirmed: func(context.Context) time.Time { return time.Time{} },
		Brake:     repair.Brake{Percent: 100, Floor: ports, Window: 10 * time.Minute},
		Rate:      rate.NewLimiter(10*ports, ports),
		Log:       logr.Discard(),
		Metrics:   counts,
		Now:       time.Now,
	}
	r.Monitor = monitor.New(monitor.SystemClock{}, r.Queue)
	r.Eras = r.Monitor.Eras
	r.Monitor.Change(enter)
	changes := mirror.Subscribe(ovn.TablePort)
	take := func(events []ovn.Event) {
		r.Monitor.Change(func(inv *inventory.Inventory) (touched []string) {
			return append(touched, rows.ApplyAll(inv, events)...)
		})
	}
	first, _ := changes.Take()
	take(first)
	r.Monitor.Start()
	go r.Run(ctx)
	go func() {
		defer changes.Close()
		for {
			events, _, err := changes.Next(ctx)
			if err != nil {
				return
			}
			take(events)
		}
	}()
	return nil
}

// enter enters the pods of all ports into the inventory, under a policy that repairs.
func enter(inv *inventory.Inventory) []string {
	inv.SetPolicy(policy.Policy{Name: "all", Mode: policy.Enforce, Repair: policy.RepairOn})
	inv.SetNamespace(policy.Namespace{Name: "ns"})
	for i := range ports {
		name, words := fmt.Sprintf("p%d", i), strings.Fields(ownOf(i))
		inv.SetPod(&inventory.Pod{
			PodKey: inventory.PodKey{Namespace: "ns", Name: name},
			UID:    "uid-" + name,
			Owner:  name,
			Annotations: map[string]string{
				"ovn.kubernetes.io/port_security": "true",
				"ovn.kubernetes.io/allocated":     "true",
			},
		})
		inv.SetRecord(&inventory.Record{Name: nameOf(i), MAC: words[0], IPs: words[1:]})
	}
	return nil
}
