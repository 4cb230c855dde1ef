package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/report"
)

// explainOptions are the flags of the command.
type explainOptions struct {
	connection
	told       told
	kubernetes string
	output     string
	timeout    time.Duration
}

func newExplainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain NAMESPACE/POD",
		Short: "Explain the decisions for the ports of a pod",
		Long: `Says for each NIC of a pod what was decided: the level, what is granted beside it and until when,
and every step that led there, also the refused ones and why. It uses the same function as
the webhooks, the audit and repair. With --nb it also says where the Northbound database makes
OVN enforce nothing of it; use audit to see the ports themselves.`,
		Example: "  ovnguard explain shop/web-0\n  ovnguard explain shop/web-0 --from cluster.json -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completePods,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args[0], cmd.OutOrStdout(), cmd.Flags())
		},
	}
	o.addKubernetesFlags(cmd.Flags())
	o.addNorthboundFlag(cmd.Flags())
	o.addTLSFlags(cmd.Flags())
	o.told.addFlags(cmd.Flags())
	cmd.Flags().Lookup("nb").Usage += ", or none; or a database file: PATH or file:PATH"
	addFromFlag(cmd.Flags(), &o.kubernetes, ", as for audit")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func (o *explainOptions) run(ctx context.Context, pod string, out io.Writer, flags *pflag.FlagSet) error {
	write, ok := map[string]func(io.Writer, []inventory.Port) error{
		"table": report.ExplainTable,
		"json":  report.ExplainJSON,
	}[o.output]
	if !ok {
		return usage(fmt.Errorf("--output: %q: want table or json", o.output))
	}
	namespace, name, found := strings.Cut(pod, "/")
	if !found || namespace == "" || name == "" {
		return usage(fmt.Errorf("%q: want NAMESPACE/POD", pod))
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
			return usage(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now, inv := time.Now(), inventory.New()
	if err := o.read(ctx, now, inv, flags); err != nil {
		return err
	}
	var ports []inventory.Port
	whose := inventory.PodKey{Namespace: namespace, Name: name}
	for _, port := range inv.Names() {
		if p := inv.Port(port, now); p.Pod != nil && p.Pod.PodKey == whose {
			p.Decision.Steps = slices.Concat(
				p.Decision.Told(p.Pod.Annotations, p.Provider),
				policy.InheritedSteps(inv.Query(p.Pod, p.Provider, now)),
			)
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return &exitError{
			code: exitFindings,
			err:  fmt.Errorf("pod %s has no port in OVN: it does not exist, or is on the host's network", pod),
		}
	}
	slices.SortStableFunc(ports, func(a, b inventory.Port) int {
		return cmp.Or(
			-boolOrder(a.Provider == kubeovn.DefaultProvider, b.Provider == kubeovn.DefaultProvider),
			cmp.Compare(a.Provider, b.Provider),
		)
	})
	return write(out, ports)
}

// read enters what the cluster, or a file, says.
func (o *explainOptions) read(
	ctx context.Context,
	now time.Time,
	inv *inventory.Inventory,
	flags *pflag.FlagSet,
) error {
	a := reading{connection: o.connection, told: o.told, kubernetes: o.kubernetes}
	if err := a.place(ctx, flags); err != nil {
		return err
	}
	inv.SetSetup(a.setup)
	if o.northbound != "" {
		northbound, err := a.readNorthbound(ctx, now, inv)
		if err != nil {
			return err
		}
		inv.SetOVN(o.ovn(northbound.version))
	}
	if o.kubernetes != "" {
		_, err := readClusterFile(o.kubernetes, now, inv)
		return err
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	_, err = readCluster(ctx, c, inv)
	return err
}

// boolOrder orders true behind false.
func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
