//go:build integration

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
)

const (
	ownNamespace = "ovnguard-system"
	ownerRole    = "ovnguard-registration"
)

// installedForGood has the program run as the chart installs it, so that its registration ends with it, and puts all
// back as the world has it at the end of the test.
func installedForGood(t *testing.T) {
	t.Helper()
	t.Cleanup(func() { installAgain(t) })
	if err := guard.Restart(t.Context(), "--owner-role="+ownerRole, "--admission-policies"); err != nil {
		t.Fatal(err)
	}
	awaitWebhook(t)
	awaitPolicies(t)
}

// installAgain puts everything back after the program was taken out of the cluster.
func installAgain(t *testing.T) {
	t.Helper()
	ctx := cleanup(t)
	if err := guard.Stop(); err != nil {
		t.Error(err)
	}
	eventually(t, "namespaces that are deleted to be gone", func() (bool, error) {
		list, err := world.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		return !slices.ContainsFunc(list.Items, func(n corev1.Namespace) bool {
			return strings.HasPrefix(n.Name, "ovnguard") && n.DeletionTimestamp != nil
		}), nil
	})
	if err := world.Apply(ctx, slices.Concat(deploy.ExceptionDefinition, deploy.PolicyDefinition)); err != nil {
		t.Error(err)
	}
	eventually(t, "the definitions to be served", func() (bool, error) {
		resources, err := world.Kube.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		return err == nil && len(resources.APIResources) > 0, nil
	})
	if err := world.Apply(ctx, deploy.RBAC); err != nil {
		t.Error(err)
	}
	if err := guard.Restart(ctx); err != nil {
		t.Error(err)
	}
	awaitWebhook(t)
	awaitNoPolicies(t)
}

// refusedWithoutReplica makes sure that a pod that needs a decision is refused while no replica answers.
func refusedWithoutReplica(t *testing.T) {
	t.Helper()
	if _, err := tenant(t).dryRun(t.Context(), tenantNamespace, map[string]string{portSecurity: "false"}); err == nil {
		t.Error("a pod passed while the webhooks were registered and nobody answered")
	}
}

// startUnguarded waits until pods are made as they ask, and returns how long that took.
func startUnguarded(t *testing.T) time.Duration {
	t.Helper()
	p := tenant(t)
	return eventually(t, "pods to be made as they ask", func() (bool, error) {
		pod, err := p.dryRun(cleanup(t), tenantNamespace, map[string]string{portSecurity: "false"})
		return err == nil && pod.Annotations[portSecurity] == "false", nil
	})
}

// ours returns every object of the API server that has the program's name, as "Kind name" or "Kind namespace/name".
func ours(t *testing.T) (out []string) {
	t.Helper()
	config, err := world.Lab.RESTConfig("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	client, err := metadata.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lists, err := discovery.ServerPreferredResources(world.Kube.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") || slices.Contains([]string{"Event", "APIService"}, r.Kind) {
				continue
			}
			objects, err := client.Resource(gv.WithResource(r.Name)).List(t.Context(), metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				continue // its definition has just been deleted
			}
			if err != nil {
				t.Fatalf("%s: %v", r.Name, err)
			}
			for _, o := range objects.Items {
				named := strings.HasPrefix(o.Name, "ovnguard") || strings.HasSuffix(o.Name, "ovnguard.io")
				if !named && o.Labels["app.kubernetes.io/name"] != "ovnguard" ||
					strings.HasPrefix(o.Name, "ovnguard-lab") {
					continue
				}
				name := o.Name
				if o.Namespace != "" {
					name = o.Namespace + "/" + name
				}
				out = append(out, r.Kind+" "+name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// uninstallIt runs ovnguard uninstall with the flags and returns what it says. It must end with the code.
func uninstallIt(t *testing.T, code int, flags ...string) string {
	t.Helper()
	out, got, err := world.Run(t.Context(), binary, append([]string{"uninstall"}, flags...)...)
	if err != nil || got != code {
		t.Fatalf("%v, exit code %d, want %d:\n%s", err, got, code, out)
	}
	return out
}

// While no replica answers, a policy can be deleted, and uninstalling takes away everything except what it says; then
// pods start. A second time there is nothing to do.
func TestUninstall(t *testing.T) {
	installedForGood(t)
	policy := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: unique("leaving")},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: "nowhere"},
			},
		},
	}
	root := admin(t)
	for _, name := range []string{policy.Name, unique("stays")} {
		policy.Name = name
		if _, err := root.do(t.Context(), http.MethodPost, policiesPath, policy); err != nil {
			t.Fatal(err)
		}
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	refusedWithoutReplica(t)
	if _, err := root.do(t.Context(), http.MethodDelete, policiesPath+"/"+policy.Name, nil); err != nil {
		t.Errorf("a policy cannot be deleted while no replica answers: %v", err)
	}

	before := ours(t)
	dry := uninstallIt(t, 0, "--dry-run")
	if after := ours(t); !slices.Equal(before, after) {
		t.Errorf("a dry run changed %v to %v", before, after)
	}
	if !strings.Contains(dry, "portsecuritypolicies.ovnguard.io: with 1 of its objects") {
		t.Errorf("it is not said that a policy goes:\n%s", dry)
	}
	for _, what := range before {
		if !strings.Contains(dry, " "+what) &&
			!strings.Contains(what, " ovnguard-selftest/") { // goes with its namespace
			t.Errorf("the dry run does not name %s:\n%s", what, dry)
		}
	}

	said := uninstallIt(t, 0, "--yes")
	startUnguarded(t)
	var stays []string
	for line := range strings.Lines(said) {
		if what, found := strings.CutPrefix(line, "stays"); found {
			what, _, _ = strings.Cut(strings.TrimSpace(what), ":")
			stays = append(stays, what)
		}
	}
	eventually(t, "nothing to be left but what was said", func() (bool, error) {
		left := slices.DeleteFunc(ours(t), func(what string) bool { return slices.Contains(stays, what) })
		return len(left) == 0, nil
	})
	if again := uninstallIt(t, 0, "--yes"); strings.Contains(again, "removed") {
		t.Errorf("a second time something was removed:\n%s", again)
	}
}

