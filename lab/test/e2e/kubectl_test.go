//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// kubectlName is the name that makes this program the part of kubectl that fixes of findings need, on machines without
// kubectl.
const kubectlName = "kubectl"

// shell runs a command line like an administrator who has copied it from a finding: in a shell, with the lab's
// kubeconfig and database in the environment.
func shell(t *testing.T, command string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, kubectlName)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", command)
	cmd.Env = append(os.Environ(),
		"PATH="+os.Getenv("PATH")+":"+dir, // a kubectl of the machine comes first
		"KUBECONFIG="+world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity],
		"OVN_NB_DB="+world.Lab.Info().NB,
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// kubectl runs `kubectl annotate pod -n NAMESPACE NAME KEY=VALUE... KEY-... [--overwrite] [--as=USER]`, `kubectl apply
// -f -` of an exception, or `kubectl delete pod|portsecurityexceptions.ovnguard.io -n NAMESPACE NAME`, and returns an
// exit code.
func kubectl(args []string) int {
	do := annotatePod
	switch {
	case slices.Equal(args, []string{"apply", "-f", "-"}):
		do = applyException
	case len(args) > 0 && args[0] == "delete":
		do = deleteObject
	}
	if err := do(args); err != nil {
		fmt.Fprintln(os.Stderr, "kubectl:", err)
		return 1
	}
	return 0
}

// applyException applies the exception on the standard input.
func applyException([]string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := yaml.Unmarshal(text, &object.Object); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	exceptions := client.Resource(v1alpha1.GroupVersion.WithResource("portsecurityexceptions")).
		Namespace(object.GetNamespace())
	_, err = exceptions.Create(ctx, &object, metav1.CreateOptions{})
	return err
}

func deleteObject(args []string) error {
	if len(args) != 5 || args[2] != "-n" {
		return fmt.Errorf("%q: want delete RESOURCE -n NAMESPACE NAME", args)
	}
	root, known := map[string]string{
		"pod":                                "/api/v1/namespaces/%s/pods/%s",
		"portsecurityexceptions.ovnguard.io": "/apis/ovnguard.io/v1alpha1/namespaces/%s/portsecurityexceptions/%s",
	}[args[1]]
	if !known {
		return fmt.Errorf("%q: want pod or portsecurityexceptions.ovnguard.io", args[1])
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	return client.CoreV1().RESTClient().Delete().AbsPath(fmt.Sprintf(root, args[3], args[4])).Do(ctx).Error()
}

func annotatePod(args []string) error {
	if len(args) < 6 || args[0] != "annotate" || args[1] != "pod" || args[2] != "-n" {
		return fmt.Errorf("%q: want annotate pod -n NAMESPACE NAME KEY=VALUE|KEY-", args)
	}
	namespace, name := args[3], args[4]
	annotations, overwrite, as := make(map[string]string), false, ""
	for _, word := range args[5:] {
		key, value, set := strings.Cut(word, "=")
		switch {
		case word == "--overwrite":
			overwrite = true
		case key == "--as":
			as = value
		case set && value != "":
			annotations[key] = value
		case !set && strings.HasSuffix(word, "-"):
			annotations[strings.TrimSuffix(word, "-")] = ""
		default:
			return fmt.Errorf("%q: want KEY=VALUE or KEY-", word)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.Impersonate.UserName = as
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitTime)
	defer cancel()
	pods := client.CoreV1().Pods(namespace)
	pod, err := pods.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for key, value := range annotations {
		if old, has := pod.Annotations[key]; has && value != "" && old != value && !overwrite {
			return errors.New("--overwrite is false but found the following declared annotation(s): " + key)
		}
	}
	body, err := annotationPatch(annotations)
	if err != nil {
		return err
	}
	_, err = pods.Patch(ctx, name, types.MergePatchType, body, metav1.PatchOptions{})
	return err
}

// annotationPatch returns the merge patch for annotations; an empty value removes the annotation.
func annotationPatch(annotations map[string]string) ([]byte, error) {
	values := make(map[string]any, len(annotations))
	for key, value := range annotations {
		if values[key] = value; value == "" {
			values[key] = nil
		}
	}
	return json.Marshal(map[string]any{"metadata": map[string]any{"annotations": values}})
}
