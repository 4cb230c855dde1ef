package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/report"
)

// explainOptions are the flags of the command.
type explainOptions struct {
	connection
	kubernetes string
	output     string
	timeout    time.Duration
}

func newExplainCommand() *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain NAMESPACE/POD",
		Short: "Say why the ports of a pod are what they are",
		Long: `Says for each NIC of a pod what was decided: the level, what is granted beside it and until when,
and every step that led there, with those that were refused and why. It asks the same function as
the webhooks, the audit and repair do, and no OVN.`,
		Example: "  ovnguard explain shop/web-0\n  ovnguard explain shop/web-0 --kubernetes cluster.json -o json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args[0], cmd.OutOrStdout()) },
	}
	o.addKubernetesFlags(cmd.Flags())
	cmd.Flags().StringVar(&o.kubernetes, "kubernetes", "", "file with the cluster's objects instead of a cluster, as for audit")
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func (o *explainOptions) run(ctx context.Context, pod string, out io.Writer) error {
	write, ok := map[string]func(io.Writer, []inventory.Port) error{"table": report.ExplainTable, "json": report.ExplainJSON}[o.output]
	if !ok {
		return usage(fmt.Errorf("--output: %q: want table or json", o.output))
	}
	namespace, name, found := strings.Cut(pod, "/")
	if !found || namespace == "" || name == "" {
		return usage(fmt.Errorf("%q: want NAMESPACE/POD", pod))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	now, inv := time.Now(), inventory.New()
	if err := o.read(ctx, now, inv); err != nil {
		return err
	}
	var ports []inventory.Port
	for _, port := range inv.Names() {
		if p := inv.Port(port, now); p.Pod != nil && p.Pod.PodKey == (inventory.PodKey{Namespace: namespace, Name: name}) {
			ports = append(ports, p)
		}
	}
	if len(ports) == 0 {
		return &exitError{code: exitFindings, err: fmt.Errorf("pod %s has no port in OVN: it does not exist, or is on the host's network", pod)}
	}
	slices.SortStableFunc(ports, func(a, b inventory.Port) int {
		return cmp.Or(-boolOrder(a.Provider == kubeovn.DefaultProvider, b.Provider == kubeovn.DefaultProvider), cmp.Compare(a.Provider, b.Provider))
	})
	return write(out, ports)
}

// read enters what the cluster, or a file, says.
func (o *explainOptions) read(ctx context.Context, now time.Time, inv *inventory.Inventory) error {
	if o.kubernetes != "" {
		_, err := readClusterFile(o.kubernetes, now, inv)
		return err
	}
	a := auditOptions{connection: o.connection}
	c, err := a.apiServer()
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
