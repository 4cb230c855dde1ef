package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/upgrade"
	"github.com/ovnguard/ovnguard/portsec"
)

// upgradeOptions are the flags of the command.
type upgradeOptions struct {
	reading
	output    output
	namespace string
	// toOVN and toKubeOVN are the targets; one may be empty.
	toOVN, toKubeOVN string
	// to is the release that toKubeOVN names, and after what is known of the OVN that comes.
	to    *kubeovn.Release
	after portsec.OVN
}

func newUpgradeCheckCommand() *cobra.Command {
	var o upgradeOptions
	cmd := &cobra.Command{
		Use:   "upgrade-check --to-ovn VERSION | --to-kube-ovn TAG",
		Short: "Say which ports an upgrade of OVN or Kube-OVN opens, widens or narrows",
		Long: `Reads every port's column as the OVN that runs reads it and as the one that comes would, and lists
the ports that may send something else afterwards. With --to-kube-ovn it also lists annotations that
the releases of Kube-OVN read differently, and says whether the upgrade switches port security off
meanwhile. It ends with what to do first. Nothing is changed.

A port
  opens       if it may send from any MAC and address afterwards
  widens      if it may send from more than now
  narrows     if something that it may send now is dropped
  shifts      if both hold
  key         if Kube-OVN reads an annotation of its pod differently
  discovery   if only neighbour discovery, or protocols other than IP and ARP, are checked differently;
              such ports are counted, and -o json lists them

The OVN that runs is the one that the databases name; --ovn-version and --kube-ovn-release say more.
"may" means that it depends on which build runs, or comes.

Exit code: 0 nothing changes but how neighbour discovery is checked, 1 something does, 2 wrong usage,
3 the API server or a database could not be reached, 4 nothing changes, but a database file is damaged.`,
		Example: "  ovnguard upgrade-check --to-kube-ovn v1.15.24\n  ovnguard upgrade-check --to-ovn 25.03.3 -n shop\n" +
			"  ovnguard upgrade-check --to-ovn 24.03.8 --from cluster.json --nb ovnnb_db.db",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	flags.StringVar(&o.toOVN, "to-ovn", "", "release of OVN to upgrade to, such as 25.03.3")
	flags.StringVar(&o.toKubeOVN, "to-kube-ovn", "", "image tag of the Kube-OVN to upgrade to, such as v1.15.24; "+
		"with --to-ovn, its OVN is that one")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "only the ports of this namespace's pods")
	o.output.addOutputFlags(flags)
	return cmd
}

// target checks the flags that name the target, and returns what is known of it.
func (o *upgradeOptions) target() error {
	if o.toOVN == "" && o.toKubeOVN == "" {
		return errors.New("--to-ovn or --to-kube-ovn: is required: the release to upgrade to")
	}
	if o.toOVN != "" {
		if _, _, err := portsec.EraOf(o.toOVN); err != nil {
			return fmt.Errorf("--to-ovn: %w", err)
		}
		o.after = portsec.OVN{Version: o.toOVN}
	}
	if o.toKubeOVN == "" {
		return nil
	}
	r, err := kubeovn.ParseRelease(o.toKubeOVN)
	if err != nil {
		return fmt.Errorf("--to-kube-ovn: %w", err)
	}
	o.to = &r
	branch, known := r.OVNBranch()
	if !known && o.toOVN == "" {
		return fmt.Errorf("--to-kube-ovn: it is not known which OVN is in Kube-OVN %s; add --to-ovn", r)
	}
	if o.toOVN == "" {
		o.after.Version = branch
	}
	if o.after.From, o.after.Until, err = kubeovn.BuiltBetween(o.toKubeOVN); err != nil {
		return fmt.Errorf("--to-kube-ovn: %w", err)
	}
	return nil
}

func (o *upgradeOptions) run(ctx context.Context, out io.Writer, flags *pflag.FlagSet) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if err := o.target(); err != nil {
		return usage(err)
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	api, workloads, err := o.locate(ctx, flags)
	if err != nil {
		return err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return usage(err)
	}
	now := time.Now()
	seen, err := o.look(ctx, now, api)
	if err != nil {
		return err
	}
	if err := seen.checkNamespace(o.namespace); err != nil {
		return usage(err)
	}
	from, note := o.running(workloads)
	before := o.ovn(seen.northbound.version)
	if from != nil && before.Version == "" {
		before.Version, _ = from.OVNBranch()
	}
	state := seen.inv.Snapshot()
	r := newUpgradeReport(upgrade.Check(
		func(yield func(inventory.Port) bool) {
			for _, name := range seen.inv.Names() {
				p := state.Port(name, now)
				if o.namespace != "" && (p.Pod == nil || p.Pod.Namespace != o.namespace) {
					continue
				}
				if !yield(p) {
					return
				}
			}
		},
		upgrade.Plan{Before: before.Eras(), After: o.after.Eras(), From: from, To: o.to},
	), seen.results)
	r.Before, r.After = upgradeSide(before, from), upgradeSide(o.after, o.to)
	r.First = o.first(&r, flags)
	r.Notes = append(append(r.Notes, seen.notes...), note...)
	if err := o.output.put(out, r.answer()); err != nil {
		return err
	}
	return r.verdict(seen.damage)
}

// locate finds out how Kube-OVN is laid out, and which workloads of it run; none where the cluster is a file.
func (o *reading) locate(ctx context.Context, flags *pflag.FlagSet) (client.Reader, []layout.Workload, error) {
	if o.kubernetes != "" {
		return nil, nil, o.place(ctx, flags)
	}
	if err := o.place(ctx, flags); err != nil {
		return nil, nil, err
	}
	c, err := o.client()
	if err != nil {
		return nil, nil, err
	}
	_, evidence, err := evident(ctx, c, o.told.wanted(flags, o.northbound))
	return c, evidence.Workloads, err
}

// running returns the release of Kube-OVN that runs: the one that the flag names, or else the one that all workloads
// have. The note says why it is not known.
func (o *upgradeOptions) running(workloads []layout.Workload) (r *kubeovn.Release, note []string) {
	tags := []string{}
	if o.kubeOVN != "" {
		tags = append(tags, o.kubeOVN)
	} else {
		for _, w := range workloads {
			if at := strings.LastIndex(w.Image, ":"); at >= 0 && !slices.Contains(tags, w.Image[at+1:]) {
				tags = append(tags, w.Image[at+1:])
			}
		}
	}
	if len(tags) == 1 {
		if is, err := kubeovn.ParseRelease(tags[0]); err == nil {
			return &is, nil
		}
	}
	if o.to == nil {
		return nil, nil
	}
	return nil, []string{"it is not known which release of Kube-OVN runs, so that every annotation is listed that " +
		"an earlier one may read differently; --kube-ovn-release says it"}
}
