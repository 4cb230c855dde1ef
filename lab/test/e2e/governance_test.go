//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// granted returns a new user with these rights in the whole cluster.
func granted(t *testing.T, rules ...rbacv1.PolicyRule) (user string, p person) {
	t.Helper()
	user = unique("person")
	meta := metav1.ObjectMeta{Name: user}
	roles, bindings := world.Kube.RbacV1().ClusterRoles(), world.Kube.RbacV1().ClusterRoleBindings()
	if _, err := roles.Create(
		t.Context(),
		&rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules},
		metav1.CreateOptions{},
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := roles.Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err := bindings.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bindings.Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return user, as(t, user)
}

// dryRun at the end of a path makes the API server do everything except store the object.
const dryRun = "?dryRun=All"

// do sends an object to a path of the API and returns the response.
func (p person) do(ctx context.Context, verb, path string, object any) ([]byte, error) {
	path, dry := strings.CutSuffix(path, dryRun)
	request := p.CoreV1().RESTClient().Verb(verb).AbsPath(path).SetHeader("Accept", "application/json")
	if dry {
		request = request.Param("dryRun", "All")
	}
	if object != nil {
		body, err := json.Marshal(object)
		if err != nil {
			return nil, err
		}
		contentType := "application/json"
		if verb == http.MethodPatch {
			contentType = string(types.MergePatchType)
		}
		request = request.SetHeader("Content-Type", contentType).Body(body)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, err // with the server's message, unlike the error of Raw
	}
	return result.Raw()
}

var (
	namespaceRights = rbacv1.PolicyRule{
		APIGroups: []string{""}, Resources: []string{"namespaces", "namespaces/status", "namespaces/finalize"},
		Verbs: []string{"get", "create", "update", "patch", "delete"},
	}
	exceptionRights = rbacv1.PolicyRule{
		APIGroups: []string{
			"ovnguard.io",
		},
		Resources: []string{"portsecurityexceptions"},
		Verbs:     []string{"get", "create", "update", "patch", "delete"},
	}
)

func exemptRights(namespace string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		APIGroups:     []string{"ovnguard.io"},
		Resources:     []string{"namespaces"},
		ResourceNames: []string{namespace},
		Verbs:         []string{"exempt"},
	}
}

// A tenant-admin who may write the whole namespace cannot loosen it by any path; a user with the verb "exempt" on it
// can, and a warning has the number of affected ports.
func TestThreat25NamespaceWeakening(t *testing.T) {
	ns := namespace(t, nil)
	run(t, ns, nil)
	user, owner := granted(t, namespaceRights)
	path := "/api/v1/namespaces/" + ns
	annotated := func(key, value string) any {
		return map[string]any{"metadata": map[string]any{"annotations": map[string]any{key: value}}}
	}
	for key, value := range map[string]string{
		portSecurity: "false", layer2Forward: "true", "blue." + ns + ".ovn.kubernetes.io/port_security": "off",
		"ovn.kubernetes.io/logical_switch": "join", "ovn.kubernetes.io/ip_pool": "elsewhere",
	} {
		for _, sub := range []string{"", "/status"} {
			_, err := owner.do(t.Context(), http.MethodPatch, path+sub, annotated(key, value))
			mustRefuse(t, key+" by namespaces"+sub, err, "exempt")
			if err != nil && !strings.Contains(err.Error(), user) {
				t.Errorf("the refusal does not name %s: %v", user, err)
			}
		}
	}
	_, err := owner.do(
		t.Context(),
		http.MethodPatch,
		path,
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"ovnguard.io/level": "open"}}},
	)
	mustRefuse(t, "label", err, "exempt")
	_, err = owner.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "flase"))
	mustRefuse(t, "garbage", err, "write one of these values")

	whole, err := owner.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole.Annotations = map[string]string{portSecurity: "false"}
	_, err = owner.CoreV1().Namespaces().Finalize(t.Context(), whole, metav1.UpdateOptions{})
	mustRefuse(t, "by namespaces/finalize", err, "exempt")

	fresh := unique("e2e-fresh")
	_, err = owner.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: fresh, Annotations: map[string]string{portSecurity: "false"},
	}}, metav1.CreateOptions{})
	mustRefuse(t, "creation", err, "exempt")
	// The program's own namespace is left out by its label, and nobody else may use that label.
	borrowed := map[string]string{corev1.LabelMetadataName: "ovnguard-system"}
	_, err = owner.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-fresh-", Labels: borrowed, Annotations: map[string]string{portSecurity: "false"},
	}}, metav1.CreateOptions{})
	mustRefuse(t, "creation with the program's label", err, "exempt")
	for _, sub := range []string{"", "/status"} {
		_, err = owner.do(
			t.Context(),
			http.MethodPatch,
			path+sub,
			map[string]any{
				"metadata": map[string]any{"labels": borrowed, "annotations": map[string]any{portSecurity: "false"}},
			},
		)
		mustRefuse(t, "the program's label by namespaces"+sub, err, "exempt")
	}

	if _, err := owner.do(t.Context(), http.MethodPatch, path, annotated("example.org/note", "harmless")); err != nil {
		t.Errorf("a harmless edit: %v", err)
	}
	if _, err := owner.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "true")); err != nil {
		t.Errorf("a tightening: %v", err)
	}
	if _, err := owner.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "")); err != nil {
		t.Errorf("taking back what says what policy says: %v", err)
	}

	_, other := granted(t, namespaceRights, exemptRights("another"))
	_, err = other.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "false"))
	mustRefuse(t, "by who is exempt elsewhere", err, "exempt")

	_, exempt := granted(t, namespaceRights, exemptRights(ns))
	if _, err := exempt.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "false")); err != nil {
		t.Fatalf("by who has the verb: %v", err)
	}
	if told := strings.Join(
		exempt.warnings.Take(),
		" ",
	); !strings.Contains(
		told,
		"loosens 1 and tightens 0 of the 1 running ports",
	) {
		t.Errorf("warnings %q", told)
	}
	if _, err := owner.do(t.Context(), http.MethodPatch, path, annotated(portSecurity, "true")); err != nil {
		t.Errorf("tightening what was loosened: %v", err)
	}
}

