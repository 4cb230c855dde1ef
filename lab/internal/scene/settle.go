package scene

import (
	"context"

	"github.com/ovnguard/ovnguard/lab/internal/ovn"
)

// Settle returns when the present rows of the Northbound database take effect for frames on all nodes.
func (s *Scene) Settle(ctx context.Context) error {
	info := s.Lab.Info()
	var nodes []string
	for _, n := range info.Nodes {
		nodes = append(nodes, n.OVSDB)
	}
	return ovn.Settle(ctx, info.NB, nodes...)
}
