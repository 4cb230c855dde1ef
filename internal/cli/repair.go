package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/ovnguard/ovnguard/internal/controller"
)

func newRepairCommand() *cobra.Command {
	var o repairOptions
	cmd := &cobra.Command{
		Use:   "repair --dry-run",
		Short: "Show what repair would write now, and let it change more",
		Long: `Says what repair would write now if it started, port by port, with what is there before and after, and
what it would leave alone and why. It asks the same plan as the program in the cluster, which alone
repairs: this command writes nothing. What that program remembers of other writers is not known.

A port is written where its policy says repair: repair. "logged only" marks those of policies that
only log.
"held" marks changes that wait for a human, as repair holds them with the same limits.

Exit code: 0 nothing would be written, 1 something would, 2 wrong usage, 3 the API server or a
database could not be reached, 4 nothing would be written, but a database file is damaged.`,
		Example: "  ovnguard repair --dry-run\n  ovnguard repair --dry-run -n shop -o wide\n" +
			"  ovnguard repair --dry-run --from cluster.json --nb ovnnb_db.db\n  ovnguard repair confirm --for 10m",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.Flags())
		},
	}
	o.addFlags(cmd.Flags())
	cmd.AddCommand(newRepairConfirmCommand())
	return cmd
}

func newRepairConfirmCommand() *cobra.Command {
	var c connection
	var namespace string
	var lasting, timeout time.Duration
	cmd := &cobra.Command{
		Use:   "confirm",
		Short: "Let more ports change than repair changes by itself",
		Long: `Repair holds changes that follow from a changed decision if there are more of them than an
ordinary edit explains, and its log and the metric ovnguard_repair_waits_total{reason="held"} say
so. Look at what would change first: ovnguard audit names the ports. This command then lets them
all change, for a time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if lasting <= 0 || lasting > 24*time.Hour {
				return usage(fmt.Errorf("--for: %s: want more than 0 and at most 24h", lasting))
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return confirm(ctx, c, namespace, time.Now().Add(lasting), cmd.OutOrStdout())
		},
	}
	c.addKubernetesFlags(cmd.Flags())
	cmd.Flags().StringVar(&namespace, "namespace", namespaceDefault(), "namespace of the program")
	cmd.Flags().DurationVar(&lasting, "for", 10*time.Minute, "for how long")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func confirm(ctx context.Context, c connection, namespace string, until time.Time, out io.Writer) error {
	config, err := c.rest()
	if err != nil {
		return err
	}
	api, err := newClient(config)
	if err != nil {
		return err
	}
	text := until.UTC().Format(time.RFC3339)
	o := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: controller.ConfirmationName}}
	_, err = controllerutil.CreateOrUpdate(ctx, api, o, func() error {
		if o.Data == nil {
			o.Data = make(map[string]string)
		}
		o.Data[controller.ConfirmationKey] = text
		return nil
	})
	if err != nil {
		return unreachable(fmt.Errorf("confirm: %w", err))
	}
	_, err = fmt.Fprintf(out, "Repair may change every port until %s.\n", text)
	return err
}
