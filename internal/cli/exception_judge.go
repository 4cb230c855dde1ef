package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/governance"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// judge says what admission would answer to a request about an exception.
type judge struct {
	// api is nil where the cluster is a file.
	api client.Client
	// user makes the request.
	user authenticationv1.UserInfo
	// inv is what is known of the cluster; nil where the user may not read it as a whole.
	inv      *inventory.State
	accounts admission.Accounts
	now      time.Time
	// file means that the cluster is a file, and missing are the kinds that it lacks.
	file    bool
	missing map[schema.GroupVersionKind]bool
}

// judgement is the answer.
type judgement struct {
	// Object is the exception with what admission writes into it; nil where the API server was asked and tells no more
	// than that it is accepted.
	Object *v1alpha1.PortSecurityException
	// Refusal is the text of the refusal; "" where it is accepted.
	Refusal  string
	Warnings []string
}

// newJudge reads the cluster, or the file in its place. The note says why the API server is asked with a dry run
// instead.
func (o *reading) newJudge(ctx context.Context, now time.Time) (j *judge, notes []string, err error) {
	inv := inventory.New()
	inv.SetSetup(o.setup)
	j = &judge{now: now, accounts: o.accounts}
	if o.kubernetes != "" {
		cluster, err := readClusterFile(o.kubernetes, now, inv)
		if err != nil {
			return nil, nil, err
		}
		northbound, err := o.enterPorts(ctx, now, inv)
		if err != nil {
			return nil, nil, err
		}
		notes = append(cluster.notes, northbound...)
		j.inv, j.user.Username, j.file, j.missing = inv.Snapshot(), manifestAuthor, true, cluster.missing
		notes = append(notes, rightsNote)
		return j, notes, nil
	}
	if _, j.api, err = o.connect(ctx); err != nil {
		return nil, nil, err
	}
	var review authenticationv1.SelfSubjectReview
	if err := j.api.Create(ctx, &review); err != nil {
		return nil, nil, unreachable(fmt.Errorf("ask the API server who you are: %w", err))
	}
	j.user = review.Status.UserInfo
	switch notes, err = readCluster(ctx, j.api, inv, ""); {
	case apierrors.IsForbidden(err):
		return j, []string{"you may not read the whole cluster, so that the API server is asked by a dry run what " +
			"admission says"}, nil
	case err != nil:
		return nil, nil, err
	}
	northbound, err := o.enterPorts(ctx, now, inv)
	if err != nil {
		return nil, nil, err
	}
	j.inv = inv.Snapshot()
	return j, append(notes, northbound...), nil
}

// enterPorts enters what the Northbound database holds into the inventory, where one is named.
func (o *reading) enterPorts(ctx context.Context, now time.Time, inv *inventory.Inventory) (notes []string, err error) {
	if o.northbound == "" {
		return nil, nil
	}
	d, err := o.readNorthbound(ctx, now, inv)
	if err != nil {
		return nil, err
	}
	inv.SetOVN(o.ovn(d.version))
	return d.notes, nil
}

// judge says what admission would answer to the request; old is nil where the exception is new.
func (j *judge) judge(ctx context.Context, old, now *v1alpha1.PortSecurityException) (judgement, error) {
	if text := placeholder(now); text != "" {
		return judgement{Refusal: text}, nil
	}
	if j.inv == nil {
		return j.tryOut(ctx, old, now)
	}
	if lacks := j.lacks(now); lacks != "" {
		return judgement{}, &exitError{code: exitIncomplete, err: errors.New(lacks)}
	}
	req := &admissionv1.AdmissionRequest{
		Operation: admissionv1.Create, Namespace: now.Namespace, Name: now.Name, UserInfo: j.user,
		Kind: metav1.GroupVersionKind{
			Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Kind: kube.ExceptionKind.Kind,
		},
		Resource: metav1.GroupVersionResource{
			Group:    v1alpha1.GroupVersion.Group,
			Version:  v1alpha1.GroupVersion.Version,
			Resource: "portsecurityexceptions",
		},
	}
	raw, err := json.Marshal(now)
	if err != nil {
		return judgement{}, err
	}
	req.Object = runtime.RawExtension{Raw: raw}
	if old != nil {
		req.Operation = admissionv1.Update
		if req.OldObject.Raw, err = json.Marshal(old); err != nil {
			return judgement{}, err
		}
	}
	guard := j.guard()
	stamp, err := guard.StampException(ctx, req)
	if err != nil {
		return judgement{}, unreachable(err)
	}
	if len(stamp.Patch) > 0 {
		ops, err := json.Marshal(stamp.Patch)
		if err != nil {
			return judgement{}, err
		}
		patch, err := jsonpatch.DecodePatch(ops)
		if err != nil {
			return judgement{}, err
		}
		if raw, err = patch.Apply(raw); err != nil {
			return judgement{}, fmt.Errorf("write what admission writes: %w", err)
		}
		req.Object.Raw = raw
	}
	a, err := guard.Exception(ctx, req)
	if err != nil {
		return judgement{}, unreachable(err)
	}
	out := judgement{Object: new(v1alpha1.PortSecurityException), Refusal: strings.Join(a.Denials(), "; ")}
	for _, w := range append(stamp.Warnings, a.Warnings...) {
		out.Warnings = append(out.Warnings, strings.TrimPrefix(w, "ovnguard: "))
	}
	return out, json.Unmarshal(raw, out.Object)
}

