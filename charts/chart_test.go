package charts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/fake"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// secrets answers lookups of Secrets.
type secrets struct{ client dynamic.Interface }

// GetClientFor implements engine.ClientProvider.
func (s secrets) GetClientFor(string, string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return s.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}), true, nil
}

// certificates returns a cluster with Secrets of certificates, each as namespace/name, with its own name as content.
func certificates(t *testing.T, names ...string) engine.ClientProvider {
	t.Helper()
	var all []runtime.Object
	for _, name := range names {
		ns, n, _ := strings.Cut(name, "/")
		all = append(all, &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: n},
			Data:       map[string][]byte{"cacert": []byte(name), "cert": []byte("cert"), "key": []byte("key")},
		})
	}
	return secrets{fake.NewSimpleDynamicClient(clientgoscheme.Scheme, all...)}
}

// everything are values with which everything is installed.
var everything = []string{
	"metrics.enabled=true", "metrics.serviceMonitor.enabled=true", "metrics.rules.enabled=true",
	"metrics.dashboard.enabled=true", "priorityClassQuota.create=true", "uninstall.ports=narrow",
	"clientCA.configMap=authorities", "imagePullSecrets={mine}", "nodeSelector.role=infra",
	"networkPolicy.metricsFrom[0].ipBlock.cidr=10.0.0.0/8", "env[0].name=A", "env[0].value=b",
}

// foreign are the groups that Kubernetes itself does not have.
var foreign = []string{"monitoring.coreos.com", "ovnguard.io"}

// Every object of Kubernetes is read as strictly as by an API server that refuses unknown fields, for each version of
// Kubernetes; nothing depends on that.
func TestObjectsAreStrict(t *testing.T) {
	strict := serializer.NewCodecFactory(clientgoscheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	first := ""
	for _, version := range []string{"1.31.0", "1.32.9", "1.33.5", "1.34.1", "1.35.0", "1.36.2", "1.37.2"} {
		text := rendered(t, options{set: everything, version: version})
		if first == "" {
			first = text
		} else if text != first {
			t.Errorf("Kubernetes %s gets another rendering than 1.31", version)
		}
	}
	for _, set := range [][]string{everything, nil, {"plain=true"}} {
		for _, o := range objects(t, rendered(t, options{set: set})) {
			if slices.Contains(foreign, o.GroupVersionKind().Group) {
				continue
			}
			text, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := strict.Decode(text, nil, nil); err != nil {
				t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
			}
		}
	}
}

// Kube-OVN's certificates are copied where Helm sees them, and a Secret that somebody else made is left alone.
func TestCertificatesAreCopied(t *testing.T) {
	copied := func(cluster engine.ClientProvider, set ...string) string {
		for _, o := range objects(t, rendered(t, options{cluster: cluster, set: set})) {
			if o.GetKind() == "Secret" && o.GetName() == "ovnguard-northbound" {
				data, _, err := unstructured.NestedString(o.Object, "data", "cacert")
				if err != nil {
					t.Fatal(err)
				}
				return data
			}
		}
		return ""
	}
	const encoded = "a3ViZS1zeXN0ZW0va3ViZS1vdm4tdGxz" // kube-system/kube-ovn-tls
	if got := copied(certificates(t, "kube-system/kube-ovn-tls")); got != encoded {
		t.Errorf("copied %q, want %q", got, encoded)
	}
	if got := copied(certificates(t)); got != "" {
		t.Errorf("copied %q from nowhere", got)
	}
	if got := copied(certificates(t, "kube-system/kube-ovn-tls", namespace+"/ovnguard-northbound")); got != "" {
		t.Errorf("somebody's Secret is replaced by %q", got)
	}
	if got := copied(certificates(t, "kube-system/kube-ovn-tls"), "northbound.copy.enabled=false"); got != "" {
		t.Errorf("copied %q although that is off", got)
	}
}

// Nothing is cut off, and no pod with NICs outside OVN is refused, by what is installed by default.
func TestDefaultsCutNobodyOff(t *testing.T) {
	policy := find(t, objects(t, rendered(t, options{})), "PortSecurityPolicy", "ovnguard-default")
	want := map[string]any{"priority": int64(-1000), "mode": "enforce", "repair": "log"}
	got, _, err := unstructured.NestedMap(policy.Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(want) != fmt.Sprint(got) {
		t.Errorf("the default policy is %v, want %v", got, want)
	}
}

// Pods of hooks are taken by no selector of the controller's: they answer no review, and count in no budget.
func TestHooksAreNoReplicas(t *testing.T) {
	hooks := 0
	for _, o := range objects(t, rendered(t, options{set: everything})) {
		labels := o.GetLabels()
		if o.GetKind() == "Job" {
			var err error
			labels, _, err = unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
			if err != nil {
				t.Fatal(err)
			}
		} else if o.GetKind() != "Pod" {
			continue
		}
		hooks++
		if labels["app.kubernetes.io/name"] == "ovnguard" {
			t.Errorf("%s %s passes for a replica: %v", o.GetKind(), o.GetName(), labels)
		}
	}
	if hooks != 3 {
		t.Errorf("%d pods of hooks, want those of uninstalling, of definitions and of the test", hooks)
	}
}

// The definitions in the chart are those that are generated, and manifests for kubectl have nothing that only Helm
// understands.
func TestDefinitionsAreGenerated(t *testing.T) {
	files, err := filepath.Glob("../deploy/crds/*.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("ovnguard/crds", filepath.Base(file)))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s is another one in the chart: run make manifests; %v", file, err)
		}
	}
	if text := rendered(t, options{set: []string{"plain=true"}}); strings.Contains(text, "helm.sh/") ||
		strings.Contains(text, "managed-by") {
		t.Error("manifests for kubectl have labels or hooks of Helm's")
	}
}

// The notes say how to prove the mode, and what it means.
func TestNotes(t *testing.T) {
	for set, says := range map[string]string{
		"policy.mode=enforce":  "New pods are strict",
		"policy.mode=warn":     "Mode warn protects nobody yet",
		"policy.mode=audit":    "Mode audit protects nobody yet",
		"policy.repair=repair": "repair puts the others right",
		"policy.repair=log":    "the audit tells which of them differ",
	} {
		files, err := render(options{set: []string{set}})
		if err != nil {
			t.Fatal(err)
		}
		notes := files["ovnguard/templates/NOTES.txt"]
		if !strings.Contains(notes, says) || !strings.Contains(notes, "helm test guard -n ovnguard-system") {
			t.Errorf("%s: the notes do not say %q:\n%s", set, says, notes)
		}
	}
}
