package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/yaml"
	yamlprinter "sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

func newRenderCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "render", Short: "Write manifests"}
	cmd.AddCommand(newRenderPoliciesCommand())
	return cmd
}

func newRenderPoliciesCommand() *cobra.Command {
	var path, namespace string
	var accounts admission.Accounts
	cmd := &cobra.Command{
		Use:   "admission-policies",
		Short: "Write the admission policies that hold the default and the floor without the webhooks",
		Long: "Writes MutatingAdmissionPolicies and ValidatingAdmissionPolicies " +
			"(admissionregistration.k8s.io/v1)\nwith their bindings, as YAML. The API server evaluates them " +
			"itself: with no webhook in reach, a new\npod is still strict and a loosening is still " +
			"refused.\n\nThey are made from the cluster's PortSecurityPolicies. --policies reads these from a " +
			"file: the output of\n`kubectl get portsecuritypolicies -o yaml` gives. Where policies change, " +
			"render again, or let\n`ovnguard controller --admission-policies` keep them.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var policies []v1alpha1.PortSecurityPolicy
			if path != "" {
				data, err := os.ReadFile(path)
				if err == nil {
					policies, err = readPolicies(data)
				}
				if err != nil {
					return usage(fmt.Errorf("--policies: %w", err))
				}
			}
			// The account of deploy/controller.yaml: nothing tells here under which one the program runs.
			accounts.Self = []string{"system:serviceaccount:" + namespace + ":ovnguard"}
			set, err := admissionpolicy.Make(
				admissionpolicy.Input{Policies: policies, Accounts: accounts, Namespace: namespace},
			)
			if err != nil {
				return usage(fmt.Errorf("--policies: %w", err))
			}
			return writePolicies(cmd.OutOrStdout(), set)
		},
	}
	cmd.Flags().StringVar(&path, "policies", "", "file with the cluster's PortSecurityPolicies, YAML or JSON")
	cmd.Flags().
		StringVar(&namespace, "namespace", namespaceDefault(), "namespace of ovnguard; its pods must start "+
			"without ovnguard")
	addAccounts(cmd.Flags(), &accounts)
	addKubeOVNAccounts(
		cmd.Flags(),
		&accounts,
		admission.DefaultAccounts().KubeOVN,
		"; `ovnguard doctor` lists them",
	)
	return cmd
}

// readPolicies reads PortSecurityPolicies: documents, or a list of them. Other kinds are an error.
func readPolicies(data []byte) ([]v1alpha1.PortSecurityPolicy, error) {
	var out []v1alpha1.PortSecurityPolicy
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for n := 1; ; n++ {
		var document struct {
			v1alpha1.PortSecurityPolicy `json:",inline"`

			Items []v1alpha1.PortSecurityPolicy `json:"items"`
		}
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("document %d: %w", n, err)
		case document.Kind == "PortSecurityPolicy":
			out = append(out, document.PortSecurityPolicy)
		case document.Kind == "PortSecurityPolicyList" || document.Kind == "List":
			for i, p := range document.Items {
				if p.Kind != "" && p.Kind != "PortSecurityPolicy" {
					return nil, fmt.Errorf("document %d: items[%d] is a %s, want PortSecurityPolicies", n, i, p.Kind)
				}
				out = append(out, p)
			}
		case document.Kind != "":
			return nil, fmt.Errorf("document %d is a %s, want PortSecurityPolicies", n, document.Kind)
		}
	}
}

func writePolicies(w io.Writer, set admissionpolicy.Set) error {
	var objects []any
	for i := range set.Mutating {
		objects = append(objects, set.Mutating[i])
	}
	for i := range set.Validating {
		objects = append(objects, set.Validating[i])
	}
	for i := range set.MutatingBindings {
		objects = append(objects, set.MutatingBindings[i])
	}
	for i := range set.ValidatingBindings {
		objects = append(objects, set.ValidatingBindings[i])
	}
	for _, o := range objects {
		text, err := yamlprinter.Marshal(o)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", text); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}
