//go:build integration

package apply

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/rows"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// settleTime is the longest time for any state to be reached.
const settleTime = 30 * time.Second

func nameOf(i int) string { return fmt.Sprintf("p%d.ns", i) }
func ownOf(i int) string {
	return fmt.Sprintf("0a:00:00:00:%02x:%02x 10.16.%d.%d", i>>8, i&255, i>>8, i&255)
}

// switchSize is the number of ports of a switch: as many as fit on a command line.
const switchSize = 200

// newServer returns a real Northbound server with that many strict ports.
func newServer(t *testing.T, ports int) *ovsdbserver.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s, err := ovsdbserver.Create(t.Context(), dir, "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	start(t, s)
	for first := 0; first < ports; first += switchSize {
		var insert, names strings.Builder
		for i := first; i < min(first+switchSize, ports); i++ {
			fmt.Fprintf(
				&insert,
				`,{"op":"insert","table":"Logical_Switch_Port","uuid-name":"u%d","row":{"name":%q,"addresses":%q,"port_security":%q,"external_ids":["map",[["vendor","kube-ovn"],["pod","ns/p%d"]]]}}`,
				i,
				nameOf(i),
				ownOf(i),
				ownOf(i),
				i,
			)
			fmt.Fprintf(&names, `,["named-uuid","u%d"]`, i)
		}
		transact(
			t,
			s,
			fmt.Sprintf(
				`%s,{"op":"insert","table":"Logical_Switch","row":{"name":"sw%d","ports":["set",[%s]]}}`,
				insert.String(),
				first,
				names.String()[1:],
			),
		)
	}
	return s
}

func start(t *testing.T, s *ovsdbserver.Server) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
}

// transact runs operations, each after a comma, in one transaction.
func transact(t *testing.T, s *ovsdbserver.Server, operations string) {
	t.Helper()
	if out, err := s.Transact(
		t.Context(),
		`["OVN_Northbound"`+operations+`]`,
	); err != nil ||
		strings.Contains(out, `"error"`) {
		t.Fatalf("%.300s: %v", out, err)
	}
}

// openAll empties port_security of all ports at once.
func openAll(t *testing.T, s *ovsdbserver.Server) {
	t.Helper()
	transact(t, s, `,{"op":"update","table":"Logical_Switch_Port","where":[],"row":{"port_security":["set",[]]}}`)
}

// replica is a replica that leads: all parts of repair, on a server and an API.
type replica struct {
	*Repairer
	t *testing.T
	// asked is how often it checked whether a human has confirmed; confirmed is the answer then.
	mu        sync.Mutex
	holds     []string // the arguments of Held
	asked     int
	confirmed time.Time
}

// told returns the reports about ports that wait for a human, in order.
func (r *replica) told() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.holds)
}

