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
	of := func(ranks, labels string) string { return strings.ReplaceAll(ranks, selected, "variables."+labels) }
	// Where an annotation stays as it is, only the label or the policy can make a difference, and none where it is on;
	// where it is off, it is the same for all NICs.
	off := "[" + strconv.Itoa(levelRanks[policy.Open]) + "]"
	_, offWords := kubeovn.ToggleWords()
	with := common.and(parts{
		"kubeOVN":    List(in.Accounts.KubeOVN),
		"relabelled": in.relabelled(),
		"said":       said(annotations, before),
		"nameLabel":  quote(corev1.LabelMetadataName),
		"labels":     part("object", "labels"),
		"oldLabels":  part("oldObject", "labels"),

		"levelsAfter":    of(levels, "labelsAfter"),
		"levelsBefore":   of(levels, "labelsBefore"),
		"forwardsAfter":  of(forwards, "labelsAfter"),
		"forwardsBefore": of(forwards, "labelsBefore"),

		"isChanged":  differs("variables.after", "variables.before"),
		"isTaken":    differs("variables.before", "{}"),
		"most":       strconv.Itoa(kubeovn.MaxChanged),
		"isLevel":    about(kubeovn.PortSecurity),
		"isForward":  about(kubeovn.Layer2Forward),
		"saysOff":    means("variables.after[k]", offWords),
		"lower":      looser(levelNow("Before"), levelNow("After"), isLower),
		"lowerOff":   looser(levelAsked("Before", off), levelAsked("After", off), isLower),
		"forwards":   looser(forwardAsked("Before"), forwardAsked("After"), "n > w"),
		"exempt":     mayExempt,
		"namespaces": List(in.Accounts.Namespaces()),
	})
	return admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: apiVersion, Kind: "ValidatingAdmissionPolicy"},
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
				admissionregistrationv1.MatchCondition{Expression: with.fill("!($user in $kubeOVN)")},
				admissionregistrationv1.MatchCondition{Expression: with.fill(
					"oldObject == null || $relabelled || $annotations != $before && ($said)",
				)},
			),
			FailurePolicy: new(admissionregistrationv1.Fail),
			Variables:     variables(with, namespaceVariables),
			Validations: []admissionregistrationv1.Validation{
				{
					Expression: with.fill("!variables.many && !variables.loosens || $exempt"),
					MessageExpression: with.fill(`
						'ovnguard: ' +
						(variables.many ? 'more than $most annotations about NICs change at once in namespace ' :
						'this loosens the ports of namespace ') + object.metadata.name +
						'; this needs the verb exempt on namespaces.ovnguard.io, and ' + $user +
						' does not have it; an administrator can grant it by a ClusterRole with the rule ' +
						'{apiGroups: [ovnguard.io], resources: [namespaces], resourceNames: [' + object.metadata.name +
						'], verbs: [exempt]}'`),
					Message: "ovnguard: this loosens the ports of the namespace; that needs the verb exempt on " +
						"namespaces.ovnguard.io",
				},
				{
					Expression: with.fill("oldObject != null || !(object.metadata.name in $namespaces) || $exempt"),
					MessageExpression: with.fill(`
						'ovnguard: metadata.name: ovnguard trusts accounts in namespace ' +
						object.metadata.name + ', so creating it needs the verb exempt on ' +
						'namespaces.ovnguard.io, and ' + $user + ' does not have it'`),
					Message: "ovnguard: metadata.name: ovnguard trusts accounts in this namespace, so creating it needs " +
						"the verb exempt on namespaces.ovnguard.io",
				},
			},
		},
	}, nil
}

// mayExempt holds for an author who has the verb exempt for the namespace.
const mayExempt = "authorizer.group('ovnguard.io').resource('namespaces')." +
	"name(object.metadata.name).check('exempt').allowed()"

