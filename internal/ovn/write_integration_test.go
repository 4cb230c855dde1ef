//go:build integration

package ovn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	s := newNB(t)
	s.nbctl(
		"ls-add",
		"sw",
		"--",
		"lsp-add",
		"sw",
		"p",
		"--",
		"lsp-set-addresses",
		"p",
		"0a:00:00:00:00:01 10.0.0.1",
		"unknown",
		"--",
		"set",
		"Logical_Switch_Port",
		"p",
		"external_ids:pod=ns/p",
		`external_ids:odd="x y \" ü"`,
	)
	f := follow(t, Config{Endpoints: s.Endpoint()})
	p := f.Snapshot().Port("p")
	all := []string{"external_ids", "options", "enabled", "up", "parent_name", "tag", "addresses", "port_security"}
	outcomes, err := f.Write(t.Context(), Write{
		Port: p, Guard: all,
		PortSecurity: &[]string{"0a:00:00:00:00:01 10.0.0.1"}, Addresses: &[]string{"0a:00:00:00:00:01 10.0.0.1"},
	})
	if err != nil || outcomes[0].Result != Written || outcomes[0].Err != nil {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	// A write is visible at once.
	now := f.Snapshot().Port("p")
	if !slices.Equal(now.PortSecurity, []string{"0a:00:00:00:00:01 10.0.0.1"}) ||
		!slices.Equal(now.Addresses, now.PortSecurity) {
		t.Errorf("the mirror has %+v", now)
	}
	f.settle(s.Server)
	// With the row from before, nothing can be written any more, and nothing is.
	outcomes, err = f.Write(t.Context(), Write{Port: p, PortSecurity: &[]string{}})
	if err != nil || outcomes[0].Result != Conflict || !errors.Is(outcomes[0].Err, errChanged) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	// Another column of the row does not matter unless it is guarded.
	s.nbctl("set", "Logical_Switch_Port", "p", "external_ids:pod=ns/other")
	f.settle(s.Server)
	if outcomes, err = f.Write(
		t.Context(),
		Write{Port: now, PortSecurity: &[]string{}, Guard: []string{"external_ids"}},
	); err != nil ||
		outcomes[0].Result != Conflict {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	if outcomes, err = f.Write(
		t.Context(),
		Write{Port: now, PortSecurity: &[]string{}},
	); err != nil ||
		outcomes[0].Result != Written {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	now = f.Snapshot().Port("p")
	s.nbctl("lsp-del", "p")
	f.settle(s.Server)
	if outcomes, err = f.Write(
		t.Context(),
		Write{Port: now, PortSecurity: &[]string{}},
	); err != nil || outcomes[0].Result != Conflict ||
		!errors.Is(outcomes[0].Err, errGone) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
}

// The server decides, even where the mirror does not know yet; the other writes of the batch are made all the same.
func TestWriteConflictsThatOnlyTheServerSees(t *testing.T) {
	s := newNB(t)
	const ports = 230 // needs more than two transactions
	addPorts(s, ports)
	f := follow(t, Config{Endpoints: s.Endpoint()})
	var writes []Write
	for i := range ports {
		p := *f.Snapshot().Port(fmt.Sprintf("p%d", i))
		switch i % 50 {
		case 7:
			p.PortSecurity = []string{"something else"}
		case 30:
			p.UUID = "3f2c1a7e-0000-4000-8000-000000000001" // gone
		}
		writes = append(writes, Write{Port: &p, PortSecurity: &[]string{"0a:00:00:00:00:01"}})
	}
	outcomes := make([]Outcome, ports)
	for batch := range slices.Chunk(slices.Collect(func(yield func(int) bool) {
		for i := range ports {
			if !yield(i) {
				return
			}
		}
	}), writeBatch) {
		for len(batch) > 0 {
			batch = f.session.write(t.Context(), writes, batch, outcomes)
		}
	}
	for i, o := range outcomes {
		want := Written
		if i%50 == 7 || i%50 == 30 {
			want = Conflict
		}
		if o.Result != want {
			t.Errorf("write %d: %+v, want %s", i, o, want)
		}
		got := f.Snapshot().Port(fmt.Sprintf("p%d", i)).PortSecurity
		if (len(got) == 1) != (want == Written) {
			t.Errorf("port %d has %q after %s", i, got, want)
		}
	}
	f.settle(s.Server)
}

func TestWriteWithoutConnection(t *testing.T) {
	s := newNB(t)
	addPorts(s, 1)
	f := follow(t, Config{Endpoints: s.Endpoint(), Probe: settleTime}) // so that the write is given up first
	p := f.Snapshot().Port("p0")
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	outcomes, err := f.Write(ctx, Write{Port: p, PortSecurity: &[]string{"0a:00:00:00:00:01"}})
	if err != nil || outcomes[0].Result != Unknown || !errors.Is(outcomes[0].Err, context.DeadlineExceeded) {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	f.settle(s.Server)
	s.Kill()
	until(t, "the mirror is stale", func() bool { return f.State().Phase == Stale })
	if outcomes, err := f.Write(
		t.Context(),
		Write{Port: p, PortSecurity: &[]string{}},
	); !errors.Is(err, ErrStale) ||
		outcomes != nil {
		t.Fatalf("%+v, %v", outcomes, err)
	}
}
