package labcmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

func newUpCommand() *cobra.Command {
	var options up.Options
	command := &cobra.Command{
		Use:   "up",
		Short: "Start a lab and keep it until Ctrl-C",
		Long: `Starts a lab, says how to reach it, and keeps it until Ctrl-C, SIGTERM or
"ovnguard-lab down". What a killed lab left in the state directory is swept first.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Log = cmd.ErrOrStderr()
			return runUp(cmd.Context(), options, cmd.OutOrStdout())
		},
	}
	stateDirFlag(command, &options.StateDir)
	flags := command.Flags()
	flags.IntVar(&options.Nodes, "nodes", 0, "how many nodes (default 1, or as many as --kubelet)")
	flags.IntVar(
		&options.Kubelets,
		"kubelet",
		0,
		"how many of the nodes, from the first, have a real kubelet and run containers",
	)
	flags.BoolVar(&options.KeepData, "keep-data", false, "start with the data of the last lab in the state directory")
	flags.StringVar(
		&options.KubeOVN.Version,
		"kube-ovn-version",
		"",
		"whose behaviour Kube-OVN's stand-in has: master, 1.15 or 1.14 (default master)",
	)
	flags.DurationVar(
		&options.KubeOVN.InspectInterval,
		"kube-ovn-inspect-interval",
		0,
		"how often Kube-OVN's stand-in looks for missing ports (default 20s)",
	)
	flags.BoolVar(
		&options.Audit,
		"audit-log",
		false,
		"have kube-apiserver keep an audit log, log/audit.log in the state directory",
	)
	return command
}

func runUp(ctx context.Context, options up.Options, stdout io.Writer) error {
	ctx, restore := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer restore()
	lab, err := up.Start(ctx, options)
	if err != nil {
		return err
	}
	printReady(stdout, lab.Info())
	<-ctx.Done()
	// A second Ctrl-C ends this program at once; the kernel then ends the children, and the next up or down removes the
	// rest.
	restore()
	_, _ = fmt.Fprintln(options.Log, "stopping the lab")
	return lab.Stop()
}

// printReady prints how to reach the lab. The lines can be pasted into a shell.
func printReady(w io.Writer, info state.Info) {
	_, _ = fmt.Fprintf(w, `lab %s is ready (%s)

  export KUBECONFIG=%s
  export OVN_NB_DB=%s
  export OVN_SB_DB=%s

`, info.ID, info.ReadyIn, info.Kubeconfigs[controlplane.AdminIdentity], info.NB, info.SB)
	_, _ = fmt.Fprintf(w, "  %-11s %s\n", "API server", info.APIServer)
	_, _ = fmt.Fprintf(
		w,
		"  %-11s %s (may edit namespace %s)\n",
		"tenant",
		info.Kubeconfigs[controlplane.TenantIdentity],
		controlplane.TenantNamespace,
	)
	for _, node := range info.Nodes {
		_, _ = fmt.Fprintf(w, "  %-11s netns %s, ovs-vsctl --db=%s\n", node.Name, node.Netns, node.OVSDB)
		if node.Containerd != "" {
			_, _ = fmt.Fprintf(w, "  %-11s ctr --address %s --namespace k8s.io\n", "", node.Containerd)
		}
	}
	_, _ = fmt.Fprintf(w, "\nCtrl-C stops it, and so does: ovnguard-lab down --state-dir %s\n", info.StateDir)
}
