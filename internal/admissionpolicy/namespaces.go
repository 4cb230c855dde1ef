package admissionpolicy

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// namespaceFloor demands the verb "exempt" of whoever loosens a namespace. Where none of the loose policies selects it, what it says
// in so many words is what holds without a word, and may be taken back.
func (in Input) namespaceFloor(loose []string) admissionregistrationv1.ValidatingAdmissionPolicy {
	const key = "(k.endsWith('.kubernetes.io/port_security') || k.endsWith('.kubernetes.io/layer2_forward'))"
	label := quote(policy.LevelLabel)
	level := func(object string) string {
		return "(has(" + object + ".metadata.labels) && " + label + " in " + object + ".metadata.labels ? " + object + ".metadata.labels[" + label + "] : '')"
	}
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"}, ObjectMeta: meta(NamespaceFloorName),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				rule([]string{"namespaces", "namespaces/status", "namespaces/finalize"}, admissionregistrationv1.ClusterScope, admissionregistrationv1.Create, admissionregistrationv1.Update),
			),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables: []admissionregistrationv1.Variable{
				{Name: "after", Expression: annotations},
				{Name: "before", Expression: before},
				// The namespace itself is what is written, and no namespaceObject.
				{Name: "loose", Expression: strings.ReplaceAll(anyOf(loose), "namespaceObject.", "object.")},
				// What is written anew with another value than the tight one, and what was tight and is gone.
				{Name: "loosens", Expression: "variables.after.exists(k, " + key + " && !(k in variables.before && variables.before[k] == variables.after[k]) && " +
					"!(k.endsWith('port_security') && variables.after[k] == 'true' || k.endsWith('layer2_forward') && variables.after[k] == 'false')) || " +
					"variables.loose && variables.before.exists(k, " + key + " && !(k in variables.after)) || " +
					level("object") + " != (oldObject == null ? '' : " + level("oldObject") + ") && " + level("object") + " != 'strict' && (variables.loose || " + level("object") + " != '')"},
			},
			Validations: []admissionregistrationv1.Validation{{
				Expression: "!variables.loosens || authorizer.group('ovnguard.io').resource('namespaces').name(object.metadata.name).check('exempt').allowed()",
				MessageExpression: "'ovnguard: this may loosen the ports of namespace ' + object.metadata.name + ', which takes the verb exempt on namespaces.ovnguard.io, and ' + " +
					"request.userInfo.username + ' does not have it; who may grant it can run: kubectl create clusterrole ovnguard-exempt --verb=exempt --resource=namespaces.ovnguard.io --resource-name=' + object.metadata.name",
				Message: "ovnguard: this may loosen the ports of the namespace, which takes the verb exempt on namespaces.ovnguard.io",
			}},
		},
	}
}
