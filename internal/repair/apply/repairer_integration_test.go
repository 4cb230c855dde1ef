//go:build integration

package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// wideBrake is a brake without effect.
var wideBrake = repair.Brake{Percent: 100, Floor: 10000, Window: time.Minute}

// read returns the journal, and fails where an entry cannot be parsed.
func read(t *testing.T, api client.Client) []journal.Entry {
	t.Helper()
	entries, err := journal.Read(t.Context(), api, "ovnguard-system")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// A thousand ports that somebody opens at once are repaired without a human's word: no decision has changed.
func TestThreatT36DriftOfAThousandPorts(t *testing.T) {
	const ports = 1000
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	r, _ := lead(t, s.Endpoint(), api, "a", ports, repair.Brake{Percent: 1, Floor: 10, Window: time.Minute})
	until(t, "all have been looked at", func() bool { return r.Rested() })
	openAll(t, s)
	t.Logf("all after %v", until(t, "all are right", func() bool { return rightPorts(t, s) == ports }))
	if asked := r.confirm(); asked != 0 {
		t.Errorf("a human was looked for %d times", asked)
	}
}

// A policy that narrows a thousand ports at once is more than an ordinary edit explains: in each namespace, only as
// many ports as the brake lets through are changed, drift of other ports is repaired meanwhile, and the rest follows
// after a human has confirmed, with one question for all ports.
func TestThreatT36ChangedPolicyIsHeld(t *testing.T) {
	const ports, limit, share = 1000, 200, 50
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	r, _ := lead(t, s.Endpoint(), api, "a", ports, repair.Brake{Percent: 20, Floor: 100, Window: time.Minute})
	until(t, "all have been looked at", func() bool { return r.Rested() })
	begin := time.Now()
	r.decide(func(p *policy.Policy) { p.Level = policy.MAC })
	wide := func() int { return ports - rightPorts(t, s) }
	t.Logf(
		"the first %d after %v",
		share,
		until(t, "the share of a namespace is reached", func() bool { return wide() >= share }),
	)
	time.Sleep(time.Second)
	if n := wide(); n != share {
		t.Errorf("%d ports of one namespace were changed without a human's word, not %d", n, share)
	}
	until(t, "it is told what waits", func() bool {
		return testutil.ToFloat64(r.Metrics.held) == ports-share && len(r.told()) == 1 &&
			strings.Contains(r.told()[0], "holds 950 ports")
	})
	asked := r.confirm()
	if most := 1 + int(time.Since(begin)/askAgain); asked == 0 || asked > most {
		t.Errorf("the API server was asked %d times whether a human has confirmed, want at most %d", asked, most)
	}
	t.Logf("all after %v more", until(t, "all are changed", func() bool { return wide() == ports }))
	until(t, "it is told that nothing waits any more", func() bool {
		return testutil.ToFloat64(r.Metrics.held) == 0 && slices.Equal(r.told()[1:], []string{""})
	})
	until(t, "the journal has each with its outcome", func() bool {
		seen := make(map[string]bool)
		for _, e := range read(t, api) {
			if e.Outcome == journal.Written {
				seen[e.Port] = true
			}
		}
		return len(seen) == ports
	})
}

// An exception that is given and removed again and again reaches the port each time, and nobody is accused of writing
// something else.
func TestThreat44GrantThatChangesOften(t *testing.T) {
	s, api := newServer(t, 1), fake.NewClientBuilder().Build()
	r, _ := lead(t, s.Endpoint(), api, "a", 1, wideBrake)
	until(t, "the port has been looked at", func() bool { return r.Rested() })
	for round := range 12 {
		r.grant("10.20.0.0/24")
		until(t, "the grant is on the port", func() bool { return rightPorts(t, s) == 0 })
		r.grant("")
		took := until(t, "the grant is gone from the port", func() bool { return rightPorts(t, s) == 1 })
		if took > time.Second {
			t.Errorf("round %d: the grant was taken away after %v", round, took)
		}
	}
	until(t, "nothing is found", func() bool {
		results := r.Monitor.Results()
		if results[nameOf(0)].Has(audit.Rule{ID: "OVG023"}) {
			t.Fatal("somebody is accused of writing something else")
		}
		return len(results[nameOf(0)].Findings) == 0
	})
}

// Rows that are disguised as nobody's get back everything that was taken from them, also from a program that starts
// only now, and rows of others in the same database are left alone.
func TestThreatT37DisguisedRowsOnAServer(t *testing.T) {
	const ports = 6
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	transact(
		t,
		s,
		`,{"op":"insert","table":"Logical_Switch_Port","uuid-name":"n","row":{"name":"6b0c6c9e","addresses":"fa:16:3e:00:00:01 10.16.0.1","external_ids":["map",[["neutron:port_name","p1.ns"]]]}}`+
			`,{"op":"insert","table":"Logical_Switch","row":{"name":"neutron-1","ports":["named-uuid","n"]}}`,
	)
	others := func() string {
		out, err := ovsdbserver.Tool(
			t.Context(),
			"ovn-nbctl",
			"--db="+s.Endpoint(),
			"--bare",
			"--columns=name,addresses,port_security,external_ids",
			"find",
			"logical_switch_port",
			"name=6b0c6c9e",
		)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := others()
	disguise := func() {
		t.Helper()
		for i, row := range []string{
			`"external_ids":["map",[["pod","ns/p0"]]]`,
			`"external_ids":["map",[["vendor","kube-ovn"]]]`,
			`"external_ids":["map",[]],"addresses":"unknown"`,
			`"addresses":["set",["0a:00:00:00:00:03 10.16.0.3","0a:00:00:00:00:99 10.16.0.99"]]`,
			`"addresses":"0a:00:00:00:00:99 10.16.0.4"`,
			`"addresses":["set",[]],"external_ids":["map",[["vendor","neutron"],["pod","ns/other"]]]`,
		} {
			transact(
				t,
				s,
				fmt.Sprintf(
					`,{"op":"update","table":"Logical_Switch_Port","where":[["name","==",%q]],"row":{"port_security":["set",[]],%s}}`,
					nameOf(i),
					row,
				),
			)
		}
	}
	last := ""
	defer func() { t.Log("seen last: ", last) }()
	asBefore := func() bool {
		for i := range ports {
			marks := fmt.Sprintf("pod=ns/p%d vendor=kube-ovn", i)
			last = strings.Replace(
				snapshotOf(t, s, nameOf(i)),
				"ls=sw0 ",
				"",
				1,
			) // Kube-OVN's own mark of the switch comes with the others
			if last != fmt.Sprintf("%s,%s,%s", ownOf(i), ownOf(i), marks) {
				return false
			}
		}
		return true
	}
	_, stop := lead(t, s.Endpoint(), api, "remembers", ports, wideBrake)
	until(t, "the rows are proved", func() bool { return asBefore() })
	disguise()
	t.Logf("remembered: right after %v", until(t, "all rows are what they were", asBefore))
	stop()
	disguise()
	lead(t, s.Endpoint(), api, "starts", ports, wideBrake)
	t.Logf("after a start: right after %v", until(t, "all rows are what they were", asBefore))
	if now := others(); now != before {
		t.Errorf("Neutron's row became\n%s, was\n%s", now, before)
	}
}

// Two replicas that both believe that they lead write each row once, and their journal entries add up.
func TestTwoLeaders(t *testing.T) {
	const ports, rounds = 100, 4
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	_, stopA := lead(t, s.Endpoint(), api, "a", ports, wideBrake)
	_, stopB := lead(t, s.Endpoint(), api, "b", ports, wideBrake)
	for range rounds {
		openAll(t, s)
		until(t, "all are right", func() bool { return rightPorts(t, s) == ports })
	}
	stopA()
	stopB()
	if n := rightPorts(t, s); n != ports {
		t.Errorf("%d ports are right", n)
	}
	written, ids := make(map[string]int), make(map[string]bool)
	for _, e := range read(t, api) {
		if e.Outcome == "" || ids[e.ID] {
			t.Errorf("change without an outcome, or with the ID of another: %+v", e)
		}
		if ids[e.ID] = true; e.Outcome == journal.Written {
			written[e.Port]++
		}
	}
	for i := range ports {
		if n := written[nameOf(i)]; n != rounds {
			t.Errorf("port %s was written %d times, not %d", nameOf(i), n, rounds)
		}
	}
}

// A change that cannot be written to the journal is not made; a change in the journal can be taken back.
func TestNothingWithoutJournal(t *testing.T) {
	const ports = 20
	var broken atomic.Bool
	broken.Store(true)
	failure := errors.New("the API server is away")
	s, objects := newServer(t, ports), append(podsOf(ports), ipsOf(ports)...)
	for _, pod := range objects[:ports] {
		pod.SetAnnotations(nil) // Kube-OVN leaves a port without annotations open
	}
	api := fake.NewClientBuilder().WithObjects(objects...).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if broken.Load() {
				return failure
			}
			return c.Create(ctx, o, options...)
		},
	}).Build()
	r, stop := lead(t, s.Endpoint(), api, "a", ports, wideBrake)
	openAll(t, s)
	time.Sleep(500 * time.Millisecond)
	if n := rightPorts(t, s); n != 0 {
		t.Fatalf("%d ports were changed, and nobody will know", n)
	}
	broken.Store(false)
	until(t, "all are right", func() bool { return rightPorts(t, s) == ports })
	stop()

	// The mirror ended with the replica, so the undo has its own.
	other, stopOther := lead(t, s.Endpoint(), api, "undo", 0, wideBrake)
	defer stopOther()
	transact(
		t,
		s,
		`,{"op":"update","table":"Logical_Switch_Port","where":[["name","==","p0.ns"]],"row":{"port_security":"0a:00:00:00:00:77"}}`,
	)
	until(
		t,
		"the mirror has it",
		func() bool { return other.Mirror.Snapshot().Port("p0.ns").PortSecurity[0] == "0a:00:00:00:00:77" },
	)
	u := &Undoer{
		Mirror:  other.Mirror,
		Client:  api,
		Journal: r.Journal,
		May:     func(context.Context, string, string) error { return nil },
	}
	back, refused := 0, 0
	for _, unit := range (journal.Choice{}).Units(read(t, api)) {
		switch _, err := u.Undo(t.Context(), unit); {
		case err == nil:
			back++
		case unit.Whose().Port == "p0.ns" && errors.Is(err, errMoved):
			refused++
		default:
			t.Errorf("port %s: %v", unit.Whose().Port, err)
		}
	}
	if back != ports-1 || refused != 1 || rightPorts(t, s) != 0 {
		t.Errorf("%d taken back, %d refused, %d ports still right", back, refused, rightPorts(t, s))
	}
	if rest := (journal.Choice{}).Pick(read(t, api)); len(rest) != 1 {
		t.Errorf("%d changes are still to be undone, not the one that was refused", len(rest))
	}
}

