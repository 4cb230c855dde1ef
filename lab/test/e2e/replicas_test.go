//go:build integration

package e2e

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// Two replicas answer behind one address. While pods are made all the time, the certificate is replaced and one replica
// is killed: no pod is ever made loose, and few are refused, with a reason.
func TestReplicasUnderLoad(t *testing.T) {
	front := behindFront(t)
	second := replica(t)
	front.add(second.Webhook)
	awaitSelfTest(t, true)

	load := startLoad(t)
	load.await(t, 40)
	secrets, name := world.Kube.CoreV1().Secrets("ovnguard-system"), "ovnguard-webhook-certificate"
	if err := secrets.Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new certificate to be registered", func() (bool, error) {
		secret, err := secrets.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || len(secret.Data["ca.crt"]) == 0 {
			return false, nil //nolint:nilerr // it is not there yet
		}
		now, err := guard.Registration(t.Context())
		return err == nil && len(now.Webhooks) > 0 &&
			strings.Contains(string(now.Webhooks[0].ClientConfig.CABundle), string(secret.Data["ca.crt"])), err
	})
	fresh, err := secrets.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, replica := range []*scene.Guard{guard, second} {
		eventually(
			t,
			"the new certificate to be served",
			func() (bool, error) { return servesAt(t, replica.Webhook, fresh.Data[corev1.TLSCertKey]), nil },
		)
	}
	load.await(t, 40)
	rotation := load.refused.Load()
	if err := second.Kill(); err != nil {
		t.Fatal(err)
	}
	load.await(t, 40)
	eventually(t, "pods to be made and none to be refused", func() (bool, error) {
		before := load.refused.Load()
		load.await(t, 20)
		return load.refused.Load() == before, nil
	})
	load.stop()
	t.Logf("%d pods strict, %d refused while the certificate was made again, %d when a replica was killed",
		load.strict.Load(), rotation, load.refused.Load()-rotation)
	if n := load.loose.Load(); n > 0 {
		t.Errorf("%d pods were made that are not strict", n)
	}
	// Requests under way when the replica died cannot be answered, and neither can those that come before the API server
	// knows that its connection ended.
	if n := load.refused.Load() - rotation; n > 10*loadAtATime {
		t.Errorf("%d pods were refused although a replica was there", n)
	}
	if rotation > 0 {
		t.Errorf("%d pods were refused while the certificate was made again: %v", rotation, load.why.Load())
	}
}

// loadAtATime is the number of concurrent requests for pods, loadPause the pause of each before the next.
const (
	loadAtATime = 2
	loadPause   = 20 * time.Millisecond
)

// load makes pods, as a dry run, until it is stopped.
type load struct {
	strict, loose, refused atomic.Int64
	why                    atomic.Value
	stop                   func()
}

func startLoad(t *testing.T) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{}
	var all sync.WaitGroup
	l.stop = func() {
		cancel()
		all.Wait()
	}
	t.Cleanup(l.stop)
	p := tenant(t)
	for range loadAtATime {
		all.Go(func() {
			for ctx.Err() == nil {
				pod, err := p.dryRun(cleanup(t), tenantNamespace, map[string]string{portSecurity: "false"})
				l.count(pod, err)
				time.Sleep(loadPause)
			}
		})
	}
	return l
}

func (l *load) count(pod *corev1.Pod, err error) {
	switch {
	case err != nil:
		l.refused.Add(1)
		l.why.Store(err.Error())
	case pod.Annotations[portSecurity] != "true":
		l.loose.Add(1)
	default:
		l.strict.Add(1)
	}
}

// await waits until that many more pods were made strict.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	until := l.strict.Load() + n
	eventually(t, "pods to be made", func() (bool, error) { return l.strict.Load() >= until, nil })
}

// replica starts the program a second time, in addition to the one of all tests, until the test ends.
func replica(t *testing.T) *scene.Guard {
	t.Helper()
	second, err := guard.Replica(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Stop(); err != nil {
			t.Error(err)
		}
	})
	return second
}

// front is one address with several servers behind it, like a Service: it distributes connections, and skips servers
// that accept none.
type front struct {
	address string
	mu      sync.Mutex
	servers []string
	next    int
	conns   map[net.Conn]bool
	way     handling
	// blind makes it also choose a server that accepts no connections, like a Service before the node has heard of it.
	blind bool
}

// handling is the handling of connections to a front.
type handling int

const (
	// open: they are forwarded.
	open handling = iota
	// shut: they are closed at once, as if nobody listened.
	shut
	// silent: they are accepted, and no answer ever comes, as if packets were dropped.
	silent
)

// behindFront makes the API server reach the program through a front, and the program test itself each second, until
// the test ends.
func behindFront(t *testing.T) *front {
	t.Helper()
	f := newFront(t, guard.Webhook)
	if err := guard.Restart(
		t.Context(),
		"--selftest-interval=1s",
		"--webhook-url=https://"+strings.Replace(f.address, "127.0.0.1", "localhost", 1),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
		f.set(shut) // so that later requests do not use it
		awaitWebhook(t)
	})
	return f
}

func newFront(t *testing.T, server string) *front {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &front{address: listener.Addr().String(), servers: []string{server}, conns: make(map[net.Conn]bool)}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		f.set(shut)
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the listener is closed
			}
			go f.pass(conn)
		}
	}()
	return f
}

func (f *front) add(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers = append(f.servers, server)
}

// set sets the handling of all new connections. Existing ones end.
func (f *front) set(w handling) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.way = w
	for conn := range f.conns {
		_ = conn.Close()
	}
}

func (f *front) remove(server string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers = slices.DeleteFunc(slices.Clone(f.servers), func(s string) bool { return s == server })
}

// pass connects a connection with the next server that accepts one.
func (f *front) pass(conn net.Conn) {
	f.mu.Lock()
	servers, first, goes, tries := f.servers, f.next, f.way, len(f.servers)
	if f.next++; f.blind {
		tries = 1
	}
	f.conns[conn] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.conns, conn)
		f.mu.Unlock()
		_ = conn.Close()
	}()
	switch goes {
	case open:
	case shut:
		return
	case silent:
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	for i := range tries {
		server, err := net.DialTimeout("tcp", servers[(first+i)%len(servers)], time.Second)
		if err != nil {
			continue
		}
		defer func() { _ = server.Close() }()
		go func() {
			_, _ = io.Copy(server, conn)
			_ = server.Close()
		}()
		_, _ = io.Copy(conn, server)
		return
	}
}
