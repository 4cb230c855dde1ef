package admissionpolicy

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// namespaceFloor demands the verb "exempt" of whoever loosens a namespace: it compares what the namespace asked for
// with what it asks for now. Which policy governs a NIC where the namespace says nothing is known only as far as all
// that may do so say the same; the rest is left to the webhook.
//
// A namespace may have thousands of annotations that are about NICs. Those that stay as they are cost no more than a
// look at each, and only where something of interest changes: Kubernetes itself must be able to end the namespace.
func (in Input) namespaceFloor() (admissionregistrationv1.ValidatingAdmissionPolicy, error) {
	levels, forwards, err := in.ranks()
	if err != nil {
		return admissionregistrationv1.ValidatingAdmissionPolicy{}, err
	}
	ranksOf := func(labels, text string) string { return strings.ReplaceAll(text, selected, labels) }
	// Of both sides all that may be asked for is compared, so that what is found holds whichever it is.
	compare := func(before, after, looser string) string {
		return "[" + before + "].exists(was, [" + after + "].exists(now, was.all(w, now.all(n, " + looser + "))))"
	}
	// A NIC that is open is strict for a pod that asks for it, and one of level mac is not: whatever is neither the
	// same nor strict is looser for some pod.
	const looserLevel = "n != w && n != 0"
	// Where an annotation stays as it is, only the label or the policy can make a difference, and none where it is on;
	// where it is off, it is the same for all NICs.
	off := "[" + strconv.Itoa(levelRanks[policy.Open]) + "]"
	_, offWords := kubeovn.ToggleWords()
	staysOff := "variables.after.exists(k, " + about(kubeovn.PortSecurity) + " && k in variables.before && " +
		"variables.before[k] == variables.after[k] && " + means("variables.after[k]", offWords) + ")"
	// and NICs of which none speaks
	changed := func(s kubeovn.Suffix) string { return "(variables.changed.filter(k, " + about(s) + ") + [''])" }
	exempt := "authorizer.group('ovnguard.io').resource('namespaces').name(object.metadata.name).check('exempt').allowed()"
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta: metav1.TypeMeta{
			APIVersion: apiVersion,
			Kind:       "ValidatingAdmissionPolicy",
		},
		ObjectMeta: meta(NamespaceFloorName),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: constraints(
				rule(
					[]string{"namespaces", "namespaces/status", "namespaces/finalize"},
					admissionregistrationv1.ClusterScope,
					admissionregistrationv1.Create,
					admissionregistrationv1.Update,
				),
			),
			MatchConditions: Together(
				"changes-what-is-judged",
				admissionregistrationv1.MatchCondition{
					Expression: "!(" + user + " in " + List(in.Accounts.KubeOVN) + ")",
				},
				admissionregistrationv1.MatchCondition{Expression: "oldObject == null || " + in.relabelled() + " || " +
					annotations + " != " + before + " && (" + said(annotations, before) + ")"},
			),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables: []admissionregistrationv1.Variable{
				{Name: "after", Expression: annotations},
				{Name: "before", Expression: before},
				{Name: "labelsAfter", Expression: part("object", "labels")},
				// What is new is measured against a namespace that says nothing.
				{
					Name: "labelsBefore",
					Expression: "oldObject == null ? {" + quote(
						corev1.LabelMetadataName,
					) + ": object.metadata.name} : " + part(
						"oldObject",
						"labels",
					),
				},
				{Name: "levelsAfter", Expression: ranksOf("variables.labelsAfter", levels)},
				{Name: "levelsBefore", Expression: ranksOf("variables.labelsBefore", levels)},
				{Name: "forwardsAfter", Expression: ranksOf("variables.labelsAfter", forwards)},
				{Name: "forwardsBefore", Expression: ranksOf("variables.labelsBefore", forwards)},
				{
					Name: "changed",
					Expression: "variables.after.filter(k, " + differs("variables.after", "variables.before") + ") + " +
						"variables.before.filter(k, !(k in variables.after) && " + differs("variables.before", "{}") + ")",
				},
				{Name: "many", Expression: "size(variables.changed) > " + strconv.Itoa(kubeovn.MaxChanged)},
				{
					Name: "loosensLevel",
					Expression: "!variables.many && (" + changed(kubeovn.PortSecurity) + ".exists(k, " +
						compare(
							levelAsked("Before", toggledLevel("Before")),
							levelAsked("After", toggledLevel("After")),
							looserLevel,
						) + ") || " +
						compare(
							levelAsked("Before", off),
							levelAsked("After", off),
							looserLevel,
						) + " && " + staysOff + ")",
				},
				{
					Name: "loosensForwarding",
					Expression: "!variables.many && " + changed(kubeovn.Layer2Forward) + ".exists(k, " +
						compare(forwardAsked("Before"), forwardAsked("After"), "n > w") + ")",
				},
				{Name: "loosens", Expression: "variables.loosensLevel || variables.loosensForwarding"},
			},
			Validations: []admissionregistrationv1.Validation{
				{
					Expression: "!variables.many && !variables.loosens || " + exempt,
					MessageExpression: "'ovnguard: ' + (variables.many ? 'more than " + strconv.Itoa(
						kubeovn.MaxChanged,
					) + " annotations about NICs change at once in namespace ' : " +
						"'this loosens the ports of namespace ') + object.metadata.name + ', which takes the verb " +
						"exempt on namespaces.ovnguard.io, and ' + " +
						"request.userInfo.username + ' does not have it; who may grant it can run: kubectl create " +
						"clusterrole ovnguard-exempt --verb=exempt --resource=namespaces.ovnguard.io " +
						"--resource-name=' + object.metadata.name",
					Message: "ovnguard: this loosens the ports of the namespace, which takes the verb exempt on " +
						"namespaces.ovnguard.io",
				},
				{
					Expression: "oldObject != null || !(object.metadata.name in " + List(
						in.Accounts.Namespaces(),
					) + ") || " + exempt,
					MessageExpression: "'ovnguard: metadata.name: accounts that ovnguard believes would be of " +
						"namespace ' + object.metadata.name + ', so that making it takes the verb exempt on " +
						"namespaces.ovnguard.io, and ' + request.userInfo.username + ' does not have it'",
					Message: "ovnguard: metadata.name: accounts that ovnguard believes would be of this namespace, " +
						"which takes the verb exempt on namespaces.ovnguard.io",
				},
			},
		},
	}, nil
}

