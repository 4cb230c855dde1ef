package ovn

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// vswitchdControl is the control socket of a node's ovs-vswitchd, in the directory of the node's database.
const vswitchdControl = "vswitchd.ctl"

// Settle returns when the present rows of the Northbound database take effect for frames on the nodes with these Open
// vSwitch databases. ovn-nbctl --wait=hv alone does not show that: for a moment the switch uses its cache for frames
// that it saw before.
func Settle(ctx context.Context, nb string, nodes ...string) error {
	if err := tool(ctx, "ovn-nbctl", "--db="+nb, "--timeout=30", "--wait=hv", "sync"); err != nil {
		return err
	}
	for _, ovsdb := range nodes {
		path, ok := strings.CutPrefix(ovsdb, "unix:")
		if !ok {
			return fmt.Errorf("settle: Open vSwitch's database at %q: give a node's endpoint, unix:PATH", ovsdb)
		}
		control := filepath.Join(filepath.Dir(path), vswitchdControl)
		if err := tool(ctx, "ovs-appctl", "--target="+control, "revalidator/purge"); err != nil {
			return err
		}
	}
	return nil
}