// Where policy is looser, nobody removes the tightening key of a namespace either, by any path: that loosens it as
// much.
func TestThreat25TighteningTakenAway(t *testing.T) {
	for name, tight := range map[string]map[string]map[string]any{
		"the annotation": {"annotations": {portSecurity: "true"}},
		"the label":      {"labels": {"ovnguard.io/level": "strict"}},
	} {
		t.Run(name, func(t *testing.T) {
			ns := namespace(t, nil)
			policyOver(t, ns, v1alpha1.PortSecurityPolicySpec{Level: v1alpha1.LevelMAC})
			user, owner := granted(t, namespaceRights)
			path := "/api/v1/namespaces/" + ns
			if _, err := owner.do(t.Context(), http.MethodPatch, path, map[string]any{"metadata": tight}); err != nil {
				t.Fatalf("a tightening: %v", err)
			}
			taken, emptied := map[string]any{}, map[string]any{}
			for field, entries := range tight {
				for key := range entries {
					taken[field], emptied[field] = map[string]any{key: nil}, map[string]any{key: ""}
				}
			}
			var said error
			eventually(t, "the policy to be followed", func() (bool, error) {
				_, said = owner.do(t.Context(), http.MethodPatch, path+dryRun, map[string]any{"metadata": taken})
				return said != nil, nil
			})
			mustRefuse(t, "tried", said, "exempt")
			for _, sub := range []string{"", "/status"} {
				for what, edit := range map[string]any{"taken away": taken, "emptied": emptied} {
					_, err := owner.do(t.Context(), http.MethodPatch, path+sub, map[string]any{"metadata": edit})
					mustRefuse(t, what+" by namespaces"+sub, err, "exempt")
					mustRefuse(t, what+" by namespaces"+sub, err, user)
				}
			}
			whole, err := owner.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			delete(whole.Annotations, portSecurity)
			delete(whole.Labels, "ovnguard.io/level")
			whole.ResourceVersion = ""
			_, err = owner.CoreV1().Namespaces().Update(t.Context(), whole, metav1.UpdateOptions{})
			mustRefuse(t, "the whole namespace without it", err, "exempt")
			_, err = owner.CoreV1().Namespaces().Finalize(t.Context(), whole, metav1.UpdateOptions{})
			mustRefuse(t, "by namespaces/finalize", err, "exempt")
			pod, err := admin(
				t,
			).CoreV1().
				Pods(ns).
				Create(t.Context(), unscheduled(unique("still")), metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			strictInOVN(t, ns, pod.Name)

			_, exempt := granted(t, namespaceRights, exemptRights(ns))
			if _, err := exempt.do(t.Context(), http.MethodPatch, path, map[string]any{"metadata": taken}); err != nil {
				t.Errorf("by who has the verb: %v", err)
			}
		})
	}
}

func TestThreat21NamespaceNames(t *testing.T) {
	for _, name := range []string{"ovn", "net1"} {
		_, err := admin(
			t,
		).CoreV1().
			Namespaces().
			Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		mustRefuse(t, "namespace "+name, err, "reserved")
	}
}

// exceptionIn returns an exception for a namespace's labelled pods.
func exceptionIn(ns string) *v1alpha1.PortSecurityException {
	return &v1alpha1.PortSecurityException{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityException"},
		ObjectMeta: metav1.ObjectMeta{Name: "till", Namespace: ns},
		Spec: v1alpha1.PortSecurityExceptionSpec{
			Target: v1alpha1.Target{
				PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "till"}},
			},
			Grant:     v1alpha1.Grant{Pairs: []v1alpha1.AddressPair{{Prefix: "10.120.0.0/28"}}},
			Reason:    "forwards for the tills",
			Owner:     "net@example.org",
			ExpiresAt: metav1.NewTime(time.Now().Add(time.Hour)),
		},
	}
}

