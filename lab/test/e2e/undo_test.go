//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// kubeconfigOf writes a kubeconfig for a user.
func kubeconfigOf(t *testing.T, user string, groups ...string) string {
	t.Helper()
	config, err := world.Lab.RESTConfig(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	err = clientcmd.WriteToFile(api.Config{
		Clusters: map[string]*api.Cluster{"lab": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos: map[string]*api.AuthInfo{
			user: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData, Token: config.BearerToken},
		},
		Contexts:       map[string]*api.Context{"lab": {Cluster: "lab", AuthInfo: user}},
		CurrentContext: "lab",
	}, path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// undoer returns a user who may take back repair's changes in a namespace, with the roles for that purpose.
func undoer(t *testing.T, ns string) (user string) {
	t.Helper()
	if err := world.Apply(t.Context(), deploy.Roles); err != nil {
		t.Fatal(err)
	}
	user = unique("undoer")
	for _, b := range []rbacv1.RoleBinding{
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "ovnguard-undoer"},
		},
		{
			ObjectMeta: metav1.ObjectMeta{Namespace: "ovnguard-system", Name: user},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "ovnguard-undoer"},
		},
	} {
		b.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
		bindings := world.Kube.RbacV1().RoleBindings(b.Namespace)
		if _, err := bindings.Create(t.Context(), &b, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := bindings.Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	bindings := world.Kube.RbacV1().ClusterRoleBindings()
	if _, err := bindings.Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "ovnguard-undoer-proof"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bindings.Delete(cleanup(t), user, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	return user
}

// backfilledPods returns pods from before the policy of their namespace enforced: repair has made them strict and given
// them their grants, and leaves them alone from now on.
func backfilledPods(t *testing.T, pods int) (ns string, all []*corev1.Pod) {
	t.Helper()
	ns, policyName := repairNamespace(t)
	patchPolicy(t, policyName, map[string]any{"mode": "audit"})
	eventually(t, "admission to follow the policy", func() (bool, error) {
		pod, err := admin(t).dryRun(t.Context(), ns, nil)
		return err == nil && pod.Annotations[portSecurity] == "", err
	})
	for range pods {
		all = append(all, run(t, ns, nil))
	}
	grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class = v1alpha1.ClassRouter
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}
	})
	for _, pod := range all {
		if got := protectionOf(t, pod); got.row != "[]" || len(got.annotations) > 0 {
			t.Fatalf("pod %s is not open: %+v", pod.Name, got)
		}
	}
	patchPolicy(t, policyName, map[string]any{"mode": "enforce"})
	for _, pod := range all {
		eventually(t, "repair to end", func() (bool, error) {
			list := changes(t, portOf(pod))
			return strings.Contains(protectionOf(t, pod).row, " 10.20.0.0/24") && len(list) > 1 &&
				list[len(list)-1].Outcome == journal.Written, nil
		})
	}
	patchPolicy(t, policyName, map[string]any{"repair": "log"})
	eventually(t, "the policy to be known", func() (bool, error) {
		var p v1alpha1.PortSecurityPolicy
		return get(t, policiesPath+"/"+policyName, &p) && p.Spec.Repair == v1alpha1.RepairLog &&
			p.Status.ObservedGeneration == p.Generation, nil
	})
	return ns, all
}

// protection has everything that shows whether a pod's port is protected: the row's column, and the annotations that
// this program may write.
type protection struct {
	row         string
	annotations map[string]string
}

func protectionOf(t *testing.T, pod *corev1.Pod) protection {
	t.Helper()
	now, err := world.Kube.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := protection{portSecurityOf(t, portOf(pod)), make(map[string]string)}
	for _, key := range []string{portSecurity, policy.RecordAnnotation} {
		if value, there := now.Annotations[key]; there {
			out.annotations[key] = value
		}
	}
	return out
}

func (p protection) equals(o protection) bool {
	return p.row == o.row && maps.Equal(p.annotations, o.annotations)
}