// After a server was killed while ports drifted, or restored from a backup with open ports, the ports are repaired when
// it is back.
func TestServerRestartedAndRestored(t *testing.T) {
	const ports = 50
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	openAll(t, s)
	backup := filepath.Join(t.TempDir(), "open.backup")
	if err := s.Backup(t.Context(), "OVN_Northbound", backup); err != nil {
		t.Fatal(err)
	}
	lead(t, s.Endpoint(), api, "a", ports, wideBrake)
	until(t, "all are right", func() bool { return rightPorts(t, s) == ports })
	for range 3 {
		openAll(t, s)
		s.Kill()
		start(t, s)
		t.Logf(
			"right %v after the restart",
			until(t, "all are right after a restart", func() bool { return rightPorts(t, s) == ports }),
		)
	}
	if err := s.Restore(t.Context(), "OVN_Northbound", backup); err != nil {
		t.Fatal(err)
	}
	t.Logf(
		"right %v after the backup",
		until(t, "all are right after a backup", func() bool { return rightPorts(t, s) == ports }),
	)
}

// The leader of a cluster hands over, or dies, while ports are repaired: a write that it had not taken is made again on
// the next leader, and no port gets anything else.
func TestLeaderMoved(t *testing.T) {
	const ports = 50
	single, api := newServer(t, ports), fake.NewClientBuilder().Build()
	backup := filepath.Join(t.TempDir(), "nb.backup")
	if err := single.Backup(t.Context(), "OVN_Northbound", backup); err != nil {
		t.Fatal(err)
	}
	single.Kill()
	dir, err := os.MkdirTemp("", "ovn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cluster, err := ovsdbserver.CreateCluster(t.Context(), dir, backup, 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	leader, err := cluster.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lead(t, cluster.Endpoints(), api, "a", ports, wideBrake)
	for round := range 4 {
		openAll(t, leader)
		if round%2 == 0 {
			leader, err = cluster.MoveLeadership(t.Context())
		} else {
			dead := leader
			dead.Kill()
			if leader, err = cluster.Leader(t.Context(), cluster.Others(dead)...); err == nil {
				err = dead.Start(t.Context())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Logf(
			"right %v after another server leads",
			until(t, "all are right", func() bool { return rightPorts(t, leader) == ports }),
		)
	}
}