// policyFor makes a policy that lets exceptions of the namespace count after somebody else approved them.
func policyFor(t *testing.T, ns string) string {
	t.Helper()
	name := unique("policy")
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}},
			Exceptions:        &v1alpha1.ExceptionRules{Namespaces: []string{ns}, RequireApproval: true},
		},
	}
	const path = "/apis/ovnguard.io/v1alpha1/portsecuritypolicies"
	if _, err := admin(t).do(t.Context(), http.MethodPost, path, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(
			t,
		).do(cleanup(t), http.MethodDelete, path+"/"+name, nil); err != nil &&
			!apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	return name
}

// Four eyes on the real API server: requestedBy is the user of the request, nobody approves their own request or in
// another's name, and an approved exception does not change.
func TestThreat37ExceptionAbuse(t *testing.T) {
	ns := namespace(t, nil)
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	author, writer := granted(t, exceptionRights)
	approver, second := granted(t, exceptionRights, rbacv1.PolicyRule{
		APIGroups: []string{"ovnguard.io"}, Resources: []string{"portsecurityexceptions"}, Verbs: []string{"approve"},
	})
	spec := func(fields map[string]any) any { return map[string]any{"spec": fields} }

	_, err := writer.do(t.Context(), http.MethodPost, path, exceptionIn(ns))
	mustRefuse(
		t,
		"an exception that no policy names a namespace for",
		err,
		"does not name namespace "+ns+" in spec.exceptions.namespaces; ask an administrator",
	)
	policyFor(t, ns)

	wide := exceptionIn(ns)
	wide.Spec.Grant.Pairs[0].Prefix = "0.0.0.0/1"
	_, err = writer.do(t.Context(), http.MethodPost, path, wide)
	mustRefuse(t, "everything", err, "/24")
	long := exceptionIn(ns)
	long.Spec.ExpiresAt = metav1.NewTime(time.Now().Add(1000 * time.Hour))
	_, err = writer.do(t.Context(), http.MethodPost, path, long)
	mustRefuse(t, "for too long", err, "720h")
	foreign := exceptionIn(ns)
	foreign.Spec.Target = v1alpha1.Target{
		Owner: &v1alpha1.Owner{APIVersion: "apps/v1", Kind: "StatefulSet", Name: "none"},
	}
	_, err = writer.do(t.Context(), http.MethodPost, path, foreign)
	mustRefuse(t, "for nobody", err, `no StatefulSet "none"`)

	forged := exceptionIn(ns)
	forged.Spec.RequestedBy, forged.Spec.ApprovedBy = approver, approver
	forged.Spec.RequestedAt = &metav1.Time{Time: time.Now().Add(-time.Hour)}
	body, err := writer.do(t.Context(), http.MethodPost, path, forged)
	if err != nil {
		t.Fatal(err)
	}
	if got := exceptionOf(
		t,
		body,
	); got.Spec.RequestedBy != author || got.Spec.ApprovedBy != "" ||
		time.Since(got.Spec.RequestedAt.Time) > time.Minute {
		t.Fatalf("stamped %q at %v, approved by %q", got.Spec.RequestedBy, got.Spec.RequestedAt, got.Spec.ApprovedBy)
	}
	if told := strings.Join(writer.warnings.Take(), " "); !strings.Contains(told, "another user approves it") {
		t.Errorf("the author is not told of the approval: %q", told)
	}

	one := path + "/till"
	for what, try := range map[string]struct {
		who  person
		name string
	}{"own": {writer, author}, "another's name": {writer, approver}, "somebody's name": {second, "somebody"}} {
		_, err := try.who.do(t.Context(), http.MethodPatch, one, spec(map[string]any{"approvedBy": try.name}))
		mustRefuse(t, "approval, "+what, err, "spec.approvedBy")
	}
	third, powerless := granted(t, exceptionRights)
	_, err = powerless.do(t.Context(), http.MethodPatch, one, spec(map[string]any{"approvedBy": third}))
	mustRefuse(t, "approval without the right", err, `"approve"`)

	// The approval is for the version that the approver saw: the author asks for more just before the approver's patch
	// arrives.
	lookedAt := exceptionOf(t, body).Spec.RequestID
	approve := func(id string) error {
		_, err := second.do(
			t.Context(),
			http.MethodPatch,
			one,
			spec(map[string]any{"approvedBy": approver, "approvedRequest": id}),
		)
		return err
	}
	mustRefuse(t, "approval of nothing in particular", approve(""), "spec.approvedRequest: is missing")
	body, err = writer.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"grant": map[string]any{"pairs": []any{map[string]any{"prefix": "10.119.0.0/24"}}}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	mustRefuse(
		t,
		"approval of what was changed meanwhile",
		approve(lookedAt),
		"is not the current request; read it again",
	)
	if err := approve(exceptionOf(t, body).Spec.RequestID); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"expiresAt": time.Now().Add(time.Minute).UTC().Format(time.RFC3339)}),
	); err != nil {
		t.Errorf("shortening: %v", err)
	}
	body, err = writer.do(t.Context(), http.MethodPatch, one, spec(map[string]any{"requestedBy": "somebody"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := exceptionOf(t, body); got.Spec.ApprovedBy != approver || got.Spec.RequestedBy != author {
		t.Errorf("after harmless edits: asked for by %q, approved by %q", got.Spec.RequestedBy, got.Spec.ApprovedBy)
	}
	// The approval covers the reason too, and a ServiceAccount of the namespace can neither ask nor approve.
	body, err = writer.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"reason": "something else altogether"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := exceptionOf(t, body); got.Spec.ApprovedBy != "" {
		t.Errorf("for another reason it is still approved by %q", got.Spec.ApprovedBy)
	}
	builder := "system:serviceaccount:" + ns + ":builder"
	account := as(t, builder, "system:serviceaccounts", "system:serviceaccounts:"+ns, "system:masters")
	_, err = account.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"approvedBy": builder, "approvedRequest": exceptionOf(t, body).Spec.RequestID}),
	)
	mustRefuse(t, "approval by an account of the namespace", err, "ServiceAccount of namespace "+ns)
	_, err = account.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"grant": map[string]any{"pairs": []any{map[string]any{"prefix": "10.118.0.0/24"}}}}),
	)
	mustRefuse(t, "an exception that an account of the namespace asks for", err, "ServiceAccount of namespace "+ns)
	if err := approve(exceptionOf(t, body).Spec.RequestID); err != nil {
		t.Fatal(err)
	}
	body, err = writer.do(
		t.Context(),
		http.MethodPatch,
		one,
		spec(map[string]any{"grant": map[string]any{"pairs": []any{map[string]any{"prefix": "10.120.0.0/24"}}}}),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := exceptionOf(t, body); got.Spec.ApprovedBy != "" {
		t.Errorf("a wider grant is still approved by %q", got.Spec.ApprovedBy)
	}
}

