package cli

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
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
		"rule": completeRules, "rules": completeRules, "program-namespace": completeNamespaces, "pod": completePodNames,
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

// completeNamespaces completes the names of namespaces, from the cluster.
func completeNamespaces(
	cmd *cobra.Command, _ []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	return namesOf(cmd, namespaceNames, "", "", typed), cobra.ShellCompDirectiveNoFileComp
}

// completeExplained completes KIND/NAME and NAMESPACE/POD, first the one word and then the other.
func completeExplained(
	cmd *cobra.Command, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	word, name, chosen := strings.Cut(typed, "/")
	if chosen {
		return namesOfKind(cmd, word, name), cobra.ShellCompDirectiveNoFileComp
	}
	names := namesOf(cmd, namespaceNames, "", "", typed)
	for _, k := range targetKinds {
		if strings.HasPrefix(k.words[0], typed) {
			names = append(names, k.words[0])
		}
	}
	for i := range names {
		names[i] += "/"
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeExceptions completes NAMESPACE/NAME of an exception, or NAME where -n says the namespace.
func completeExceptions(
	cmd *cobra.Command, args []string, typed string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	if f := cmd.Flag("namespace"); f != nil && f.Value.String() != "" {
		return namesOf(cmd, exceptionNames, f.Value.String(), "", typed), cobra.ShellCompDirectiveNoFileComp
	}
	if namespace, name, chosen := strings.Cut(typed, "/"); chosen {
		return namesOf(cmd, exceptionNames, namespace, namespace+"/", name), cobra.ShellCompDirectiveNoFileComp
	}
	names := namesOf(cmd, namespaceNames, "", "", typed)
	for i := range names {
		names[i] += "/"
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completePodNames completes the names of pods in the namespace of -n.
func completePodNames(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return namesOf(cmd, podNames, namespaceOf(cmd), "", typed), cobra.ShellCompDirectiveNoFileComp
}

// Lists whose names are completed.
var (
	namespaceNames = corev1.SchemeGroupVersion.WithKind("NamespaceList")
	podNames       = corev1.SchemeGroupVersion.WithKind("PodList")
	exceptionNames = v1alpha1.GroupVersion.WithKind("PortSecurityExceptionList")
)

// namesOfKind completes the name after the word and a slash: of an object in the namespace of -n, or of a pod where the
// word is a namespace.
func namesOfKind(cmd *cobra.Command, word, typed string) []cobra.Completion {
	for _, k := range targetKinds {
		if !slices.Contains(k.words, word) {
			continue
		}
		list, prefix := podNames, word+"/"
		switch k.kind {
		case targetPod:
		case targetVM:
			list = schema.GroupVersionKind{Group: kubeovn.MachineGroup, Version: "v1", Kind: "VirtualMachineList"}
		case targetPort:
			list = kube.IPKind.GroupVersion().WithKind(kube.IPKind.Kind + "List") // they have the ports' names
			return namesOf(cmd, list, "", prefix, typed)
		case targetIP, targetMAC:
			return nil
		case "Job":
			list = batchv1.SchemeGroupVersion.WithKind("JobList")
		default:
			list = appsv1.SchemeGroupVersion.WithKind(k.kind + "List")
		}
		return namesOf(cmd, list, namespaceOf(cmd), prefix, typed)
	}
	return namesOf(cmd, podNames, word, word+"/", typed)
}

// namespaceOf returns the namespace that the command line names, or else that of the kubeconfig's context.
func namespaceOf(cmd *cobra.Command) string {
	if f := cmd.Flag("namespace"); f != nil && f.Value.String() != "" {
		return f.Value.String()
	}
	return connectionOf(cmd).contextNamespace()
}

// connectionOf returns the connection that the flags of a command line name that is not complete yet.
func connectionOf(cmd *cobra.Command) *connection {
	var c connection
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.addKubernetesFlags(flags)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		same := flags.Lookup(f.Name)
		if same == nil {
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, value := range list.GetSlice() {
				_ = same.Value.Set(value) // the command line took it
			}
			return
		}
		_ = same.Value.Set(f.Value.String())
	})
	return &c
}

// namesOf returns the names of objects that begin as typed, each with a prefix; none where the cluster does not answer
// soon.
func namesOf(
	cmd *cobra.Command, kind schema.GroupVersionKind, namespace, prefix, typed string,
) []cobra.Completion {
	config, err := connectionOf(cmd).rest()
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