// differs returns an expression that holds for the key k of an annotation of the first map that is about NICs and says
// something else than in the second. One that is empty says nothing.
func differs(in, than string) string {
	return in + "[k] != (k in " + than + " ? " + than + "[k] : '') && (" + about(
		kubeovn.PortSecurity,
	) + " || " + about(
		kubeovn.Layer2Forward,
	) + ")"
}

// said returns an expression that holds where an annotation that is about NICs says something else than before.
func said(after, before string) string {
	return after + ".exists(k, " + differs(
		after,
		before,
	) + ") || " + before + ".exists(k, !(k in " + after + ") && " + differs(
		before,
		"{}",
	) + ")"
}

// relabelled returns an expression, for updates, that holds where a label is changed that asks for a level, or by which
// policies select.
func (in Input) relabelled() string {
	keys := []string{policy.LevelLabel}
	for i := range in.Policies {
		if s := in.Policies[i].Spec.NamespaceSelector; s != nil {
			keys = slices.AppendSeq(keys, maps.Keys(s.MatchLabels))
			for _, r := range s.MatchExpressions {
				keys = append(keys, r.Key)
			}
		}
	}
	after, before := part("object", "labels"), part("oldObject", "labels")
	return after + " != " + before + " && " + List(keys) + ".exists(l, " +
		"(l in " + after + ") != (l in " + before + ") || l in " + after + " && " + after + "[l] != " + before + "[l])"
}

