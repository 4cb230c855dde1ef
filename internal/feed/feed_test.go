package feed

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ovnguard/ovnguard/internal/ovn"
)

// The answer of the readiness check says what the service waits for.
func TestReadySaysWhatIsMissing(t *testing.T) {
	databases, err := openDatabases(
		Options{Northbound: "unix:/nonexistent/nb.sock", Southbound: "unix:/nonexistent/sb.sock"},
		logr.Discard(),
	)
	if err != nil {
		t.Fatal(err)
	}
	f := &Feed{databases: databases, watches: NewWatches(logr.Discard(), time.Now)}
	expect := func(says string) {
		t.Helper()
		if err := f.Ready(nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	expect("nothing has been read")
	what := "Pod from the API server"
	f.reading.Store(&what)
	expect("reading Pod from the API server")
	f.started.Store(true)
	expect("the northbound database was not read yet")
	expect("the southbound database was not read yet")

	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for _, d := range databases {
		running.Go(func() { d.mirror.Run(ctx) })
	}
	defer func() {
		cancel()
		running.Wait()
	}()
	for _, d := range databases {
		for deadline := time.Now().Add(time.Minute); d.mirror.State().Err == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the mirror never says why it cannot connect")
			}
		}
	}
	expect("/nonexistent/nb.sock")
	expect("/nonexistent/sb.sock")
}

// The log and a metric warn of a database that anybody on the path can change.
func TestThreatT22PlaintextDatabase(t *testing.T) {
	for name, c := range map[string]struct {
		northbound, southbound string
		want                   map[string]float64
		logged                 int
	}{
		"one of several": {
			"tcp:127.0.0.1:6641,tcp:10.0.0.1:6641", "unix:/x", map[string]float64{"northbound": 1, "southbound": 0}, 1,
		},
		"southbound": {
			"unix:/x", "tcp:ovn.example.org:6642", map[string]float64{"northbound": 0, "southbound": 1}, 1,
		},
		"on the machine": {"tcp:[::1]:6641", "", map[string]float64{"northbound": 0}, 0},
	} {
		logged := 0
		log := funcr.New(func(_, args string) {
			if strings.Contains(args, "without TLS") {
				logged++
			}
		}, funcr.Options{})
		databases, err := openDatabases(Options{Northbound: c.northbound, Southbound: c.southbound}, log)
		if err != nil {
			t.Fatal(err)
		}
		if logged != c.logged {
			t.Errorf("%s: %d lines of the log warn, want %d", name, logged, c.logged)
		}
		registry := prometheus.NewPedanticRegistry()
		if err := registry.Register(databaseMetrics(databases)); err != nil {
			t.Fatal(err)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]float64)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				switch f.GetName() {
				case "ovnguard_ovn_plaintext":
					got[m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
				case "ovnguard_ovn_synced":
					if m.GetGauge().GetValue() != 0 {
						t.Errorf("%s: a database that nobody connected to is called followed", name)
					}
				default:
					t.Errorf("%s: %s of a database that was never read", name, f.GetName())
				}
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Unusable certificates for the database do not keep the webhook from starting: readiness says what is wrong, and each
// connection reads them again.
func TestUnusableCertificatesAreWaitedFor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "half-written")
	if err := os.WriteFile(file, []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	databases, err := openDatabases(
		Options{Northbound: "ssl:127.0.0.1:1", TLS: ovn.TLSFiles{CA: file, Certificate: file, Key: file}},
		logr.Discard(),
	)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		databases[0].mirror.Run(ctx)
		close(ended)
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := databases[0].current(time.Now())
		if err != nil && strings.Contains(err.Error(), file) {
			break
		}
		if time.Now().After(deadline) {
			t.Errorf("readiness says %v, want the file named", err)
			break
		}
	}
	stop()
	<-ended
}
