//go:build integration

package apply

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// wide is a brake that does not matter.
var wide = repair.Brake{Percent: 100, Floor: 10000, Window: time.Minute}

// read gives the journal, which must be readable.
func read(t *testing.T, api client.Client) []journal.Entry {
	t.Helper()
	entries, err := journal.Read(t.Context(), api, "ovnguard-system")
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// A thousand ports that change at once are more than faults explain: so many as the brake lets are put right, and the others when a
// human has confirmed, who is not asked for once for each port.
func TestThousandPortsAtOnce(t *testing.T) {
	const ports, limit = 1000, 200
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	r, _ := lead(t, s.Endpoint(), api, "a", ports, repair.Brake{Percent: 20, Floor: 100, Window: time.Minute})
	begin := time.Now()
	openAll(t, s)
	t.Logf("the first %d after %v", limit, until(t, "the limit is reached", func() bool { return right(t, s) >= limit }))
	time.Sleep(time.Second)
	if n := right(t, s); n != limit {
		t.Errorf("%d ports were changed without a human's word, not %d", n, limit)
	}
	asked := r.confirm()
	if most := 1 + int(time.Since(begin)/askAgain); asked == 0 || asked > most {
		t.Errorf("the API server was asked %d times whether a human has confirmed, want at most %d", asked, most)
	}
	t.Logf("all after %v more", until(t, "all are right", func() bool { return right(t, s) == ports }))
	until(t, "the journal has each with its outcome", func() bool {
		seen := make(map[string]bool)
		for _, e := range read(t, api) {
			if e.Outcome == "written" {
				seen[e.Port] = true
			}
		}
		return len(seen) == ports
	})
}

// Two replicas that both believe that they lead put each row right once, and what both wrote down adds up.
func TestTwoLeaders(t *testing.T) {
	const ports, rounds = 100, 4
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	_, stopA := lead(t, s.Endpoint(), api, "a", ports, wide)
	_, stopB := lead(t, s.Endpoint(), api, "b", ports, wide)
	for range rounds {
		openAll(t, s)
		until(t, "all are right", func() bool { return right(t, s) == ports })
	}
	stopA()
	stopB()
	if n := right(t, s); n != ports {
		t.Errorf("%d ports are right", n)
	}
	written, ids := make(map[string]int), make(map[string]bool)
	for _, e := range read(t, api) {
		if e.Outcome == "" || ids[e.ID] {
			t.Errorf("change without an outcome, or with the ID of another: %+v", e)
		}
		if ids[e.ID] = true; e.Outcome == "written" {
			written[e.Port]++
		}
	}
	for i := range ports {
		if n := written[nameOf(i)]; n != rounds {
			t.Errorf("port %s was written %d times, not %d", nameOf(i), n, rounds)
		}
	}
}

// What cannot be written down is not done; what was written down is, and can be taken back.
func TestNothingWithoutJournal(t *testing.T) {
	const ports = 20
	var broken atomic.Bool
	broken.Store(true)
	failure := errors.New("the API server is away")
	s := newServer(t, ports)
	api := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			if broken.Load() {
				return failure
			}
			return c.Create(ctx, o, options...)
		},
	}).Build()
	r, stop := lead(t, s.Endpoint(), api, "a", ports, wide)
	openAll(t, s)
	time.Sleep(500 * time.Millisecond)
	if n := right(t, s); n != 0 {
		t.Fatalf("%d ports were changed, and nobody will know", n)
	}
	broken.Store(false)
	until(t, "all are right", func() bool { return right(t, s) == ports })
	stop()

	// The mirror ended with the replica, so what takes changes back has its own.
	other, stopOther := lead(t, s.Endpoint(), api, "undo", 0, wide)
	defer stopOther()
	transact(t, s, `,{"op":"update","table":"Logical_Switch_Port","where":[["name","==","p0.ns"]],"row":{"port_security":"0a:00:00:00:00:77"}}`)
	until(t, "the mirror has it", func() bool { return other.Mirror.Snapshot().Port("p0.ns").PortSecurity[0] == "0a:00:00:00:00:77" })
	u := &Undoer{Mirror: other.Mirror, Client: api, Journal: r.Journal}
	back, refused := 0, 0
	for _, e := range (journal.Choice{}).Pick(read(t, api)) {
		switch err := u.Undo(t.Context(), e.Undoing("test")); {
		case err == nil:
			back++
		case e.Port == "p0.ns" && errors.Is(err, errMoved):
			refused++
		default:
			t.Errorf("port %s: %v", e.Port, err)
		}
	}
	if back != ports-1 || refused != 1 || right(t, s) != 0 {
		t.Errorf("%d taken back, %d refused, %d ports still right", back, refused, right(t, s))
	}
	if rest := (journal.Choice{}).Pick(read(t, api)); len(rest) != 1 {
		t.Errorf("%d changes are still to be undone, not the one that was refused", len(rest))
	}
}

// A server that is killed while ports drift, and one that is restored from a backup with open ports, is put right when it is back.
func TestServerRestartedAndRestored(t *testing.T) {
	const ports = 50
	s, api := newServer(t, ports), fake.NewClientBuilder().Build()
	openAll(t, s)
	backup := filepath.Join(t.TempDir(), "open.backup")
	if err := s.Backup(t.Context(), "OVN_Northbound", backup); err != nil {
		t.Fatal(err)
	}
	lead(t, s.Endpoint(), api, "a", ports, wide)
	until(t, "all are right", func() bool { return right(t, s) == ports })
	for range 3 {
		openAll(t, s)
		s.Kill()
		start(t, s)
		t.Logf("right %v after the restart", until(t, "all are right after a restart", func() bool { return right(t, s) == ports }))
	}
	if err := s.Restore(t.Context(), "OVN_Northbound", backup); err != nil {
		t.Fatal(err)
	}
	t.Logf("right %v after the backup", until(t, "all are right after a backup", func() bool { return right(t, s) == ports }))
}

// The leader of a cluster hands over, or dies, while ports are put right: a write that it had not taken is made again on the next one,
// and no port is given anything else.
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
	lead(t, cluster.Endpoints(), api, "a", ports, wide)
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
		t.Logf("right %v after another server leads", until(t, "all are right", func() bool { return right(t, leader) == ports }))
	}
}
