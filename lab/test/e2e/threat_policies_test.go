//go:build integration

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// withoutWebhooks kills the program and removes its registration, so that only the API server itself judges. back
// starts the program again, as does the end of the test.
func withoutWebhooks(t *testing.T) (back func()) {
	t.Helper()
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	started := false
	back = func() {
		if started {
			return
		}
		started = true
		if err := guard.Start(cleanup(t)); err != nil {
			t.Error(err)
			return
		}
		awaitWebhook(t)
	}
	t.Cleanup(back)
	api := world.Kube.AdmissionregistrationV1()
	if err := api.MutatingWebhookConfigurations().Delete(t.Context(), "ovnguard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := api.ValidatingWebhookConfigurations().
		Delete(t.Context(), "ovnguard", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// Webhooks that change pods come first, so the floor refuses without them; those that only refuse also check policies.
	p, root := tenant(t), admin(t)
	eventually(t, "the API server to forget the webhooks", func() (bool, error) {
		_, err := p.createGenerated(t, map[string]string{portSecurity: "false"})
		if err == nil || !strings.Contains(err.Error(), admissionpolicy.FloorName) {
			return false, nil
		}
		_, err = root.do(t.Context(), http.MethodPost, policiesPath+dryRun, &v1alpha1.PortSecurityPolicy{
			TypeMeta: metav1.TypeMeta{
				APIVersion: v1alpha1.GroupVersion.String(),
				Kind:       "PortSecurityPolicy",
			},
			ObjectMeta: metav1.ObjectMeta{Name: unique("tried")},
		})
		return err == nil, nil
	})
	return back
}

// mustRefuseByFloor checks that a request was refused by an admission policy.
func mustRefuseByFloor(t *testing.T, what string, err error, policy string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s was allowed", what)
	} else if !strings.Contains(err.Error(), "ValidatingAdmissionPolicy '"+policy+"'") {
		t.Errorf("%s: %v, want it refused by %s", what, err, policy)
	}
}

// installed returns the policies and bindings of this program in the API server, by kind, name, UID and generation.
func installed(t *testing.T) []string {
	t.Helper()
	api, only := world.Kube.AdmissionregistrationV1(), metav1.ListOptions{
		LabelSelector: admissionpolicy.Label + "=" + admissionpolicy.LabelValue,
	}
	ctx := cleanup(t)
	var out []string
	note := func(kind string, m *metav1.ObjectMeta) {
		out = append(out, fmt.Sprint(kind, " ", m.Name, " ", m.UID, " ", m.Generation))
	}
	mutating, err := api.MutatingAdmissionPolicies().List(ctx, only)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mutating.Items {
		note("mutating", &mutating.Items[i].ObjectMeta)
	}
	mutatingBindings, err := api.MutatingAdmissionPolicyBindings().List(ctx, only)
	if err != nil {
		t.Fatal(err)
	}
	for i := range mutatingBindings.Items {
		note("mutating binding", &mutatingBindings.Items[i].ObjectMeta)
	}
	validating, err := api.ValidatingAdmissionPolicies().List(ctx, only)
	if err != nil {
		t.Fatal(err)
	}
	for i := range validating.Items {
		note("validating", &validating.Items[i].ObjectMeta)
	}
	validatingBindings, err := api.ValidatingAdmissionPolicyBindings().List(ctx, only)
	if err != nil {
		t.Fatal(err)
	}
	for i := range validatingBindings.Items {
		note("validating binding", &validatingBindings.Items[i].ObjectMeta)
	}
	slices.Sort(out)
	return out
}

// removeInstalled deletes them, and waits until the API server has forgotten them.
func removeInstalled(t *testing.T) {
	t.Helper()
	api, only := world.Kube.AdmissionregistrationV1(), metav1.ListOptions{
		LabelSelector: admissionpolicy.Label + "=" + admissionpolicy.LabelValue,
	}
	for _, remove := range []func(context.Context, metav1.DeleteOptions, metav1.ListOptions) error{
		api.MutatingAdmissionPolicyBindings().DeleteCollection, api.MutatingAdmissionPolicies().DeleteCollection,
		api.ValidatingAdmissionPolicyBindings().DeleteCollection, api.ValidatingAdmissionPolicies().DeleteCollection,
	} {
		if err := remove(cleanup(t), metav1.DeleteOptions{}, only); err != nil {
			t.Error(err)
		}
	}
	awaitNoPolicies(t)
}

// awaitNoPolicies waits until the API server has forgotten deleted admission policies: it goes on applying them for a
// moment. The program must be registered.
func awaitNoPolicies(t *testing.T) {
	t.Helper()
	p, dry := tenant(t), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	eventually(t, "the API server to forget the admission policies", func() (bool, error) {
		// The webhooks make pods strict as well. They are asked about an ordinary pod if the default policy has not made it
		// strict before them; and their refusals have other words.
		before := reviews(t)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "web-"}, Spec: podSpec()}
		if _, err := p.CoreV1().
			Pods(tenantNamespace).
			Create(cleanup(t), pod, dry); err != nil ||
			maps.Equal(reviews(t), before) {
			return false, err
		}
		pod = &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				GenerateName: "web-",
				Annotations:  map[string]string{kubeovn.DefaultProvider.Key(kubeovn.Allocated): "true"},
			},
			Spec: podSpec(),
		}
		_, err := p.CoreV1().Pods(tenantNamespace).Create(cleanup(t), pod, dry)
		return err != nil && !strings.Contains(err.Error(), admissionpolicy.FloorName), nil
	})
}