// awaitUndone waits until a pod is as it was before repair, its row and its annotations.
func awaitUndone(t *testing.T, pods ...*corev1.Pod) {
	t.Helper()
	for _, pod := range pods {
		eventually(t, "row and annotations of "+pod.Name+" to be as they were", func() (bool, error) {
			return protectionOf(t, pod).equals(protection{row: "[]"}), nil
		})
	}
}

// A backfill is taken back as a whole, annotations and rows, by users with the right and nobody else; a pod that
// somebody changed since is left alone as a whole.
func TestUndoOfABackfill(t *testing.T) {
	ns, pods := backfilledPods(t, 6)
	first, rest, spoilt, again := pods[0], pods[1:4], pods[4], pods[5]
	before := make([]protection, len(pods))
	for i, pod := range pods {
		before[i] = protectionOf(t, pod)
	}
	unchanged := func(when string) {
		t.Helper()
		for i, pod := range pods {
			if now := protectionOf(t, pod); !now.equals(before[i]) {
				t.Errorf("%s: pod %s is %+v and was %+v", when, pod.Name, now, before[i])
			}
		}
	}

	// This user may change pods and reach everything, but lacks the verb.
	stranger, _ := granted(
		t,
		rbacv1.PolicyRule{
			APIGroups: []string{""},
			Resources: []string{"pods", "configmaps"},
			Verbs:     []string{"get", "list", "create", "update", "patch"},
		},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/status"}, Verbs: []string{"patch"}},
	)
	out, stderr, code := ovnguard(t, "undo", "--of", ns, "--kubeconfig", kubeconfigOf(t, stranger))
	if code != 1 || strings.Count(out, "left alone") != strings.Count(out, "\n") ||
		!strings.Contains(out, `the verb "undo"`) {
		t.Errorf("without the verb: code %d\n%s%s", code, out, stderr)
	}
	unchanged("without the verb")
	for _, pod := range pods {
		if slices.ContainsFunc(changes(t, portOf(pod)), func(e journal.Entry) bool { return e.Undoes != "" }) {
			t.Errorf("the journal has an attempt at pod %s", pod.Name)
		}
	}

	out, stderr, code = ovnguard(t, "undo", "--of", ns, "--dry-run")
	value := "annotation " + portSecurity + " of pod " + ns + "/" + first.Name + ` "true" -> none`
	if code != 0 || strings.Count(out, "would be taken back") != 2*len(pods) || !strings.Contains(out, value) {
		t.Errorf("dry run: code %d, want %q\n%s%s", code, value, out, stderr)
	}
	unchanged("dry run")

	// With the ID of the row's change alone, the annotation is taken back too.
	user, list := undoer(t, ns), changes(t, portOf(first))
	out, stderr, code = ovnguard(t, "undo", "--change", list[len(list)-1].ID, "--kubeconfig", kubeconfigOf(t, user))
	if code != 0 || strings.Count(out, "taken back") != 2 || strings.Count(out, "not asked for") != 1 || stderr != "" {
		t.Errorf("by its change: code %d\n%s%s", code, out, stderr)
	}
	awaitUndone(t, first)
	awaitUndoNoted(t, first, user, list[0].ID)

	nbctl(t, "lsp-set-port-security", portOf(spoilt), "0a:00:00:00:00:99")
	before[4] = protectionOf(t, spoilt)
	deletePod(t, again)
	made, err := world.Pod(t.Context(), ns, again.Name, nil)
	if err != nil {
		t.Fatal(err)
	}
	before[5] = protectionOf(t, made)
	out, stderr, code = ovnguard(t, "undo", "--of", ns)
	if code != 1 || strings.Count(out, " taken back") != 2*len(rest) || strings.Count(out, "left alone") != 4 ||
		!strings.Contains(out, "another one of that name") {
		t.Errorf("the rest: code %d\n%s%s", code, out, stderr)
	}
	awaitUndone(t, rest...)
	for i, pod := range map[int]*corev1.Pod{4: spoilt, 5: made} {
		if now := protectionOf(t, pod); !now.equals(before[i]) {
			t.Errorf("pod %s is %+v and was %+v", pod.Name, now, before[i])
		}
	}
	if out, _, code := ovnguard(
		t,
		"undo",
		"--port",
		portOf(rest[0]),
	); code != 0 ||
		!strings.Contains(out, "No change") {
		t.Errorf("again: code %d\n%s", code, out)
	}
}

