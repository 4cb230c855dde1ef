package scene

import (
	"context"
	"fmt"
	"strings"
)

// AwaitGroup waits until a port group has that many ports, and ACLs: the rows of a NetworkPolicy, a SecurityGroup or a
// node. They take effect for frames after Settle.
func (s *Scene) AwaitGroup(ctx context.Context, group string, ports int) error {
	return Wait(ctx, fmt.Sprintf("port group %s with %d ports", group, ports), func() (bool, error) {
		row, err := s.Nbctl(ctx, "--bare", "--columns=ports,acls", "find", "port_group", "name="+group)
		if err != nil {
			return false, err
		}
		members, acls, _ := strings.Cut(row, "\n")
		return len(strings.Fields(members)) == ports && acls != "", nil
	})
}
