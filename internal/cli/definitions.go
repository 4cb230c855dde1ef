package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/deploy"
)

// definitionsOptions are the flags of the command.
type definitionsOptions struct {
	connection
	apply   bool
	timeout time.Duration
}

func newDefinitionsCommand() *cobra.Command {
	var o definitionsOptions
	cmd := &cobra.Command{
		Use:   "definitions",
		Short: "Write the resource definitions of this version, or apply them",
		Long: `Writes the CustomResourceDefinitions of PortSecurityPolicy and PortSecurityException as YAML. With
--apply they are applied to the cluster instead, as an upgrade needs: Helm installs definitions, and never
changes them afterwards. Applying takes the rights to get and patch these two definitions, and to create any
where they are missing. Nothing that people wrote is touched.

Exit code: 0 done, 2 wrong usage, 3 the API server could not be reached or refused.`,
		Example: "  ovnguard definitions\n  ovnguard definitions --apply",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	o.addKubernetesFlags(cmd.Flags())
	cmd.Flags().BoolVar(&o.apply, "apply", false, "apply them to the cluster")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 30*time.Second, "how long to wait for the API server")
	return cmd
}

func (o *definitionsOptions) run(ctx context.Context, out io.Writer) error {
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	all := [][]byte{deploy.ExceptionDefinition, deploy.PolicyDefinition}
	if !o.apply {
		_, err := out.Write(slices.Concat(all...))
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	_, api, err := o.connect(ctx)
	if err != nil {
		return err
	}
	for _, text := range all {
		definition := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &definition.Object); err != nil {
			return err
		}
		name := definition.GetName()
		err := api.Apply(ctx, client.ApplyConfigurationFromUnstructured(definition),
			client.FieldOwner("ovnguard"), client.ForceOwnership)
		if err != nil {
			return unreachable(fmt.Errorf("apply CustomResourceDefinition %s: %w", name, err))
		}
		if _, err := fmt.Fprintln(out, "applied", "CustomResourceDefinition", name); err != nil {
			return err
		}
	}
	return nil
}
