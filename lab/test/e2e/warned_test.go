//go:build integration

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// The author of a workload learns early what would happen to its pods, whatever its kind, and is never refused; a
// workload without requests causes no warning.
func TestWorkloadAuthorsAreWarned(t *testing.T) {
	type object = map[string]any
	enforced := namespace(t, nil)
	warned, _ := unenforcedNamespace(t, v1alpha1.ModeWarn)
	silent, _ := unenforcedNamespace(t, v1alpha1.ModeAudit)
	const apps, batch = "/apis/apps/v1", "/apis/batch/v1"
	labels := object{"app": "till"}
	template := func(annotations map[string]string, restart string) object {
		return object{
			"metadata": object{"labels": labels, "annotations": annotations},
			"spec": object{
				"restartPolicy": restart,
				"containers":    []object{{"name": "main", "image": "example.org/nothing"}},
			},
		}
	}
	selected := func(annotations map[string]string) object {
		return object{"selector": object{"matchLabels": labels}, "template": template(annotations, "Always")}
	}
	kinds := map[string]struct {
		group, resource, path string
		spec                  func(map[string]string) object
	}{
		"Deployment":  {apps, "deployments", "spec.template", selected},
		"ReplicaSet":  {apps, "replicasets", "spec.template", selected},
		"StatefulSet": {apps, "statefulsets", "spec.template", selected},
		"DaemonSet":   {apps, "daemonsets", "spec.template", selected},
		"Job": {
			batch,
			"jobs",
			"spec.template",
			func(a map[string]string) object { return object{"template": template(a, "Never")} },
		},
		"CronJob": {batch, "cronjobs", "spec.jobTemplate.spec.template", func(a map[string]string) object {
			return object{
				"schedule":    "0 0 * * *",
				"jobTemplate": object{"spec": object{"template": template(a, "Never")}},
			}
		}},
	}
	p := admin(t)
	for kind, k := range kinds {
		t.Run(kind, func(t *testing.T) {
			// told returns this program's warnings about a workload with the annotations.
			told := func(ns string, annotations map[string]string) string {
				t.Helper()
				p.warnings.Take()
				_, err := p.do(t.Context(), http.MethodPost, k.group+"/namespaces/"+ns+"/"+k.resource+dryRun, object{
					"apiVersion": strings.TrimPrefix(
						k.group,
						"/apis/",
					),
					"kind":     kind,
					"metadata": metav1.ObjectMeta{Name: "till"},
					"spec":     k.spec(annotations),
				})
				if err != nil {
					t.Fatal(err)
				}
				return strings.Join(
					slices.DeleteFunc(
						p.warnings.Take(),
						func(w string) bool { return !strings.HasPrefix(w, "ovnguard: ") },
					),
					"\n",
				)
			}
			loose := map[string]string{portSecurity: "false", portVIPs: "10.9.9.9", "kubevirt.io/migrationJobName": "x"}
			for ns, words := range map[string][]string{
				enforced: {
					"pods would be refused: " + k.path + `.metadata.annotations["` + portVIPs + `"]`,
					"migrationJobName", portSecurity + `="false" was not applied`,
				},
				warned: {
					"pods would be refused in mode enforce: " + k.path + `.metadata.annotations["` + portVIPs + `"]`,
					"migrationJobName", portSecurity + "=true",
				},
			} {
				got := told(ns, loose)
				for _, word := range words {
					if !strings.Contains(got, word) {
						t.Errorf("the warnings lack %q:\n%s", word, got)
					}
				}
			}
			if got := told(silent, loose); got != "" {
				t.Errorf("warned under a policy that only audits:\n%s", got)
			}
			for _, annotations := range []map[string]string{
				nil, {"kubectl.kubernetes.io/default-container": "main"}, {portSecurity: "true"},
			} {
				if got := told(enforced, annotations); got != "" {
					t.Errorf("an ordinary template with %v was warned of:\n%s", annotations, got)
				}
			}
			if got := told(warned, map[string]string{portSecurity: "true"}); got != "" {
				t.Errorf("a template that is strict was warned of where policy warns:\n%s", got)
			}
		})
	}
}
