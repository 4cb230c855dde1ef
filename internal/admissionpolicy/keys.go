package admissionpolicy

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// suffixPattern is a regular expression for keys with one of the suffixes, per interface or not.
func suffixPattern(suffixes []kubeovn.Suffix) string {
	words := make([]string, len(suffixes))
	for i, s := range suffixes {
		words[i] = string(s)
	}
	return `^[^/]+\\.kubernetes\\.io/(` + strings.Join(words, "|") + `)(\\..*)?$`
}

// anyKey returns an expression that holds for a key k of one of the classes.
func anyKey(classes ...kubeovn.KeyClass) string {
	var whole []string
	if slices.Contains(classes, kubeovn.NetworkKey) {
		whole = append(whole, kubeovn.Networks, kubeovn.DefaultNetwork)
	}
	if slices.Contains(classes, kubeovn.MachineKey) {
		whole = append(whole, kubeovn.MigrationJob)
	}
	// Most keys of most pods are none of this, and to see that needs no regular expression.
	return parts{
		"pattern": "'" + suffixPattern(kubeovn.Suffixes(classes...)) + "'",
		"whole":   List(whole),
	}.fill("(k.contains('.kubernetes.io/') ? k.matches($pattern) : k in $whole)")
}

// everyKey returns an expression that holds for a key k of any class.
func everyKey() string {
	return anyKey(
		kubeovn.LevelKey,
		kubeovn.GrantKey,
		kubeovn.IdentityKey,
		kubeovn.OwnKey,
		kubeovn.MachineKey,
		kubeovn.EgressKey,
		kubeovn.GroupKey,
		kubeovn.NetworkKey,
		kubeovn.WishKey,
	)
}

// Counts returns an expression that holds for the key k of an annotation that a port's decision or protection rests on:
// one that Kube-OVN reads, the record, or what was taken back of repair.
func Counts() string {
	return "(k in " + List([]string{policy.RecordAnnotation, policy.UndoAnnotation}) + " || " + everyKey() + ")"
}

// Touches returns an expression, for the webhooks' matchConditions, that holds for an update of a pod that changes
// something that its ports' decision or protection rests on: an annotation that counts, labels or owners.
func Touches() string {
	return parts{
		"annotations": Changed("annotations"),
		"counts":      changes(part("object", "annotations"), part("oldObject", "annotations"), Counts()),
		"rest":        Changed("labels", "ownerReferences"),
	}.fill("$annotations && $counts || $rest")
}

// changes returns an expression that holds where annotations with keys k of a kind are others than before. That they
// are others is looked at first: a pod may have thousands of keys, and of few that change it costs little to see what
// they are.
func changes(after, before, kind string) string {
	return parts{"after": after, "before": before, "kind": kind}.fill(`
		($after.exists(k, !(k in $before && $before[k] == $after[k]) && $kind) ||
		$before.exists(k, !(k in $after) && $kind))`)
}

// Changed returns an expression, for updates, that holds where one of some fields of the metadata is changed.
func Changed(fields ...string) string {
	each := make([]string, len(fields))
	for i, f := range fields {
		each[i] = part("object", f) + " != " + part("oldObject", f)
	}
	return "(" + strings.Join(each, " || ") + ")"
}

// part returns a field of an object's metadata, which may be missing.
func part(object, field string) string {
	none := "{}"
	if field == "ownerReferences" {
		none = "[]"
	}
	return parts{"path": object + ".metadata." + field, "none": none}.fill("(has($path) ? $path : $none)")
}

// text returns an expression for the value of an annotation, which may be missing.
func text(annotations, key string) string {
	return parts{"in": annotations, "key": quote(key)}.fill("($key in $in ? $in[$key] : '')")
}
