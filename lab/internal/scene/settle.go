package scene

import (
	"context"

	"github.com/ovnguard/ovnguard/lab/internal/ovn"
)

// Settle returns when frames on all nodes meet what the Northbound database says now.
func (s *Scene) Settle(ctx context.Context) error {
	info := s.Lab.Info()
	var nodes []string
	for _, n := range info.Nodes {
		nodes = append(nodes, n.OVSDB)
	}
	return ovn.Settle(ctx, info.NB, nodes...)
}
