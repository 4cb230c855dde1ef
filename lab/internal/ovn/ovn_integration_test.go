//go:build integration

package ovn

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/process"
)

// Two nodes come up, know each other's tunnel, and leave nothing behind.
func TestTwoNodes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: nodes are network namespaces")
	}
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	id := fmt.Sprintf("%06x", os.Getpid())
	group := process.NewGroup(process.Options{})
	t.Cleanup(func() {
		if err := group.Stop(); err != nil {
			t.Error(err)
		}
		if err := netns.Sweep(context.Background(), id, t.Logf); err != nil {
			t.Error(err)
		}
		if left, err := netns.List(netns.Prefix(id)); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	begin := time.Now()
	central, err := StartCentral(ctx, group, filepath.Join(dir, "ovn"))
	if err != nil {
		t.Fatal(err)
	}
	if err := StartFabric(ctx, id); err != nil {
		t.Fatal(err)
	}
	var nodes []*Node
	for i, name := range []string{"node-a", "node-b"} {
		n, err := StartNode(
			ctx,
			group,
			NodeConfig{LabID: id, Name: name, Index: i + 1, Dir: filepath.Join(dir, name), SB: central.SB},
		)
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	t.Logf("central and two nodes in %v", time.Since(begin).Round(time.Millisecond))
	for i, n := range nodes {
		other := nodes[1-i].Name
		if err := n.vsctl(ctx, "wait-until", "Interface", "ovn-"+other+"-0", "type=geneve"); err != nil {
			t.Errorf("%s has no tunnel to %s: %v", n.Name, other, err)
		}
	}
}
