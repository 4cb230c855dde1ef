package main

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// mirrorSubject is the product's client.
type mirrorSubject struct {
	db       kubeovndb.Database
	endpoint string
	mirror   *ovn.Mirror
}

func (s *mirrorSubject) sync(ctx context.Context) (err error) {
	s.mirror, err = ovn.Open(ovn.Config{Endpoints: s.endpoint, Log: logr.Discard()})
	if err != nil {
		return err
	}
	go s.mirror.Run(ctx)
	return s.mirror.WaitSynced(ctx)
}

func (s *mirrorSubject) watch(ctx context.Context, count int, ready func()) ([]time.Duration, error) {
	changes := s.mirror.Subscribe(ovn.TablePort)
	defer changes.Close()
	changes.Take() // the present state
	ready()
	all := make([]time.Duration, 0, count)
	for len(all) < count {
		events, _, err := changes.Next(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if _, now := e.Ports(); now != nil {
				if since, ok := sinceCommit(now.ExternalIDs); ok {
					all = append(all, since)
				}
			}
		}
	}
	return all, nil
}

func (s *mirrorSubject) lookups() ([]time.Duration, error) {
	state := s.mirror.Snapshot()
	some := s.db.Port(s.db.Ports / 2)
	count := func(ports iter.Seq[*ovn.Port]) (n, bytes int) {
		for p := range ports {
			n++
			bytes += len(p.Name) + len(p.PortSecurity)
		}
		return n, bytes
	}
	if n, _ := count(state.Ports().All()); n < s.db.Ports || state.Port(some.Name) == nil {
		return nil, errors.New("the mirror does not have all ports")
	}
	walk := func() bool { n, _ := count(state.Ports().All()); return n >= s.db.Ports }
	return timings(map[string]func() bool{
		walkAll:  walk,
		walkList: walk,
		byName:   func() bool { p := state.Port(some.Name); return p != nil && p.UUID == some.UUID },
		bySwitch: func() bool { n, _ := count(state.SwitchPorts(some.Switch)); return n > 1 },
	})
}