// lead makes a replica repair that many ports until the test ends, or until stop.
func lead(
	t *testing.T,
	endpoints string,
	api client.Client,
	by string,
	ports int,
	brake repair.Brake,
) (r *replica, stop func()) {
	t.Helper()
	mirror, err := ovn.Open(ovn.Config{Endpoints: endpoints, Log: logr.Discard(), Probe: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	counts, err := NewMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	r = &replica{t: t}
	r.Repairer = &Repairer{
		Queue:   NewQueue(time.Now),
		Mirror:  mirror,
		Pods:    api,
		Journal: &journal.Journal{Client: api, Namespace: "ovnguard-system", By: by, Now: time.Now},
		Current: func() error {
			if !mirror.State().Synced() {
				return ovn.ErrStale
			}
			return nil
		},
		Confirmed: r.look,
		Brake:     brake,
		Rate:      rate.NewLimiter(5000, 5000),
		Log:       logr.Discard(),
		Metrics:   counts,
		Now:       time.Now,
	}
	r.Held = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.holds = append(r.holds, text)
	}
	r.Monitor = monitor.New(monitor.SystemClock{}, r.Queue)
	r.Eras = r.Monitor.Eras
	r.Monitor.Change(func(inv *inventory.Inventory) []string {
		inv.SetPolicy(currentPolicy())
		inv.SetNamespace(policy.Namespace{Name: "ns"})
		for i := range ports {
			inv.SetPod(&inventory.Pod{
				PodKey: inventory.PodKey{
					Namespace: "ns",
					Name:      fmt.Sprintf("p%d", i),
				},
				UID:    fmt.Sprint("uid-", i),
				Owner:  fmt.Sprintf("p%d", i),
				Labels: map[string]string{"pod": strconv.Itoa(i)},
				Annotations: map[string]string{
					"ovn.kubernetes.io/port_security": "true",
					"ovn.kubernetes.io/allocated":     "true",
					"ovn.kubernetes.io/mac_address":   strings.Fields(ownOf(i))[0],
					"ovn.kubernetes.io/ip_address":    strings.Fields(ownOf(i))[1],
				},
			})
			words := strings.Fields(ownOf(i))
			inv.SetRecord(&inventory.Record{
				Name: nameOf(i), MAC: words[0], IPs: words[1:], Subnet: fmt.Sprint("sw", i/switchSize*switchSize),
				Of: inventory.PodKey{Namespace: "ns", Name: fmt.Sprintf("p%d", i)},
			})
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { mirror.Run(ctx) })
	waiting, done := context.WithTimeout(t.Context(), settleTime)
	defer done()
	if err := mirror.WaitSynced(waiting); err != nil {
		cancel()
		t.Fatal(err)
	}
	changes := mirror.Subscribe(ovn.TablePort)
	take := func(events []ovn.Event) {
		r.Monitor.Change(func(inv *inventory.Inventory) (touched []string) {
			return append(touched, rows.ApplyAll(inv, events)...)
		})
	}
	first, _ := changes.Take()
	take(first)
	r.Monitor.Start()
	running.Go(func() {
		defer changes.Close()
		for {
			events, _, err := changes.Next(ctx)
			if err != nil {
				return
			}
			take(events)
		}
	})
	running.Go(func() { r.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return r, stop
}

// currentPolicy returns the policy that all ports are under.
func currentPolicy() policy.Policy {
	return policy.Policy{
		Name: "all", Mode: policy.Enforce, Repair: policy.RepairOn, ExceptionsIn: []string{"ns"},
		Limits: policy.Limits{Pairs: 8, Prefix4: 8, Prefix6: 32, Lifetime: time.Hour, Level: policy.MAC},
	}
}

// decide changes the policy.
func (r *replica) decide(change func(*policy.Policy)) {
	p := currentPolicy()
	change(&p)
	r.Monitor.Change(func(inv *inventory.Inventory) []string { return inv.SetPolicy(p) })
}

// grant makes an exception grant the first port a prefix, or removes that with "".
func (r *replica) grant(prefix string) {
	r.Monitor.Change(func(inv *inventory.Inventory) []string {
		if prefix == "" {
			return inv.DeleteException("ns", "e")
		}
		return inv.SetException(policy.Exception{
			Namespace: "ns",
			Name:      "e",
			Pods:      func(l map[string]string) bool { return l["pod"] == "0" },
			Level:     policy.Strict,
			Pairs: []portsec.AddressPair{
				{Prefix: netip.MustParsePrefix(prefix)},
			},
			Asked:   time.Now(),
			Expires: time.Now().Add(time.Minute),
		})
	})
}

// Rested reports whether every port that is due has been looked at.
func (r *replica) Rested() bool {
	r.Queue.mu.Lock()
	defer r.Queue.mu.Unlock()
	return r.Queue.open && len(r.Queue.due) == 0
}

func (r *replica) look(context.Context) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.confirmed
}

func (r *replica) confirm() (asked int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed = time.Now().Add(time.Minute)
	return r.asked
}

// rightPorts returns the number of ports without faults according to the server itself.
func rightPorts(t *testing.T, s *ovsdbserver.Server) (n int) {
	t.Helper()
	out, err := ovsdbserver.Tool(
		t.Context(),
		"ovn-nbctl",
		"--db="+s.Endpoint(),
		"--bare",
		"--no-headings",
		"--format=csv",
		"--columns=name,port_security",
		"list",
		"logical_switch_port",
	)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out) {
		var i int
		name, column, _ := strings.Cut(strings.TrimSpace(line), ",")
		if _, err := fmt.Sscanf(name, "p%d.ns", &i); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if column == ownOf(i) {
			n++
		}
	}
	return n
}

// snapshotOf returns the server's own row of a port: its columns, elements and keys in order.
func snapshotOf(t *testing.T, s *ovsdbserver.Server, port string) string {
	t.Helper()
	out, err := ovsdbserver.Tool(
		t.Context(),
		"ovn-nbctl",
		"--db="+s.Endpoint(),
		"--bare",
		"--no-headings",
		"--format=csv",
		"--columns=addresses,port_security,external_ids",
		"find",
		"logical_switch_port",
		"name="+port,
	)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !holds() {
		if time.Since(begin) > settleTime {
			t.Fatalf("not after %v: %s", settleTime, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(begin)
}