// Ranks, as numbers in CEL: of levels strict, mac and open, of forwarding forbidden and allowed.
var (
	levelRanks   = map[policy.Level]int{policy.Strict: 0, policy.MAC: 1, policy.Open: 2}
	levelsByRank = []policy.Level{policy.Strict, policy.MAC, policy.Open}
)

// ranks returns lists of the levels and forwardings that policies may ask for on some NIC of a namespace. Policies that
// select pods by label only tighten.
func (in Input) ranks() (levels, forwards string, err error) {
	var all []string
	level, forward := []string{}, []string{}
	for i := range in.Policies {
		p := &in.Policies[i].Spec
		if p.PodSelector != nil {
			continue
		}
		selector, err := selectorExpression(p.NamespaceSelector)
		if err != nil {
			return "", "", fmt.Errorf("PortSecurityPolicy %s: spec.namespaceSelector: %w", in.Policies[i].Name, err)
		}
		l, err := policy.ParseLevel(string(p.Level))
		if err != nil {
			l = policy.Strict // left out, or unreadable, as the webhooks take it
		}
		f := 0
		if p.Layer2Forward == v1alpha1.Allow {
			f = 1
		}
		level = append(level, fmt.Sprintf("((%s) ? [%d] : [])", selector, levelRanks[l]))
		forward = append(forward, fmt.Sprintf("((%s) ? [%d] : [])", selector, f))
		if len(p.Providers) == 0 {
			all = append(all, selector)
		}
	}
	builtIn := "(" + anyOf(all) + " ? [] : [0])"
	return strings.Join(append(level, builtIn), " + "), strings.Join(append(forward, builtIn), " + "), nil
}

// toggledLevel returns a list with the rank that the port_security annotation with key k means.
func toggledLevel(side string) string {
	return toggled(side, kubeovn.PortSecurity, levelRanks[policy.Strict], levelRanks[policy.Open])
}

// levelAsked returns a list of the levels that the namespace may ask for on NICs of which annotations say what is said,
// on one side of the change. Of the label and the annotation the tighter one counts.
func levelAsked(side, said string) string {
	label := "(" + quote(
		policy.LevelLabel,
	) + " in variables.labels" + side + " ? variables.labels" + side + "[" + quote(
		policy.LevelLabel,
	) + "] : '')"
	var byLabel []string
	for rank, l := range levelsByRank {
		byLabel = append(byLabel, fmt.Sprintf("(%s == %s ? [%d] : [])", label, quote(l.String()), rank))
	}
	return "[" + said + " + " + strings.Join(
		byLabel,
		" + ",
	) + "].map(s, 0 in s ? [0] : 1 in s ? [1] : 2 in s ? [2] : variables.levels" + side + ")[0]"
}

// forwardAsked does the same for layer-2 forwarding.
func forwardAsked(side string) string {
	return "[" + toggled(
		side,
		kubeovn.Layer2Forward,
		1,
		0,
	) + "].map(s, size(s) > 0 ? s : variables.forwards" + side + ")[0]"
}

// toggled returns a list with the rank that the annotation with key k means, or an empty one. Where the key of one
// interface says nothing, that of its attachment does.
func toggled(side string, s kubeovn.Suffix, on, off int) string {
	annotations := "variables." + strings.ToLower(side)
	attachment := "(k.contains('.ovn.') ? k.substring(0, k.lastIndexOf('.ovn.') + 4) + '.kubernetes.io/" + string(
		s,
	) + "' : k)"
	value := "(k in " + annotations + " && " + annotations + "[k] != '' ? " + annotations + "[k] : " + attachment +
		" in " + annotations + " ? " + annotations + "[" + attachment + "] : '')"
	onWords, offWords := kubeovn.ToggleWords()
	return fmt.Sprintf(
		"[%s.trim().lowerAscii()].map(v, v in %s ? [%d] : v in %s ? [%d] : [])[0]",
		value,
		List(onWords),
		on,
		List(offWords),
		off,
	)
}
