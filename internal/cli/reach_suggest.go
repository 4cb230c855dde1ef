package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/reach"
)

// suggestOptions are the flags of the command.
type suggestOptions struct {
	reading
	output    output
	namespace string
}

func newReachSuggestCommand() *cobra.Command {
	var o suggestOptions
	cmd := &cobra.Command{
		Use:   "suggest [pod/NAME]",
		Short: "Propose the narrowest NetworkPolicy that bounds what a gateway or a namespace sends",
		Long: `Proposes an egress policy for a pod, such as a gateway that an exception grants the addresses of
others, or for all pods of a namespace. It admits what policies of the receivers admit by the
labels of the pods, name servers, and what is outside the cluster. OVN looks at the port that sends,
so that what the pods forward, or forge, is bounded as well. Read it before you apply it: what no
policy says is not known.

Exit code: 0 proposed, 2 wrong usage, 3 the API server or a database could not be reached.`,
		Example: `  ovnguard reach suggest pod/router -n shop | kubectl apply --dry-run=server -f -
  ovnguard reach suggest -n shop`,
		Args: cobra.MaximumNArgs(1),

		ValidArgsFunction: completeExplained,
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.filters = true
	o.addReadingFlags(flags, ", as for audit, with NetworkPolicies")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the pod, or the one to propose for")
	flags.StringVar(&o.output.file, "output-file", "", "file to write to, instead of standard output")
	return cmd
}

func (o *suggestOptions) run(
	ctx context.Context, args []string, out, told io.Writer, flags *pflag.FlagSet,
) error {
	var pod inventory.PodKey
	switch {
	case len(args) == 1:
		t, err := targetOf(args[0])
		if err != nil || t.kind != targetPod {
			return usage(fmt.Errorf("%q: want pod/NAME with -n, or NAMESPACE/POD", args[0]))
		}
		pod = inventory.PodKey{Namespace: t.namespace, Name: t.name}
		if pod.Namespace == "" {
			pod.Namespace = o.namespace
		}
		if pod.Namespace == "" {
			return usage(fmt.Errorf("%q: of which namespace? Write NAMESPACE/POD, or name it by -n", args[0]))
		}
	case o.namespace == "":
		return usage(errors.New("--namespace: missing: name the namespace to propose for, or a pod"))
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if err := o.output.checkFile(); err != nil {
		return usage(err)
	}
	c, notes, err := o.reached(ctx, flags)
	if err != nil {
		return err
	}
	var s reach.Suggestion
	if pod.Name != "" {
		s, err = c.SuggestForPod(pod)
	} else {
		s, err = c.SuggestForNamespace(o.namespace)
	}
	if err != nil {
		return &exitError{code: exitFindings, err: err}
	}
	for _, n := range append(notes, s.Notes...) {
		_, _ = fmt.Fprintln(told, "# "+answer.Plain(n)) // the manifest matters
	}
	manifest, err := yaml.Marshal(s.Policy)
	if err != nil {
		return err
	}
	return o.output.putText(out, func(w io.Writer) error {
		_, err := w.Write(manifest)
		return err
	})
}