// The output of `ovnguard render admission-policies` keeps default and floor in a cluster without anything else of the
// program, and a controller without the option for such policies leaves them to the user who applied them.
func TestThreat32RenderedPolicies(t *testing.T) {
	stdout, stderr, code := ovnguard(t, "render", "admission-policies")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	_, owner := granted(t, namespaceRights)
	ns := namespace(t, nil)
	p := tenant(t)
	pod := allocatedPod(t, p, nil)
	t.Cleanup(func() { removeInstalled(t) })
	if err := world.Apply(t.Context(), []byte(stdout)); err != nil {
		t.Fatal(err)
	}
	awaitPolicies(t)
	back := withoutWebhooks(t)
	eventually(t, "new pods to be made strict", func() (bool, error) {
		got, err := p.createGenerated(t, nil)
		if err != nil && strings.Contains(err.Error(), admissionpolicy.FloorName) {
			return false, nil // the API server may have the floor before the default
		}
		return err == nil && madeStrict(got.Annotations), err
	})
	made := allocatedPod(t, p, nil, func(pod *corev1.Pod) { pod.Name, pod.GenerateName = "", "web-" })
	if made.Annotations[portSecurity] != "true" {
		t.Errorf("a new pod has annotations %v", made.Annotations)
	}
	strictInOVN(t, made.Namespace, made.Name)
	for name, annotations := range map[string]map[string]string{
		"off": {portSecurity: "false"}, "forwarding": {layer2Forward: "true"},
	} {
		_, err := p.createGenerated(t, annotations)
		mustRefuseByFloor(t, "a pod with "+name, err, admissionpolicy.FloorName)
	}
	if copied, err := p.createGenerated(t, made.Annotations); err == nil {
		t.Errorf("a pod with what Kube-OVN noted on another one was made: %v", copied.Annotations)
	}
	for _, name := range []string{"T02 off", "T02 taken away", "T03 address", "T05 forwarding", "T09 networks"} {
		mustRefuseByFloor(t, name, p.patch(t.Context(), pod, laterEdits[name]), admissionpolicy.FloorName)
	}
	_, err := owner.do(
		t.Context(),
		http.MethodPatch,
		"/api/v1/namespaces/"+ns,
		map[string]any{"metadata": map[string]any{"annotations": map[string]any{portSecurity: "false"}}},
	)
	mustRefuseByFloor(t, "a namespace that is loosened", err, admissionpolicy.NamespaceFloorName)
	unchanged(t, pod)

	before, logged := installed(t), logSize(t)
	if len(before) != 2*(len(admissionpolicy.MutatingNames)+len(admissionpolicy.ValidatingNames)) {
		t.Errorf("%d objects are there: %q", len(before), before)
	}
	back()
	eventually(t, "the program to say that it leaves them", func() (bool, error) {
		data, err := os.ReadFile(guard.Log)
		return err == nil &&
			strings.Contains(
				string(data[min(logged, len(data)):]),
				"admission policies that somebody applied are left as they are",
			), err
	})
	if after := installed(t); !slices.Equal(after, before) {
		t.Errorf("there are now %q, were %q", after, before)
	}
	awaitPolicies(t)
}

// logSize returns the size of the program's log.
func logSize(t *testing.T) int {
	t.Helper()
	info, err := os.Stat(guard.Log)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}

// An edit of a PortSecurityPolicy changes the admission policies that the program keeps: with everything else gone,
// they refuse what it refuses now, and not what it allows.
func TestThreat32PoliciesFollowEdits(t *testing.T) {
	withPolicies(t)
	ns := namespace(t, nil)
	_, p := granted(t, podRights)
	floors := world.Kube.AdmissionregistrationV1().ValidatingAdmissionPolicies()
	// changed runs do, and waits until the floor has changed.
	changed := func(do func()) {
		t.Helper()
		floor := func() *admissionregistrationv1.ValidatingAdmissionPolicy {
			got, err := floors.Get(t.Context(), admissionpolicy.FloorName, metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
			return got
		}
		before := floor().Generation
		do()
		eventually(t, "the floor to follow", func() (bool, error) { return floor().Generation > before, nil })
	}
	off := func(ns string) error {
		pod := unscheduled(unique("off"))
		_, err := p.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err
	}
	var name string
	changed(func() { name = policyOver(t, ns, v1alpha1.PortSecurityPolicySpec{Level: v1alpha1.LevelOpen}) })
	back := withoutWebhooks(t)
	eventually(t, "the API server to follow what is looser", func() (bool, error) { return off(ns) == nil, nil })
	mustRefuseByFloor(t, "a pod that is off elsewhere", off(tenantNamespace), admissionpolicy.FloorName)
	back()
	changed(func() {
		if _, err := admin(
			t,
		).do(t.Context(), http.MethodPatch, policiesPath+"/"+name,
			map[string]any{"spec": map[string]any{"level": "strict"}}); err != nil {
			t.Fatal(err)
		}
	})
	withoutWebhooks(t)
	eventually(t, "the API server to follow what is stricter", func() (bool, error) { return off(ns) != nil, nil })
	mustRefuseByFloor(t, "a pod that is off", off(ns), admissionpolicy.FloorName)
}
