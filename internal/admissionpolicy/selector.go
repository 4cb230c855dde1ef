package admissionpolicy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// selected is the labels that selectors are about.
const selected = "namespaceObject.metadata.labels"

// selectorExpression returns a label selector for namespaces as an expression; a missing one holds everywhere.
func selectorExpression(s *metav1.LabelSelector) (string, error) {
	if s == nil {
		return "true", nil
	}
	const labels = selected
	var all []string
	for _, key := range slices.Sorted(maps.Keys(s.MatchLabels)) {
		all = append(
			all,
			fmt.Sprintf("%s in %s && %s[%s] == %s", quote(key), labels, labels, quote(key), quote(s.MatchLabels[key])),
		)
	}
	for _, r := range s.MatchExpressions {
		there := quote(r.Key) + " in " + labels
		value := fmt.Sprintf("%s[%s] in %s", labels, quote(r.Key), List(r.Values))
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			all = append(all, there+" && "+value)
		case metav1.LabelSelectorOpNotIn:
			all = append(all, "!("+there+" && "+value+")")
		case metav1.LabelSelectorOpExists:
			all = append(all, there)
		case metav1.LabelSelectorOpDoesNotExist:
			all = append(all, "!("+there+")")
		default:
			return "", fmt.Errorf("operator %q is none of In, NotIn, Exists and DoesNotExist", r.Operator)
		}
	}
	// Every namespace has the label of its name, so the labels are always there.
	if len(all) == 0 {
		return "true", nil
	}
	return "(" + strings.Join(all, ") && (") + ")", nil
}