// awaitUndoNoted waits until the journal, an Event at the pod and the API server's audit log say who took back which
// change.
func awaitUndoNoted(t *testing.T, pod *corev1.Pod, user, id string) {
	t.Helper()
	var by []string
	for _, e := range changes(t, portOf(pod)) {
		if e.Undoes != "" && e.Outcome == journal.Written {
			by = append(by, e.By)
		}
	}
	if len(by) != 2 || !strings.HasPrefix(by[0], user+",") {
		t.Errorf("the journal says that it was taken back by %q", by)
	}
	eventually(t, "the Event", func() (bool, error) {
		list, err := world.Kube.CoreV1().
			Events(pod.Namespace).
			List(t.Context(), metav1.ListOptions{FieldSelector: "involvedObject.name=" + pod.Name})
		return err == nil && slices.ContainsFunc(list.Items, func(e corev1.Event) bool {
			return e.Reason == "PortSecurityUndone" && strings.Contains(e.Message, user) &&
				e.InvolvedObject.UID == pod.UID
		}), err
	})
	eventually(t, "the audit log", func() (bool, error) {
		log, err := os.ReadFile(world.Lab.AuditLog())
		for text := range bytes.Lines(log) {
			var a audited
			if json.Unmarshal(text, &a) == nil && a.Ref.Name == pod.Name && a.User.Username == user &&
				a.Annotations["guard-running-pods-undo.ovnguard.io/undo"] == id {
				return true, nil
			}
		}
		return false, err
	})
}