func exceptionOf(t *testing.T, body []byte) *v1alpha1.PortSecurityException {
	t.Helper()
	out := &v1alpha1.PortSecurityException{}
	if err := json.Unmarshal(body, out); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return out
}

// The owner is entered with its UID; an object that takes the name later is not the owner.
func TestThreat47StaleException(t *testing.T) {
	ns := namespace(t, nil)
	policyFor(t, ns)
	_, writer := granted(t, exceptionRights)
	config, err := world.Kube.AppsV1().Deployments(ns).Create(t.Context(), deployment(ns), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := exceptionIn(ns)
	e.Spec.Target = v1alpha1.Target{
		Owner: &v1alpha1.Owner{APIVersion: "apps/v1", Kind: "Deployment", Name: config.Name},
	}
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	body, err := writer.do(t.Context(), http.MethodPost, path, e)
	if err != nil {
		t.Fatal(err)
	}
	if got := exceptionOf(t, body); got.Spec.Target.Owner.UID != config.UID {
		t.Errorf("uid %q was entered, the Deployment has %q", got.Spec.Target.Owner.UID, config.UID)
	}
	e.Name, e.Spec.Target.Owner.UID = "stale", "00000000-0000-0000-0000-000000000000"
	_, err = writer.do(t.Context(), http.MethodPost, path, e)
	mustRefuse(t, "an owner that is gone", err, "has another uid")
}

// A namespace's exceptions are deleted with it. If somebody applies an approved exception in a new namespace of the
// same name, that is a new request, and nobody has approved it, whatever it says.
func TestThreat47NamespaceMadeAgain(t *testing.T) {
	ns := namespace(t, nil)
	policyFor(t, ns)
	author, writer := granted(t, exceptionRights)
	approver, second := granted(t, exceptionRights, rbacv1.PolicyRule{
		APIGroups: []string{"ovnguard.io"}, Resources: []string{"portsecurityexceptions"}, Verbs: []string{"approve"},
	})
	path := "/apis/ovnguard.io/v1alpha1/namespaces/" + ns + "/portsecurityexceptions"
	one := path + "/till"
	// till makes a pod that the exception is for, and inEffect waits until the exception's status says whether it counts
	// for that pod.
	till := func() *corev1.Pod {
		t.Helper()
		w := wish{labels: map[string]string{"app": "till"}}
		pod := &corev1.Pod{ObjectMeta: w.template().ObjectMeta, Spec: w.template().Spec}
		pod.Name = unique("till")
		pod, err := admin(t).CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deletePod(t, pod) }) // its port must not go while the next test looks at all of them
		return pod
	}
	inEffect := func(status metav1.ConditionStatus, reason string, ports int32) *v1alpha1.PortSecurityException {
		t.Helper()
		var e v1alpha1.PortSecurityException
		eventually(t, "the exception to be in effect: "+string(status)+", "+reason, func() (bool, error) {
			e = v1alpha1.PortSecurityException{}
			if !get(t, one, &e) {
				return false, nil
			}
			c := meta.FindStatusCondition(e.Status.Conditions, v1alpha1.ConditionInEffect)
			return c != nil && c.Status == status && (reason == "" || c.Reason == reason) &&
				e.Status.MatchedPorts == ports, nil
		})
		return &e
	}
	eventually(t, "the exception to be taken", func() (bool, error) { // admission follows the policy in a moment
		_, err := writer.do(t.Context(), http.MethodPost, path, exceptionIn(ns))
		return err == nil, nil
	})
	till()
	approval := map[string]any{
		"approvedBy":      approver,
		"approvedRequest": inEffect(metav1.ConditionFalse, "NotApproved", 0).Spec.RequestID,
	}
	if _, err := second.do(t.Context(), http.MethodPatch, one, map[string]any{"spec": approval}); err != nil {
		t.Fatal(err)
	}
	kept := inEffect(metav1.ConditionTrue, "", 1)
	if kept.Spec.ApprovedBy != approver || kept.Spec.RequestedBy != author {
		t.Fatalf("asked for by %q, approved by %q", kept.Spec.RequestedBy, kept.Spec.ApprovedBy)
	}

	deleteNamespace(t, ns)
	eventually(t, "the namespace to be gone", func() (bool, error) {
		_, err := world.Kube.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err), nil
	})
	if err := world.Namespace(t.Context(), ns, nil); err != nil {
		t.Fatal(err)
	}
	again := kept.DeepCopy()
	again.TypeMeta = exceptionIn(ns).TypeMeta
	again.ObjectMeta = metav1.ObjectMeta{Name: kept.Name, Namespace: ns}
	for user, who := range map[string]person{author: writer, approver: second} {
		var body []byte
		eventually(t, "the exception to be taken again", func() (bool, error) {
			var err error
			body, err = who.do(t.Context(), http.MethodPost, path, again)
			return err == nil, nil
		})
		if got := exceptionOf(t, body); got.Spec.ApprovedBy != "" || got.Spec.RequestedBy != user {
			t.Errorf(
				"applied again by %s it is asked for by %q and approved by %q",
				user,
				got.Spec.RequestedBy,
				got.Spec.ApprovedBy,
			)
		}
		pod := till()
		inEffect(metav1.ConditionFalse, "NotApproved", 0)
		strictInOVN(t, ns, pod.Name)
		if _, err := who.do(t.Context(), http.MethodDelete, one, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// deployment returns a Deployment without pods.
func deployment(ns string) *appsv1.Deployment {
	none, labels := int32(0), map[string]string{"app": "till"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "till", Namespace: ns},
		Spec: appsv1.DeploymentSpec{
			Replicas: &none, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: podSpec()},
		},
	}
}
