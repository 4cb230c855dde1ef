package main

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// leastName is the name of the policy that registerLeast registers.
const leastName = "least"

// registerLeast registers the cheapest possible mutating policy for this job: one operation with a constant path and
// value, for every new pod, without a condition. Its cost is the API server's own price of changing a pod: it writes
// the pod as JSON, patches that, reads it again, compares, and admits the pod once more.
func (p *place) registerLeast(ctx context.Context, _ string) error {
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	api := p.scene.Kube.AdmissionregistrationV1()
	_, err := api.MutatingAdmissionPolicies().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: leastName},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
					RuleWithOperations: admissionregistrationv1.RuleWithOperations{
						Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
						Rule: admissionregistrationv1.Rule{
							APIGroups:   []string{""},
							APIVersions: []string{"v1"},
							Resources:   []string{"pods"},
						},
					},
				}},
			},
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{
					Expression: `[JSONPatch{op: "add", path: "/metadata/annotations/" + jsonpatch.escapeKey("` + key +
						`"), value: "true"}]`,
				},
			}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = api.MutatingAdmissionPolicyBindings().Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: leastName,
		},
		Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: leastName},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return p.settled(ctx)
}
