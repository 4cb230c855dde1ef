//go:build integration

package ovn

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// proxied is a server that the mirror reaches only through a proxy.
type proxied struct {
	*nb
	proxy *ovsdbserver.Proxy
}

func newProxied(t *testing.T, ports int) *proxied {
	t.Helper()
	s := newNB(t)
	addPorts(s, ports)
	p, err := ovsdbserver.NewProxy(filepath.Join(tempDir(t), "proxy"), s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return &proxied{s, p}
}

func (p *proxied) follow(probe time.Duration) *follower {
	p.t.Helper()
	f := follow(p.t, Config{Endpoints: p.proxy.Endpoint(), Tables: allNB, Probe: probe})
	f.settle(p.Server)
	return f
}

// change changes one port of the server, and adds or removes another.
func (p *proxied) change(round int) {
	p.t.Helper()
	args := []string{
		"lsp-set-port-security",
		fmt.Sprint("p", round%10),
		fmt.Sprintf("0a:00:00:00:%02x:%02x", round>>8, round&255),
	}
	if round%2 == 0 {
		args = append(args, "--", "lsp-add", "sw", fmt.Sprint("extra", round))
	} else {
		args = append(args, "--", "lsp-del", fmt.Sprint("extra", round-1))
	}
	p.nbctl(args...)
}

// randomness returns a test's source of randomness; a failure prints the seed that repeats it.
func randomness(t *testing.T) *rand.Rand {
	t.Helper()
	n := *seedFlag
	if n == 0 {
		n = rand.Uint64()
	}
	t.Logf("the same again: -ovn.seed=%d", n)
	return rand.New(rand.NewPCG(n, 1))
}

// Whatever happens to the bytes on the way, the mirror ends up with the server's rows, and its state never claims to
// follow the server with other rows.
func TestBrokenStream(t *testing.T) {
	random := randomness(t)
	p := newProxied(t, 50)
	f := p.follow(300 * time.Millisecond)
	faults := map[string]func() ovsdbserver.Fault{
		"cut":     func() ovsdbserver.Fault { return ovsdbserver.Fault{CutAfter: 1 + random.IntN(12000)} },
		"corrupt": func() ovsdbserver.Fault { return ovsdbserver.Fault{CorruptAfter: 1 + random.IntN(12000)} },
		"stall":   func() ovsdbserver.Fault { return ovsdbserver.Fault{StallAfter: 1 + random.IntN(12000)} },
		"split":   func() ovsdbserver.Fault { return ovsdbserver.Fault{Piece: 1 + random.IntN(50)} },
		"delay":   func() ovsdbserver.Fault { return ovsdbserver.Fault{Delay: 20 * time.Millisecond} },
	}
	round := 0
	for name, fault := range faults {
		begin, made := time.Now(), p.proxy.Connections()
		for range 12 {
			p.proxy.Set(fault())
			p.proxy.Cut() // the next connection suffers the fault
			p.change(round)
			time.Sleep(time.Duration(random.IntN(int(150 * time.Millisecond))))
			p.change(round + 1)
			round += 2
			p.proxy.Set(ovsdbserver.Fault{})
			p.proxy.Cut() // the fault may not have been reached, and must not come later
			f.settle(p.Server)
		}
		t.Logf("%s: %d connections in %v", name, p.proxy.Connections()-made, time.Since(begin).Round(time.Millisecond))
	}
}

// The first conversation can end at every byte. The mirror starts again each time, and a partial reading is never
// visible.
func TestFirstReadingCutAnywhere(t *testing.T) {
	random := randomness(t)
	p := newProxied(t, 20)
	p.nbctl("set", "NB_Global", ".", "options:northd_internal_version=23.03.1-20.27.0-70.6")
	const most = 45000 // the schema is most of it
	for range 25 {
		p.proxy.Set(ovsdbserver.Fault{CutAfter: 1 + random.IntN(most)})
		f := start(t, Config{Endpoints: p.proxy.Endpoint(), Tables: allNB})
		until(t, "an attempt was made", func() bool { return f.State().Err != nil || f.State().Synced() })
		if n := f.Snapshot().Ports().Len(); n != 0 && n != 20 {
			t.Fatalf("%d ports of 20", n)
		}
		p.proxy.Set(ovsdbserver.Fault{})
		f.settle(p.Server)
	}
}

// A corrupted byte among the changes is noticed, wherever it is, and the changes come all the same. The server goes on
// sending, so that silence cannot reveal the fault.
func TestCorruptedChanges(t *testing.T) {
	random := randomness(t)
	p := newProxied(t, 50)
	f := p.follow(300 * time.Millisecond)
	for round := range 25 {
		p.proxy.Cut()
		f.settle(p.Server)
		first := p.proxy.Passed() // bytes until it is synced, within a probe
		p.proxy.Set(ovsdbserver.Fault{CorruptAfter: first + 20 + random.IntN(400)})
		made := p.proxy.Connections() // before the cut, since the next connection may come at once
		p.proxy.Cut()
		until(t, "another connection", func() bool { return p.proxy.Connections() > made })
		p.proxy.Set(ovsdbserver.Fault{})
		begin := time.Now()
		for n := 0; p.proxy.Connections() == made+1; n++ {
			if time.Since(begin) > settleTime {
				t.Fatalf("it was not noticed after %d changes; state %+v", n, f.State())
			}
			p.change(1000*round + n)
		}
		f.settle(p.Server)
	}
}
