package standin

import (
	"context"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// removeForeign deletes, when the stand-in starts, the logical switches that belong to no subnet, whoever made them,
// unless external VPCs are spared. On the release line that does so it also deletes the port groups and switch ACLs of
// others.
func (c *controller) removeForeign(ctx context.Context) error {
	switches, err := c.nb.Switches(ctx)
	if err != nil {
		return err
	}
	for _, ls := range switches {
		if _, known := c.subnets.get("", ls.Name); known {
			continue
		}
		if c.cfg.ExternalVPC && ls.ExternalIDs[kubeovn.ExternalIDVendor] != kubeovn.Vendor {
			continue
		}
		if err := c.nb.DeleteSwitch(ctx, ls.Name); err != nil {
			return err
		}
	}
	if !c.cfg.Version.DeletesForeignGroups() {
		return nil
	}
	groups, err := c.nb.PortGroups(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if g.ExternalIDs[kubeovn.ExternalIDVendor] != kubeovn.Vendor && g.ExternalIDs[upstream.PolicyKey] == "" {
			if err := c.nb.DeletePortGroup(ctx, g.Name); err != nil {
				return err
			}
		}
	}
	acls, err := c.nb.ACLs(ctx)
	if err != nil {
		return err
	}
	var foreign []string
	for _, a := range acls {
		if a.ExternalIDs["parent"] == "" {
			foreign = append(foreign, a.UUID)
		}
	}
	for _, ls := range switches {
		if err := c.nb.DropSwitchACLs(ctx, ls.Name, foreign); err != nil {
			return err
		}
	}
	return nil
}
