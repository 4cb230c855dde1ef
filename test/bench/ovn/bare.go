package main

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"

	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// bareSubject is libovsdb's own client and cache with the same tables and columns, as its users write it. Its only
// index is the schema's, by name.
type bareSubject struct {
	db       kubeovndb.Database
	endpoint string
	client   client.Client
}

func (s *bareSubject) sync(ctx context.Context) error {
	models, err := model.NewClientDBModel("OVN_Northbound", map[string]model.Model{
		"Logical_Switch_Port": &portModel{}, "Logical_Switch": &switchModel{}, "NB_Global": &globalModel{},
	})
	if err != nil {
		return fmt.Errorf("libovsdb: %w", err)
	}
	quiet := logr.Discard()
	s.client, err = client.NewOVSDBClient(models, client.WithEndpoint(s.endpoint), client.WithLogger(&quiet))
	if err != nil {
		return fmt.Errorf("libovsdb: %w", err)
	}
	if err := s.client.Connect(ctx); err != nil {
		return fmt.Errorf("libovsdb: %w", err)
	}
	all := s.client.NewMonitor(
		client.WithTable(&portModel{}),
		client.WithTable(&switchModel{}),
		client.WithTable(&globalModel{}),
	)
	if _, err := s.client.Monitor(ctx, all); err != nil {
		return fmt.Errorf("libovsdb: %w", err)
	}
	if n := s.client.Cache().Table("Logical_Switch_Port").Len(); n < s.db.Ports {
		return fmt.Errorf("libovsdb: %d ports were read", n)
	}
	return nil
}

func (s *bareSubject) watch(ctx context.Context, count int, ready func()) ([]time.Duration, error) {
	seen := make(chan time.Duration, count)
	take := func(m model.Model) {
		if p, ok := m.(*portModel); ok {
			if since, ok := sinceCommit(p.ExternalIDs); ok {
				seen <- since
			}
		}
	}
	s.client.Cache().AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(_ string, m model.Model) { take(m) },
		UpdateFunc: func(_ string, _, m model.Model) { take(m) },
	})
	ready()
	all := make([]time.Duration, 0, count)
	for len(all) < count {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case since := <-seen:
			all = append(all, since)
		}
	}
	return all, nil
}

func (s *bareSubject) lookups() ([]time.Duration, error) {
	some := s.db.Port(s.db.Ports / 2)
	ctx := context.Background()
	return timings(map[string]func() bool{
		walkAll: func() bool {
			n, bytes := 0, 0
			for _, m := range s.client.Cache().Table("Logical_Switch_Port").RowsShallow() {
				if p, ok := m.(*portModel); ok {
					n++
					bytes += len(p.Name) + len(p.PortSecurity)
				}
			}
			return n >= s.db.Ports && bytes > 0
		},
		walkList: func() bool {
			var all []portModel
			return s.client.List(ctx, &all) == nil && len(all) >= s.db.Ports
		},
		byName: func() bool {
			p := portModel{Name: some.Name}
			return s.client.Get(ctx, &p) == nil && p.UUID == some.UUID
		},
		bySwitch: func() bool {
			var switches []switchModel
			if s.client.WhereCache(func(l *switchModel) bool { return l.Name == some.Switch }).
				List(ctx, &switches) !=
				nil ||
				len(switches) != 1 {
				return false
			}
			for _, uuid := range switches[0].Ports {
				if s.client.Get(ctx, &portModel{UUID: uuid}) != nil {
					return false
				}
			}
			return true
		},
	})
}
