//go:build integration

package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// The Jobs of the chart, and the pod of its test, do what they are for with the rights that the chart gives them, and
// with no other. The last one is that of helm uninstall: pods start without the program then.
func TestHooksHaveTheirRights(t *testing.T) {
	installedForGood(t)
	text, err := exec.CommandContext(t.Context(), helm(t), "template", "guard", "../../../charts/ovnguard",
		"--namespace", ownNamespace).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := documents(t, text)
	config, err := world.Lab.RESTConfig("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	root, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, hook := range []string{"pre-upgrade", "test", "pre-delete"} {
		var args []string
		account := ""
		for _, o := range all {
			if o.GetAnnotations()["helm.sh/hook"] != hook {
				continue
			}
			path := []string{"spec"}
			switch o.GetKind() {
			case "Job":
				path = []string{"spec", "template", "spec"}
			case "Pod":
			default:
				document, err := yaml.Marshal(o.Object)
				if err != nil {
					t.Fatal(err)
				}
				if err := world.Apply(t.Context(), document); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := client.IgnoreNotFound(root.Delete(cleanup(t), o)); err != nil {
						t.Error(err)
					}
				})
				continue
			}
			containers, _, err := unstructured.NestedSlice(o.Object, append(slices.Clone(path), "containers")...)
			if err != nil || len(containers) != 1 {
				t.Fatalf("%s: %v, %v", hook, containers, err)
			}
			container, _ := containers[0].(map[string]any)
			if args, _, err = unstructured.NestedStringSlice(container, "args"); err != nil {
				t.Fatal(err)
			}
			if account, _, err = unstructured.NestedString(
				o.Object, append(slices.Clone(path), "serviceAccountName")...); err != nil {
				t.Fatal(err)
			}
		}
		if hook == "pre-delete" {
			if err := guard.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, hook+" to do what it is for", func() (bool, error) {
			out, err := asAccount(t, account, args...)
			if err != nil {
				t.Logf("%s: %v: %s", hook, err, out)
			}
			return err == nil, nil
		})
	}
	startUnguarded(t)
}

// asAccount runs the program with the token of a service account of its namespace.
func asAccount(t *testing.T, account string, args ...string) (string, error) {
	t.Helper()
	config, err := world.Lab.RESTConfig("system:serviceaccount:"+ownNamespace+":"+account,
		"system:serviceaccounts", "system:serviceaccounts:"+ownNamespace, "system:authenticated")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(api.Config{
		Clusters: map[string]*api.Cluster{"lab": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*api.AuthInfo{
			"lab": {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData},
		},
		Contexts:       map[string]*api.Context{"lab": {Cluster: "lab", AuthInfo: "lab"}},
		CurrentContext: "lab",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, append(args, "--kubeconfig", path)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