var namespaceVariables = []variable{
	{"after", "$annotations"},
	{"before", "$before"},
	{"labelsAfter", "$labels"},
	// What is new is measured against a namespace that says nothing.
	{"labelsBefore", "oldObject == null ? {$nameLabel: object.metadata.name} : $oldLabels"},
	{"levelsAfter", "$levelsAfter"},
	{"levelsBefore", "$levelsBefore"},
	{"forwardsAfter", "$forwardsAfter"},
	{"forwardsBefore", "$forwardsBefore"},
	{"changed", `
		variables.after.filter(k, $isChanged) +
		variables.before.filter(k, !(k in variables.after) && $isTaken)`},
	{"many", "size(variables.changed) > $most"},
	// '' stands for the NICs that no annotation names.
	{"loosensLevel", `
		!variables.many && ((variables.changed.filter(k, $isLevel) + ['']).exists(k, $lower) || $lowerOff &&
		variables.after.exists(k, $isLevel && k in variables.before &&
		variables.before[k] == variables.after[k] && $saysOff))`},
	{"loosensForwarding", `
		!variables.many && (variables.changed.filter(k, $isForward) + ['']).exists(k, $forwards)`},
	{"loosens", "variables.loosensLevel || variables.loosensForwarding"},
}

// isLower holds for a rank n of a level that is looser than the rank w, for some pod. A NIC that is open is strict for
// a pod that asks for it, and one of level mac is not: whatever is neither the same nor strict is looser.
const isLower = "n != w && n != 0"

// looser returns an expression that holds where a rank that may be asked for now is looser than one that may have been
// asked for before. Of both sides all are compared, so that what is found holds whichever it is.
func looser(before, after, isLooser string) string {
	return parts{"before": before, "after": after, "isLooser": isLooser}.fill(
		"[$before].exists(was, [$after].exists(now, was.all(w, now.all(n, $isLooser))))",
	)
}

// differs returns an expression that holds for the key k of an annotation of the first map that is about NICs and says
// something else than in the second. One that is empty says nothing.
func differs(in, than string) string {
	return parts{
		"in":        in,
		"than":      than,
		"isLevel":   about(kubeovn.PortSecurity),
		"isForward": about(kubeovn.Layer2Forward),
	}.fill("$in[k] != (k in $than ? $than[k] : '') && ($isLevel || $isForward)")
}

// said returns an expression that holds where an annotation that is about NICs says something else than before.
func said(after, before string) string {
	return parts{
		"after":     after,
		"before":    before,
		"isChanged": differs(after, before),
		"isTaken":   differs(before, "{}"),
	}.fill("$after.exists(k, $isChanged) || $before.exists(k, !(k in $after) && $isTaken)")
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
	return parts{
		"after":  part("object", "labels"),
		"before": part("oldObject", "labels"),
		"keys":   List(keys),
	}.fill(`
		$after != $before && $keys.exists(l,
		(l in $after) != (l in $before) || l in $after && $after[l] != $before[l])`)
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
	label := text("variables.labels"+side, policy.LevelLabel)
	var byLabel []string
	for rank, l := range levelsByRank {
		byLabel = append(byLabel, fmt.Sprintf("(%s == %s ? [%d] : [])", label, quote(l.String()), rank))
	}
	return parts{
		"said":     said,
		"byLabel":  strings.Join(byLabel, " + "),
		"byPolicy": "variables.levels" + side,
	}.fill("[$said + $byLabel].map(s, 0 in s ? [0] : 1 in s ? [1] : 2 in s ? [2] : $byPolicy)[0]")
}

// levelNow is levelAsked for the annotation with key k.
func levelNow(side string) string { return levelAsked(side, toggledLevel(side)) }

// forwardAsked does the same for layer-2 forwarding.
func forwardAsked(side string) string {
	return parts{
		"said":     toggled(side, kubeovn.Layer2Forward, 1, 0),
		"byPolicy": "variables.forwards" + side,
	}.fill("[$said].map(s, size(s) > 0 ? s : $byPolicy)[0]")
}

// toggled returns a list with the rank that the annotation with key k means, or an empty one. Where the key of one
// interface says nothing, that of its attachment does.
func toggled(side string, s kubeovn.Suffix, on, off int) string {
	onWords, offWords := kubeovn.ToggleWords()
	with := parts{
		"in":       "variables." + strings.ToLower(side),
		"suffix":   quote(".kubernetes.io/" + string(s)),
		"onWords":  List(onWords),
		"on":       strconv.Itoa(on),
		"offWords": List(offWords),
		"off":      strconv.Itoa(off),
	}
	with["attachment"] = with.fill("(k.contains('.ovn.') ? k.substring(0, k.lastIndexOf('.ovn.') + 4) + $suffix : k)")
	return with.fill(`
		[(k in $in && $in[k] != '' ? $in[k] : $attachment in $in ? $in[$attachment] : '').trim().lowerAscii()]
		.map(v, v in $onWords ? [$on] : v in $offWords ? [$off] : [])[0]`)
}
