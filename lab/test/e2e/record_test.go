//go:build integration

package e2e

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// madeStrict reports whether annotations are those that the default policy writes on an ordinary pod.
func madeStrict(annotations map[string]string) bool {
	return annotations[portSecurity] == "true" && annotations[policy.RecordAnnotation] == admissionpolicy.Record
}

// The record of an ordinary pod says that nobody asked. A pod's request is honoured, and no record replaces the review
// of a pod with a chosen name, not even while the API server lacks the policy that removes such records.
func TestRecordsSayWhatIs(t *testing.T) {
	withPolicies(t)
	p := tenant(t)
	t.Run("a pod's own wish is kept", func(t *testing.T) {
		pod, err := p.createGenerated(t, map[string]string{portSecurity: "true"})
		if err != nil {
			t.Fatal(err)
		}
		if got := policy.Inherited(pod.Annotations); len(got) > 0 {
			t.Errorf(
				"the pod asked to be strict, and the record %s says that it did not",
				pod.Annotations[policy.RecordAnnotation],
			)
		}
		if got := pod.Annotations[policy.RecordAnnotation]; pod.Annotations[portSecurity] != "true" ||
			got != policy.AskedRecord {
			t.Errorf("annotations %v, want true and the record %s", pod.Annotations, policy.AskedRecord)
		}
	})
	t.Run("a chosen name, without the default policy", func(t *testing.T) {
		// As at the start, before the API server has the policy. Without the program nothing restores it, and no webhook
		// answers.
		if err := guard.Kill(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := guard.Start(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		bindings := world.Kube.AdmissionregistrationV1().MutatingAdmissionPolicyBindings()
		if err := bindings.Delete(t.Context(), admissionpolicy.DefaultName, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the API server to forget the policy", func() (bool, error) {
			_, err := p.createGenerated(t, nil)
			return err != nil, nil
		})
		named := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:        "chosen",
				Annotations: map[string]string{portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record},
			},
			Spec: podSpec(),
		}
		_, err := p.CoreV1().
			Pods(tenantNamespace).
			Create(t.Context(), named, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), `failed calling webhook "pods.ovnguard.io"`) {
			t.Errorf("a chosen name with a forged record: %v, want the webhook to be asked", err)
		}
	})
}

// A pod with a record of its own is decided like any other, and in a namespace that may have exceptions by the
// webhooks.
func TestThreat26ForgedRecord(t *testing.T) {
	withPolicies(t)
	p := tenant(t)
	forged := map[string]string{portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record}
	for name, annotations := range map[string]map[string]string{
		"the record alone": {policy.RecordAnnotation: admissionpolicy.Record}, "the record": forged,
		"the name of another": {portSecurity: "true", policy.RecordAnnotation: policy.AskedRecord},
		"off with it":         {portSecurity: "false", policy.RecordAnnotation: admissionpolicy.Record},
		"forwarding too": {
			portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record, layer2Forward: "true",
		},
	} {
		if got, err := p.createGenerated(
			t,
			annotations,
		); err != nil || got.Annotations[portSecurity] != "true" ||
			got.Annotations[layer2Forward] == "true" {
			t.Errorf("%s: %v, %v; want a strict pod", name, err, got.Annotations)
		}
	}
	ns := namespace(t, nil)
	policyOver(t, ns, v1alpha1.PortSecurityPolicySpec{
		Exceptions: &v1alpha1.ExceptionRules{
			Namespaces: []string{ns},
		},
		Limits: v1alpha1.Limits{MaxLevel: v1alpha1.LevelOpen},
	})
	grantIn(t, ns, func(e *v1alpha1.PortSecurityExceptionSpec) { e.Grant.Level = v1alpha1.LevelOpen })
	eventually(t, "the exception to be in effect for a pod that brings a record", func() (bool, error) {
		// The API server notices each policy separately, and may refuse the pod until then.
		pod, err := admin(t).createGeneratedIn(t, ns, forged)
		return err == nil && pod.Annotations[portSecurity] != "true", nil
	})
}
