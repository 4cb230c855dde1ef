package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// manifestAuthor is who is taken to apply the manifests.
const manifestAuthor = "whoever applies it"

// rightsNote says what of exceptions and policies no file tells.
const rightsNote = "who has the verbs approve and share is not known from files, and not judged"

// governs reports whether the manifest is an exception or a policy.
func (m *manifest) governs() bool {
	kind := m.GroupVersionKind()
	return kind == kube.ExceptionKind || kind == kube.PolicyKind
}

// manifestJudge returns the judge of exceptions and policies among manifests, about the cluster with all of these.
func (o *checkOptions) manifestJudge(inv *inventory.State, now time.Time) *judge {
	j := &judge{inv: inv, accounts: o.accounts, now: now, missing: o.missing, file: o.kubernetes != ""}
	j.user.Username = manifestAuthor
	return j
}

// governed judges an exception or a policy.
func (r *checkReport) governed(ctx context.Context, j *judge, m *manifest) error {
	o := checkedOf(m)
	refuse := func(why string, passing bool) {
		o.Result = resultRefused
		if passing {
			o.Result = resultUnknown
		}
		o.Refusals = append(o.Refusals, checkedRefusal{Why: why, Mode: policy.Enforce.String(), passing: passing})
	}
	raw, err := m.MarshalJSON()
	if err != nil {
		return err
	}
	if m.GroupVersionKind() == kube.PolicyKind {
		var denials []string
		if denials, o.Warnings, err = j.policy(ctx, m.GetName(), raw); err != nil {
			refuse(err.Error(), true)
		}
		for _, text := range denials {
			refuse(text, false)
		}
		r.Objects = append(r.Objects, o)
		return nil
	}
	var asked v1alpha1.PortSecurityException
	if err := json.Unmarshal(raw, &asked); err != nil {
		return err
	}
	switch v, err := j.judge(ctx, nil, &asked); {
	case err != nil:
		refuse(err.Error(), true)
	case v.Refusal != "":
		refuse(v.Refusal, false)
	default:
		o.Warnings = v.Warnings
	}
	r.Objects = append(r.Objects, o)
	return nil
}

// policy says what admission would refuse of a policy that is new, and what it would warn of.
func (j *judge) policy(ctx context.Context, name string, raw []byte) (denials, warnings []string, err error) {
	version := v1alpha1.GroupVersion
	a, err := j.guard().Policy(ctx, &admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Name: name, UserInfo: j.user,
		Kind: metav1.GroupVersionKind{Group: version.Group, Version: version.Version, Kind: kube.PolicyKind.Kind},
		Resource: metav1.GroupVersionResource{
			Group: version.Group, Version: version.Version, Resource: "portsecuritypolicies",
		},
		Object: runtime.RawExtension{Raw: raw},
	})
	return a.Denials(), a.Warnings, err
}

// placeholder says which field of an exception still has what `exception generate` writes there to be replaced; "" for
// none.
func placeholder(o *v1alpha1.PortSecurityException) string {
	var fields []string
	for _, f := range []struct{ path, value string }{{"spec.reason", o.Spec.Reason}, {"spec.owner", o.Spec.Owner}} {
		if strings.HasPrefix(strings.TrimSpace(f.value), toFill) {
			fields = append(fields, fmt.Sprintf("%s: still is %q; fill in %s", f.path, f.value, f.path))
		}
	}
	return strings.Join(fields, "; ")
}

// maxPassedOver is how many objects a note names.
const maxPassedOver = 10

// passedOver returns the note about manifests that are neither judged nor count for others; none without any.
func passedOver(manifests []manifest) []string {
	var names []string
	for i := range manifests {
		m := &manifests[i]
		kind := m.GroupVersionKind()
		if makesPods(kind) || slices.ContainsFunc(kube.Sources(), func(s kube.Source) bool { return s.Kind == kind }) {
			continue
		}
		names = append(names, kind.Kind+"."+m.GetAPIVersion()+" "+cmp.Or(m.GetName(), m.GetGenerateName()))
	}
	verb, count := "it makes", len(names)
	switch {
	case count == 0:
		return nil
	case count > 1:
		verb = "they make"
	}
	if count > maxPassedOver {
		names = append(names[:maxPassedOver], fmt.Sprintf("and %d more", count-maxPassedOver))
	}
	return []string{
		fmt.Sprintf("not judged, because %s no pods that ovnguard knows: %s", verb, strings.Join(names, ", ")),
	}
}

// judge judges the manifests.
func (r *checkReport) judge(
	ctx context.Context, o *checkOptions, inv *inventory.State, manifests []manifest, now time.Time,
) error {
	cluster, j := o.previewed(inv, now), o.manifestJudge(inv, now)
	for i := range manifests {
		m := &manifests[i]
		check := func() error { return r.check(cluster, m) }
		if m.governs() {
			check = func() error { return r.governed(ctx, j, m) }
		}
		if err := check(); err != nil {
			return usage(fmt.Errorf("--filename: %s: %w", m.where(), err))
		}
	}
	if slices.ContainsFunc(manifests, func(m manifest) bool { return m.GroupVersionKind() == kube.ExceptionKind }) {
		r.Notes = append(r.Notes, rightsNote)
	}
	return nil
}
