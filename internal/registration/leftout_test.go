package registration

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// A namespace that others use as well stays under admission, although the program keeps its certificate there: only
// pods of its own account are left out, and the log says what is left out.
func TestThreat27OrdinaryNamespace(t *testing.T) {
	const account = "system:serviceaccount:default:guard"
	pod := func(namespace, name, account string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       corev1.PodSpec{ServiceAccountName: account},
		}
	}
	for name, c := range map[string]struct {
		namespace string
		own       []string
		// isLeftOut reports whether the whole namespace is left out; condition is the condition on the webhooks for pods.
		isLeftOut bool
		condition string
		says      string
	}{
		"its own": {admissionpolicy.OwnNamespace, []string{deploy.Account}, true, "", "stranger"},
		"an ordinary one": {"default", []string{account}, false, "object.?spec.?serviceAccountName.orValue('') in " +
			"['guard']", "only pods of the program's own accounts"},
		"without accounts": {"default", []string{deploy.Account}, false, "", "no pods are left out"},
	} {
		t.Run(name, func(t *testing.T) {
			accounts := admission.Accounts{Self: c.own}
			o := valid(counting(accounts), func(o *Options) { o.Namespace = c.namespace })
			for _, w := range webhooks {
				if got := len(w.namespaces(o.Namespace).MatchExpressions) > 0; got != (c.isLeftOut && !w.everywhere) {
					t.Errorf("%s leaves a namespace out: %v", w.name(), got)
				}
				isOfPods := slices.Contains(w.of[0].Resources, "pods")
				conditions := w.conditions(facts{namespace: c.namespace, accounts: accounts})
				is := slices.ContainsFunc(conditions, func(m admissionregistrationv1.MatchCondition) bool {
					return strings.Contains(m.Expression, "serviceAccountName")
				})
				if is != (isOfPods && c.condition != "") {
					t.Errorf("%s is narrowed by an account: %v", w.name(), is)
				}
			}
			if got := admissionpolicy.IsItself(
				c.namespace,
				c.own,
			); c.condition != "" &&
				!strings.Contains(got, c.condition) {
				t.Errorf("left out are %s, want %s", got, c.condition)
			}
			api := fake.NewClientBuilder().
				WithObjects(pod(admissionpolicy.OwnNamespace, "ours", "ovnguard"), pod(admissionpolicy.OwnNamespace,
					"stranger", "default"),
					pod("default", "web", "default")).
				Build()
			var told []string
			log := funcr.New(func(_, args string) { told = append(told, args) }, funcr.Options{})
			TellLeftOut(t.Context(), api, o, log)
			if text := strings.Join(told, "\n"); !strings.Contains(text, c.says) || strings.Contains(text, `"ours"`) {
				t.Errorf("told:\n%s\nwant %q", text, c.says)
			}
		})
	}
	if !strings.HasPrefix(deploy.Account, "system:serviceaccount:"+admissionpolicy.OwnNamespace+":") {
		t.Errorf(
			"the manifests make account %s, in another namespace than %s",
			deploy.Account,
			admissionpolicy.OwnNamespace,
		)
	}
}