// What people wrote stays with --keep-crds, and what lacks a right is left and said.
func TestUninstallKeeps(t *testing.T) {
	installedForGood(t)
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	said := uninstallIt(t, 0, "--yes", "--keep-crds", "--keep-installed")
	for _, text := range []string{"portsecuritypolicies.ovnguard.io: with", "what was installed", "kubectl delete crd"} {
		if !strings.Contains(said, text) {
			t.Errorf("%q is not said:\n%s", text, said)
		}
	}
	startUnguarded(t)
	left := ours(t)
	for _, what := range []string{
		"CustomResourceDefinition portsecuritypolicies.ovnguard.io", "ClusterRole ovnguard", "Namespace ovnguard-selftest",
	} {
		if !slices.Contains(left, what) {
			t.Errorf("%s is gone; left are %v", what, left)
		}
	}
}

// With --narrow-ports what exceptions granted is taken from running ports, after the program has ended; without it the
// ports keep it.
func TestUninstallNarrowsPorts(t *testing.T) {
	installedForGood(t)
	ns, _ := repairNamespace(t)
	pod := run(t, ns, nil)
	port := portOf(pod)
	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "192.0.2.96/28"}}
	})
	has := func(what string) bool { return strings.Contains(portSecurityOf(t, port), what) }
	eventually(t, "the pair to be on the port", func() (bool, error) { return has("192.0.2.96/28"), nil })
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	uninstallIt(t, 0, "--yes", "--keep-crds", "--keep-installed", "--leave-ports")
	if !has("192.0.2.96/28") {
		t.Error("the port was narrowed although it was to be left")
	}
	said := uninstallIt(t, 0, "--yes", "--keep-crds", "--keep-installed", "--narrow-ports")
	if !strings.Contains(said, "what exceptions granted to port "+port) {
		t.Errorf("the port is not named:\n%s", said)
	}
	if has("192.0.2.96") || !has(pod.Annotations[ipAddress]) {
		t.Errorf("port_security is %s", portSecurityOf(t, port))
	}
}