// The verb undo, with the right to change pods by every path, restores what repair found on this pod and nothing else:
// not on another pod, not another value, not a second time. The API server's own policies let users with the verb pass
// on to the webhook, and nobody else.
func TestThreatT48UndoIsNoRightToWrite(t *testing.T) {
	withPolicies(t)
	ns, pods := backfilledPods(t, 2)
	user := undoer(t, ns)
	thief, id := as(t, user), changes(t, portOf(pods[0]))[0].ID
	_, stranger := granted(
		t,
		rbacv1.PolicyRule{
			APIGroups: []string{""},
			Resources: []string{"pods", "pods/status"},
			Verbs:     []string{"get", "patch"},
		},
	)
	patch := func(who person, pod *corev1.Pod, annotations map[string]any) error {
		body, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = who.CoreV1().
			Pods(ns).
			Patch(t.Context(), pod.Name, types.MergePatchType, body, metav1.PatchOptions{}, "status")
		return err
	}
	for name, c := range map[string]struct {
		who         person
		pod         *corev1.Pod
		annotations map[string]any
		words       string
	}{
		"without saying so": {thief, pods[0], map[string]any{portSecurity: nil}, portSecurity},
		"another pod's change": {
			thief, pods[1], map[string]any{portSecurity: nil, policy.UndoAnnotation: id}, "on another pod",
		},
		"a change that is not": {
			thief, pods[0], map[string]any{portSecurity: nil, policy.UndoAnnotation: "0"}, "has no change",
		},
		"the row's change": {
			thief, pods[0],
			map[string]any{portSecurity: nil, policy.UndoAnnotation: changes(t, portOf(pods[0]))[1].ID},
			"is of a row",
		},
		"another value": {
			thief, pods[0], map[string]any{portSecurity: "false", policy.UndoAnnotation: id}, "did not overwrite",
		},
		"forwarding with it": {
			thief, pods[0],
			map[string]any{portSecurity: nil, policy.UndoAnnotation: id, "ovn.kubernetes.io/layer2_forward": "true"},
			"layer2_forward",
		},
		"an address with it": {
			thief, pods[0],
			map[string]any{portSecurity: nil, policy.UndoAnnotation: id, "ovn.kubernetes.io/ip_address": "10.16.0.77"},
			"ip_address",
		},
		"nothing but the mark": {thief, pods[0], map[string]any{policy.UndoAnnotation: id}, "is not taken back"},
	} {
		mustRefuse(t, name, patch(c.who, c.pod, c.annotations), c.words)
	}
	for name, annotations := range map[string]map[string]any{
		"somebody without the verb":             {portSecurity: nil, policy.UndoAnnotation: id},
		"the mark by somebody without the verb": {policy.UndoAnnotation: id},
	} {
		mustRefuseByFloor(t, name, patch(stranger, pods[0], annotations), admissionpolicy.FloorName)
	}
	for _, pod := range pods {
		if now := protectionOf(t, pod); now.annotations[portSecurity] != "true" || now.row == "[]" {
			t.Errorf("pod %s is %+v", pod.Name, now)
		}
	}
	out, stderr, code := ovnguard(t, "undo", "--port", portOf(pods[0]), "--kubeconfig", kubeconfigOf(t, user))
	if code != 0 {
		t.Fatalf("code %d\n%s%s", code, out, stderr)
	}
	awaitUndone(t, pods[0])
	// The pod is made strict again, and the change is used again: the undo annotation stays on the pod.
	for name, annotations := range map[string]map[string]any{
		"the mark is taken away":           {policy.UndoAnnotation: nil},
		"another change in the mark's way": {portSecurity: "true", policy.UndoAnnotation: "0"},
	} {
		mustRefuse(t, name+", by an administrator", patch(admin(t), pods[0], annotations), policy.UndoAnnotation)
	}
	tighten := func(pod *corev1.Pod) {
		t.Helper()
		if err := patch(admin(t), pod, map[string]any{portSecurity: "true"}); err != nil {
			t.Fatal(err)
		}
	}
	tighten(pods[0])
	replay := func(pod *corev1.Pod, mark any) error {
		return patch(thief, pod, map[string]any{portSecurity: nil, policy.UndoAnnotation: mark})
	}
	mustRefuse(t, "the same mark", replay(pods[0], id), portSecurity)
	mustRefuse(t, "the change again", replay(pods[0], id+","+id), "already taken back")
	mustRefuse(t, "without the mark", replay(pods[0], nil), portSecurity)
	out, stderr, code = ovnguard(t, "undo", "--change", id, "--kubeconfig", kubeconfigOf(t, user))
	if code != 1 || !strings.Contains(stderr, "was taken back already, at 20") || !strings.Contains(stderr, user) {
		t.Errorf("by the command: code %d\n%s%s", code, out, stderr)
	}
	// Without the command, nobody writes a journal entry for the undo, and the change can be taken back only once either.
	other := changes(t, portOf(pods[1]))[0].ID
	if err := replay(pods[1], other); err != nil {
		t.Fatalf("once, without the command: %v", err)
	}
	tighten(pods[1])
	for _, mark := range []any{other, nil, other + "," + other} {
		if err := replay(pods[1], mark); err == nil {
			t.Errorf("the mark %v: the change was used twice", mark)
		}
	}
	// With the webhooks gone, the API server's own policies refuse users without the verb.
	strict := run(t, namespace(t, nil), nil)
	ns = strict.Namespace
	thief = as(t, undoer(t, ns))
	withoutWebhooks(t)
	mustRefuseByFloor(
		t,
		"somebody without the verb",
		patch(stranger, strict, map[string]any{portSecurity: nil, policy.UndoAnnotation: id}),
		admissionpolicy.FloorName,
	)
	mustRefuseByFloor(
		t,
		"the mark by somebody without the verb",
		patch(stranger, strict, map[string]any{policy.UndoAnnotation: id}),
		admissionpolicy.FloorName,
	)
	mustRefuseByFloor(
		t,
		"without saying so",
		patch(thief, strict, map[string]any{portSecurity: nil}),
		admissionpolicy.FloorName,
	)
	mustRefuseByFloor(
		t,
		"forwarding",
		patch(thief, strict, map[string]any{"ovn.kubernetes.io/layer2_forward": "true", policy.UndoAnnotation: id}),
		admissionpolicy.FloorName,
	)
	if err := patch(thief, strict, map[string]any{portSecurity: nil, policy.UndoAnnotation: id}); err != nil {
		t.Errorf("what only the webhook can judge: %v", err)
	}
}

