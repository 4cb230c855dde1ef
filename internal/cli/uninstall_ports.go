package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
	"github.com/ovnguard/ovnguard/internal/uninstall"
)

// narrower returns what takes from ports what exceptions granted. It makes sure first that the database is known and
// answers: afterwards there is no program that could do it.
func (o *uninstallOptions) narrower(
	ctx context.Context, api client.Client, flags *pflag.FlagSet,
) (func(context.Context) ([]uninstall.Line, error), error) {
	if err := o.place(ctx, flags); err != nil {
		return nil, err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return nil, usage(err)
	}
	if path, file := databaseFile(o.northbound); file {
		return nil, usage(fmt.Errorf("--nb: %s is a file: --narrow-ports needs the running database", path))
	}
	_, stop, err := o.open(ctx, ovn.Northbound, o.northbound)
	if err != nil {
		return nil, unreachable(databaseError{fmt.Errorf("--nb: %w", err), ovn.Northbound})
	}
	stop()
	return func(ctx context.Context) ([]uninstall.Line, error) { return o.narrowPorts(ctx, api) }, nil
}

// narrowPorts takes from each port what exceptions granted, and says what each had.
func (o *uninstallOptions) narrowPorts(ctx context.Context, api client.Client) ([]uninstall.Line, error) {
	inv := inventory.New()
	inv.SetSetup(o.setup)
	if _, err := readCluster(ctx, api, inv, ""); err != nil {
		return nil, err
	}
	mirror, stop, err := o.open(ctx, ovn.Northbound, o.northbound)
	if err != nil {
		return nil, databaseError{fmt.Errorf("--nb: %w", err), ovn.Northbound}
	}
	defer stop()
	snapshot, now := mirror.Snapshot(), time.Now()
	o.enterNorthbound(snapshot, inv)
	build := o.ovn(snapshot.Version())
	inv.SetOVN(build)
	var lines []uninstall.Line
	for _, name := range inv.Names() {
		p := inv.Port(name, now)
		action, granted := repair.Ungrant(p, build.Eras(), now)
		if !granted {
			continue
		}
		line := uninstall.Line{Result: uninstall.Removed, What: "what exceptions granted to port " + name}
		switch action.Kind {
		case repair.Nothing:
			continue
		case repair.Annotate:
			line.Why = "by the annotation of pod " + p.Pod.String() + ", which Kube-OVN follows"
			if !o.DryRun {
				err = apply.Annotate(ctx, api, p.Pod.Namespace, p.Pod.Name, p.Pod.UID, action.Annotations)
			}
		case repair.Write:
			line.Why = fmt.Sprintf("port_security was [%s]", strings.Join(p.Row.PortSecurity, "; "))
			if !o.DryRun {
				err = writeRow(ctx, mirror, snapshot.Port(name), action)
			}
		case repair.Wait, repair.Frozen, repair.Contested, repair.Gateway, repair.NotProved:
			line.Result, line.Why = uninstall.Failed, "it cannot be taken: "+action.Why
		}
		if err != nil {
			line.Result, line.Why, err = uninstall.Failed, err.Error(), nil
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// writeRow writes the columns of an action, provided that the row is as it was read.
func writeRow(ctx context.Context, mirror *ovn.Mirror, row *ovn.Port, a repair.Action) error {
	w := ovn.Write{Port: row, Guard: []string{"external_ids", "addresses"}}
	if a.PortSecurity != nil {
		w.PortSecurity = &a.PortSecurity
	}
	if a.Addresses != nil {
		w.Addresses = &a.Addresses
	}
	outcomes, err := mirror.Write(ctx, w)
	switch {
	case err != nil:
		return err
	case outcomes[0].Err != nil:
		return outcomes[0].Err
	case outcomes[0].Result != ovn.Written:
		return fmt.Errorf("the row was not written: %s; run this again", outcomes[0].Result)
	}
	return nil
}
