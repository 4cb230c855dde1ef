package cli

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kube"
)

const (
	// completionTimeout is how long a shell waits for names from the cluster.
	completionTimeout = 2 * time.Second
	// mostNames is how many names a completion offers.
	mostNames = 500
)

// addCompletions completes the values of flags, by their names, in all commands.
func addCompletions(cmd *cobra.Command) {
	for name, complete := range map[string]cobra.CompletionFunc{
		"output": completeOutput, "namespace": completeNamespaces, "of": completeNamespaces,
		"rule": completeRules, "rules": completeRules,
	} {
		if cmd.Flags().Lookup(name) != nil {
			_ = cmd.RegisterFlagCompletionFunc(name, complete) // only a command that completes it itself makes an error
		}
	}
	for _, sub := range cmd.Commands() {
		addCompletions(sub)
	}
}

// listed finds the words in the text of a flag, as in "table, json or yaml".
var listed = regexp.MustCompile(`[a-z]+`)

// completeOutput completes -o with the values that its text lists.
func completeOutput(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var values []cobra.Completion
	for _, word := range listed.FindAllString(cmd.Flag("output").Usage, -1) {
		if word != "or" {
			values = append(values, word)
		}
	}
	return values, cobra.ShellCompDirectiveNoFileComp
}

// completeRules completes the IDs of the rules of the audit and of the checks of admission.
func completeRules(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	add := func(id, name string) {
		if strings.HasPrefix(id, strings.ToUpper(typed)) {
			out = append(out, cobra.CompletionWithDesc(id, name))
		}
	}
	for _, r := range audit.Rules() {
		add(r.ID, r.Name)
	}
	for _, c := range admission.Checks {
		add(c.ID, c.Name)
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

var (
	namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")
	podKind       = corev1.SchemeGroupVersion.WithKind("Pod")
)

// completeNamespaces completes the names of namespaces, from the cluster.
func completeNamespaces(
	cmd *cobra.Command, _ []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return namesOf(cmd, namespaceKind, "", "", typed), cobra.ShellCompDirectiveNoFileComp
}

// completePods completes NAMESPACE/POD, first the one and then the other.
func completePods(
	cmd *cobra.Command, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return completeNamespaced(cmd, podKind, args, typed)
}

// completeExceptions completes NAMESPACE/NAME of an exception, or NAME where -n says the namespace.
func completeExceptions(
	cmd *cobra.Command, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if f := cmd.Flag("namespace"); len(args) == 0 && f != nil && f.Value.String() != "" {
		return namesOf(cmd, kube.ExceptionKind, f.Value.String(), "", typed), cobra.ShellCompDirectiveNoFileComp
	}
	return completeNamespaced(cmd, kube.ExceptionKind, args, typed)
}

// completeNamespaced completes NAMESPACE/NAME of objects of a kind.
func completeNamespaced(
	cmd *cobra.Command, kind schema.GroupVersionKind, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	namespace, name, chosen := strings.Cut(typed, "/")
	if chosen {
		return namesOf(cmd, kind, namespace, namespace+"/", name), cobra.ShellCompDirectiveNoFileComp
	}
	names := namesOf(cmd, namespaceKind, "", "", typed)
	for i := range names {
		names[i] += "/"
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// namesOf returns the names of objects that begin as typed, each with a prefix; none where the cluster does not answer
// soon.
func namesOf(
	cmd *cobra.Command, kind schema.GroupVersionKind, namespace, prefix, typed string,
) []cobra.Completion {
	var c connection
	for name, value := range map[string]*string{"kubeconfig": &c.kubeconfig, "context": &c.context} {
		if f := cmd.Flag(name); f != nil {
			*value = f.Value.String()
		}
	}
	config, err := c.rest()
	if err != nil {
		return nil
	}
	config.Timeout = completionTimeout
	parent := cmd.Context()
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithTimeout(parent, completionTimeout)
	defer cancel()
	api, err := newClient(config)
	if err != nil {
		return nil
	}
	list := &metav1.PartialObjectMetadataList{}
	kind.Kind += "List"
	list.SetGroupVersionKind(kind)
	if api.List(ctx, list, client.InNamespace(namespace), client.Limit(mostNames)) != nil {
		return nil
	}
	var names []cobra.Completion
	for i := range list.Items {
		if name := list.Items[i].Name; strings.HasPrefix(name, typed) {
			names = append(names, prefix+name)
		}
	}
	return names
}