// The registration belongs to the ClusterRole, and that to the namespace: when the namespace is deleted and no replica
// is there to take the registration away, pods start soon, and the admission policies are gone, too.
func TestThreatT54NamespaceDeleted(t *testing.T) {
	installedForGood(t)
	eventually(t, "the registration to belong to the ClusterRole", func() (bool, error) { return owned(t) == "", nil })
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	refusedWithoutReplica(t)
	begin := time.Now()
	if err := world.Kube.CoreV1().Namespaces().Delete(t.Context(), ownNamespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	startUnguarded(t)
	t.Logf("pods started %s after the namespace was deleted", time.Since(begin).Round(100*time.Millisecond))
}

// The same when the ClusterRole alone is deleted, as with what was installed; a replica that still runs does not put
// the registration back.
func TestThreatT54OwnerDeletedWhileRunning(t *testing.T) {
	installedForGood(t)
	begin := time.Now()
	if err := world.Kube.RbacV1().ClusterRoles().Delete(t.Context(), ownerRole, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	startUnguarded(t)
	t.Logf("pods started %s after the ClusterRole was deleted", time.Since(begin).Round(100*time.Millisecond))
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if _, err := guard.Registration(t.Context()); !apierrors.IsNotFound(err) {
			t.Fatalf("the registration is put back: %v", err)
		}
	}
	if err := world.Apply(t.Context(), deploy.RBAC); err != nil {
		t.Fatal(err)
	}
	awaitWebhook(t)
}

// Nobody gets the registration deleted by its owners who may not delete these: not a tenant, and not who administers
// the program's namespace.
func TestThreatT54OwnersOfOthers(t *testing.T) {
	installedForGood(t)
	eventually(t, "the registration to belong to the ClusterRole", func() (bool, error) { return owned(t) == "", nil })
	name := unique("operator")
	if _, err := world.Kube.RbacV1().RoleBindings(ownNamespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Kube.RbacV1().RoleBindings(ownNamespace).
			Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	const configurations = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/ovnguard"
	gone := map[string]any{"metadata": map[string]any{"ownerReferences": []any{map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000",
	}}}}
	for who, p := range map[string]person{"a tenant": tenant(t), "who administers the namespace": as(t, name)} {
		for what, try := range map[string]func() ([]byte, error){
			"delete the namespace": func() ([]byte, error) {
				return p.do(t.Context(), http.MethodDelete, "/api/v1/namespaces/"+ownNamespace, nil)
			},
			"delete the ClusterRole": func() ([]byte, error) {
				return p.do(t.Context(), http.MethodDelete, "/apis/rbac.authorization.k8s.io/v1/clusterroles/"+ownerRole, nil)
			},
			"give the registration another owner": func() ([]byte, error) {
				return p.do(t.Context(), http.MethodPatch, configurations, gone)
			},
			"give the ClusterRole another owner": func() ([]byte, error) {
				return p.do(t.Context(), http.MethodPatch, "/apis/rbac.authorization.k8s.io/v1/clusterroles/"+ownerRole, gone)
			},
		} {
			if _, err := try(); !apierrors.IsForbidden(err) {
				t.Errorf("%s may %s: %v", who, what, err)
			}
		}
	}
	if wrong := owned(t); wrong != "" {
		t.Error(wrong)
	}
}

// owned returns what does not belong to its owner: the registration to the ClusterRole, the ClusterRole to the
// namespace.
func owned(t *testing.T) string {
	t.Helper()
	namespace, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), ownNamespace, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	role, err := world.Kube.RbacV1().ClusterRoles().Get(t.Context(), ownerRole, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := guard.Registration(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	floor, err := world.Kube.AdmissionregistrationV1().
		ValidatingAdmissionPolicies().
		Get(t.Context(), "ovnguard-floor", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	for what, x := range map[string]struct {
		have []metav1.OwnerReference
		want metav1.Object
	}{
		"the ClusterRole": {role.OwnerReferences, namespace}, "the webhooks": {config.OwnerReferences, role},
		"the floor": {floor.OwnerReferences, role},
	} {
		if len(x.have) != 1 || x.have[0].UID != x.want.GetUID() {
			wrong = append(
				wrong,
				fmt.Sprintf("%s belongs to %+v, want %s %s", what, x.have, x.want.GetName(), x.want.GetUID()),
			)
		}
	}
	return strings.Join(wrong, "; ")
}

// The self-test of the command line tells the modes apart, and what the chart's test expects is what there is.
func TestSelftestCommand(t *testing.T) {
	const ns = "ovnguard-selftest"
	ask := func(expect string, code int, says string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s to end with %d", expect, code), func() (bool, error) {
			out, got, err := world.Selftest(t.Context(), binary, expect)
			return err == nil && got == code && strings.Contains(out, says), nil
		})
	}
	ask("enforce", 0, "is made strict")
	ask("warn", 1, "mode warn was expected")
	for _, mode := range []v1alpha1.Mode{v1alpha1.ModeWarn, v1alpha1.ModeAudit} {
		policy := &v1alpha1.PortSecurityPolicy{
			TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
			ObjectMeta: metav1.ObjectMeta{Name: unique("mode")},
			Spec: v1alpha1.PortSecurityPolicySpec{
				Priority: 1000, Mode: mode,
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			},
		}
		if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, policy); err != nil {
			t.Fatal(err)
		}
		ask(string(mode), 0, "stays open")
		ask("enforce", 1, "mode enforce was expected")
		if _, err := admin(t).do(t.Context(), http.MethodDelete, policiesPath+"/"+policy.Name, nil); err != nil {
			t.Fatal(err)
		}
	}
	ask("enforce", 0, "is made strict")
}

// Applying the definitions of this version changes nothing where they are those, and makes them where they are missing.
func TestDefinitionsCommand(t *testing.T) {
	out, code, err := world.Definitions(t.Context(), binary)
	if err != nil || code != 0 || strings.Count(out, "applied CustomResourceDefinition") != 2 {
		t.Fatalf("%v, exit code %d:\n%s", err, code, out)
	}
}

// The program may check whether its Service has endpoints.
func TestRightToSeeEndpoints(t *testing.T) {
	p := as(t, deploy.Account, "system:serviceaccounts", "system:serviceaccounts:ovnguard-system")
	if _, err := p.DiscoveryV1().EndpointSlices("ovnguard-system").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}
