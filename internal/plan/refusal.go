package plan

import (
	"fmt"
	"slices"

	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/preview"
)

// Refusal is a reason to refuse pods.
type Refusal struct {
	// Check is the ID of the check of admission; empty for none.
	Check string `json:"check,omitempty"`
	// Field is named as it stands in the object that people write.
	Field string `json:"field,omitempty"`
	Why   string `json:"why"`
	Fix   string `json:"fix,omitempty"`
	Mode  string `json:"mode"`
}

// String returns the refusal as a sentence.
func (r Refusal) String() string {
	text := r.Why
	if r.Field != "" {
		text = r.Field + ": " + text
	}
	if r.Fix != "" {
		text += "; " + r.Fix
	}
	if r.Check != "" {
		text += " (" + r.Check + ")"
	}
	return text
}

// Wish is what pods ask for and are made without.
type Wish struct {
	Field string `json:"field"`
	Value string `json:"value"`
	Why   string `json:"why"`
}

// refusals enters what admission would do about pods that it does not do today.
func (c *comparison) refusals(in func(namespace string, o policy.Owner) *Workload) {
	before, after := c.Before.Cluster.Judge(c.Before.Templates), c.After.Cluster.Judge(c.After.Templates)
	for key, is := range after {
		if c.Namespace != "" && is.Namespace != c.Namespace {
			continue
		}
		was := before[key]
		refused, warned := added(was.Refused, is.Refused)
		var wishes []Wish
		for _, o := range is.Overruled {
			if o.Mode == policy.Enforce && !slices.Contains(was.Overruled, o) {
				wishes = append(wishes, Wish{o.Field, o.Value, o.Why})
			}
		}
		if len(refused)+len(warned)+len(wishes) == 0 {
			continue
		}
		w := in(is.Namespace, is.Object)
		w.Refused, w.Warned, w.NotGranted = refused, warned, wishes
	}
	for key, was := range before {
		if (c.Namespace == "" || was.Namespace == c.Namespace) && refuses(was.Refused) && !refuses(after[key].Refused) {
			in(was.Namespace, was.Object).Admitted = true
		}
	}
}

// refuses reports whether pods are refused, and not only warned of.
func refuses(all []preview.Refusal) bool {
	return slices.ContainsFunc(all, func(r preview.Refusal) bool { return r.Mode == policy.Enforce })
}

// added returns the reasons that are not there yet: to refuse, and to warn. The same reason is one of the same check
// about the same field.
func added(was, is []preview.Refusal) (refused, warned []Refusal) {
	for _, r := range is {
		if slices.ContainsFunc(was, func(o preview.Refusal) bool {
			return o.Mode <= r.Mode && o.Check == r.Check && o.FieldInObject() == r.FieldInObject()
		}) {
			continue
		}
		out := Refusal{Field: r.FieldInObject(), Why: r.Why, Fix: r.Fix, Mode: r.Mode.String()}
		if r.Check != nil {
			out.Check = r.Check.ID
		}
		if r.More > 0 {
			out.Why = fmt.Sprintf("and %d more", r.More)
		}
		if r.Mode == policy.Enforce {
			refused = append(refused, out)
		} else {
			warned = append(warned, out)
		}
	}
	return refused, warned
}