// The command names a policy that would repair the port again, before it takes the change back.
func TestUndoNamesThePolicyThatRepairs(t *testing.T) {
	ns, policyName := repairNamespace(t)
	pod, wide, end := widenedPod(t, ns)
	defer end()
	if _, stderr, code := ovnguard(
		t,
		"undo",
		"--port",
		portOf(pod),
		"--dry-run",
	); code != 0 ||
		!strings.Contains(stderr, "PortSecurityPolicy "+policyName+" has repair: repair") {
		t.Errorf("code %d, said %q", code, stderr)
	}
	if got := portSecurityOf(t, portOf(pod)); got != wide {
		t.Errorf("port_security is %s, want %s", got, wide)
	}
}

// widenedPod returns a strict pod, after repair has added an exception's grant to its row, the column then, and a
// function that ends the exception.
func widenedPod(t *testing.T, ns string) (pod *corev1.Pod, column string, end func()) {
	t.Helper()
	pod = run(t, ns, nil)
	end = grantIn(t, ns, func(s *v1alpha1.PortSecurityExceptionSpec) {
		s.Class = v1alpha1.ClassRouter
		s.Grant.Pairs = []v1alpha1.AddressPair{{Prefix: "10.20.0.0/24"}}
	})
	eventually(t, "the port to be widened", func() (bool, error) {
		column = portSecurityOf(t, portOf(pod))
		list := changes(t, portOf(pod))
		return strings.Contains(column, " 10.20.0.0/24") && len(list) > 0 &&
			list[len(list)-1].Outcome == journal.Written, nil
	})
	return pod, column, end
}

// A user who writes the journal invents that repair found somebody's address, another pod's port, or an open row under
// an annotation that asks for port security: a user who takes that back gets an error, and nothing is written.
func TestThreatT48ForgedJournal(t *testing.T) {
	ns, policyName := repairNamespace(t)
	patchPolicy(t, policyName, map[string]any{"repair": "log"})
	pod, victim := run(t, ns, nil), run(t, ns, nil)
	before := []protection{protectionOf(t, pod), protectionOf(t, victim)}
	forger := &journal.Journal{Client: journalClient(t), Namespace: "ovnguard-system", By: "forger", Now: time.Now}
	honest := func(of *corev1.Pod) journal.Entry {
		row, err := world.Nbctl(t.Context(), "get", "logical_switch_port", portOf(of), "_uuid")
		if err != nil {
			t.Fatal(err)
		}
		column := strings.Trim(portSecurityOf(t, portOf(of)), `[]"`)
		return journal.Entry{
			Port: portOf(of), Row: strings.TrimSpace(row), Namespace: ns, Pod: pod.Name, PodUID: string(pod.UID),
			After: journal.Values{PortSecurity: &[]string{column}}, Outcome: journal.Written,
		}
	}
	for name, c := range map[string]struct {
		of     *corev1.Pod
		column []string
		words  string
	}{
		"an open row":          {pod, []string{}, "port_security: it would be empty"},
		"somebody's address":   {pod, []string{strings.Trim(before[1].row, `[]"`)}, "would let the port send from"},
		"the port of another":  {victim, []string{}, "is none that pod"},
		"somebody's own words": {pod, []string{"unknown"}, "as port security"},
	} {
		e := honest(c.of)
		e.Before.PortSecurity = &c.column
		made, err := forger.Begin(t.Context(), []journal.Entry{e})
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"--dry-run"}, nil} {
			out, stderr, code := ovnguard(t, append([]string{"undo", "--change", made[0].ID}, command...)...)
			if code != 1 || !strings.Contains(out, c.words) || !strings.Contains(out, made[0].ID+" of the journal") {
				t.Errorf("%s %v: code %d, want %q\n%s%s", name, command, code, c.words, out, stderr)
			}
		}
	}
	for i, p := range []*corev1.Pod{pod, victim} {
		if now := protectionOf(t, p); !now.equals(before[i]) {
			t.Errorf("pod %s is %+v and was %+v", p.Name, now, before[i])
		}
	}
}