// unselected returns a note where the labels of an exception pick no pod now; none where some are picked, or that is
// not known.
func (j *judge) unselected(o *v1alpha1.PortSecurityException) []string {
	if j.inv == nil || o.Spec.Target.PodSelector == nil {
		return nil
	}
	labelsOf, err := metav1.LabelSelectorAsSelector(o.Spec.Target.PodSelector)
	if err != nil {
		return nil // the judge says so
	}
	for p := range j.inv.EachPod() {
		if p.Namespace == o.Namespace && labelsOf.Matches(labels.Set(p.Labels)) {
			return nil
		}
	}
	return []string{
		fmt.Sprintf("--selector: no pod of namespace %s has these labels now: %s", o.Namespace, labelsOf),
	}
}

// lacks says what a file lacks without which it cannot be told whether there is an owner, or whose addresses are; ""
// where it lacks nothing.
func (j *judge) lacks(o *v1alpha1.PortSecurityException) string {
	if !j.file {
		return ""
	}
	if w := o.Spec.Target.Owner; w != nil {
		kind := schema.FromAPIVersionAndKind(w.APIVersion, w.Kind)
		if _, found := j.inv.Workload(o.Namespace, w.APIVersion, w.Kind, w.Name); !found && j.missing[kind] {
			return fmt.Sprintf(
				"--from: it cannot be judged whether namespace %s has %s %q: %s",
				o.Namespace,
				w.Kind,
				w.Name,
				lacksKind(kind),
			)
		}
	}
	if len(o.Spec.Grant.Pairs) == 0 {
		return ""
	}
	missing := j.inv.Unread(append(slices.Clone(inventory.Holding), inventory.Pods)...)
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"--from: it cannot be judged whose the addresses of the pairs are: the file has no %s; export the "+
			"kind as well, as docs/audit.md says",
		admission.Listed(missing),
	)
}

// lacksKind says that a file lacks a kind, and what to do.
func lacksKind(kind schema.GroupVersionKind) string {
	return fmt.Sprintf("the file has no %s; export it as well", kind.GroupKind())
}

// tryOut asks the API server itself, which stores nothing.
func (j *judge) tryOut(ctx context.Context, old, now *v1alpha1.PortSecurityException) (judgement, error) {
	o := now.DeepCopy()
	var err error
	if old == nil {
		err = j.api.Create(ctx, o, client.DryRunAll)
	} else {
		err = j.api.Patch(ctx, o, client.MergeFrom(old), client.DryRunAll)
	}
	if err == nil {
		return judgement{Object: o}, nil
	}
	if text, ok := denial(err); ok {
		return judgement{Refusal: strings.TrimPrefix(text, "ovnguard: ")}, nil
	}
	return judgement{}, refusedByServer(err, now)
}

// refusedByServer says why the API server takes no exception: a right that is missing, or what is wrong with it.
func refusedByServer(err error, o *v1alpha1.PortSecurityException) error {
	err = fmt.Errorf("PortSecurityException %s/%s: %w", o.Namespace, o.Name, err)
	if text, ok := denial(err); ok {
		return &exitError{code: exitFindings, err: errors.New("refused: " + strings.TrimPrefix(text, "ovnguard: "))}
	}
	if apierrors.IsInvalid(err) || apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
		return usage(err)
	}
	return lacking(err, "ovnguard-exception-author", o.Namespace)
}

// guard returns the judge of the webhooks, about what was read.
func (j *judge) guard() *governance.Guard {
	g := &governance.Guard{
		Cluster: fromFile{j.inv}, Accounts: j.accounts, Look: func(look func(*inventory.State)) { look(j.inv) },
		Rewrites: func(inventory.Port) bool { return false }, Now: func() time.Time { return j.now },
	}
	if j.api != nil {
		g.Cluster = oneself{kube.Cluster{Lookup: kube.Lookup{Cache: j.api, Live: j.api}, Reviews: j.api}}
	}
	return g
}

// oneself asks the API server about the user's own rights, which everybody may.
type oneself struct{ kube.Cluster }

// May implements governance.Cluster.
func (c oneself) May(
	ctx context.Context, _ authenticationv1.UserInfo, what authorizationv1.ResourceAttributes,
) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what},
	}
	if err := c.Reviews.Create(ctx, review); err != nil {
		return false, fmt.Errorf("make a SelfSubjectAccessReview: %w", err)
	}
	return review.Status.Allowed && !review.Status.Denied, nil
}

// fromFile answers from what a file says. It knows no rights.
type fromFile struct{ inv *inventory.State }

// May implements governance.Cluster.
func (fromFile) May(context.Context, authenticationv1.UserInfo, authorizationv1.ResourceAttributes) (bool, error) {
	return true, nil
}

// Policies implements governance.Cluster.
func (c fromFile) Policies(context.Context) ([]policy.Policy, error) { return c.inv.Policies(), nil }

// Namespace implements governance.Cluster.
func (c fromFile) Namespace(_ context.Context, name string) policy.Namespace {
	return c.inv.Namespace(name)
}

// OwnerUID implements governance.Cluster.
func (c fromFile) OwnerUID(
	_ context.Context, namespace string, o v1alpha1.Owner,
) (uid string, found bool, err error) {
	w, ok := c.inv.Workload(namespace, o.APIVersion, o.Kind, o.Name)
	return w.UID, ok, nil
}

// warn prints what admission warns of.
func (j *judgement) warn(errs io.Writer) error {
	for _, w := range j.Warnings {
		if _, err := fmt.Fprintln(errs, "warning: "+answer.Plain(w)); err != nil {
			return err
		}
	}
	return nil
}
