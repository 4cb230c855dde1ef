package openreports

import (
	"reflect"
	"strconv"
	"time"

	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Name is the name of each report. One that has it and not the label belongs to somebody else and is left alone.
const Name = "ovnguard"

// Label marks the reports that are this program's.
const (
	Label      = "app.kubernetes.io/managed-by"
	LabelValue = "ovnguard"
)

// LeftOut is the annotation that tells how many failures a report has no room for; the summary counts them.
const LeftOut = "ovnguard.io/left-out"

// podOf refers to the pod whose NIC failed.
func podOf(f Failure) corev1.ObjectReference {
	return corev1.ObjectReference{
		APIVersion: "v1",
		Kind:       "Pod",
		Namespace:  f.Namespace,
		Name:       f.Pod,
		UID:        types.UID(f.PodUID),
	}
}

// workloadOf refers to the workload that the finding is about.
func workloadOf(f Failure) corev1.ObjectReference {
	w := f.Workload
	return corev1.ObjectReference{
		APIVersion: w.APIVersion,
		Kind:       w.Kind,
		Namespace:  f.Namespace,
		Name:       w.Name,
		UID:        types.UID(w.UID),
	}
}

// limits say what is in a report.
func limits() *reportsv1alpha1.ReportConfiguration {
	return &reportsv1alpha1.ReportConfiguration{Limits: reportsv1alpha1.Limits{
		MaxResults: MaxResults, StatusFilter: []reportsv1alpha1.StatusFilter{fail},
	}}
}

// Object returns the report of a namespace: before, as it is in the cluster or nil, with the failures in it. changed is
// false where before says the same already.
func Object(
	namespace string,
	failures []Failure,
	before client.Object,
	now time.Time,
) (report client.Object, changed bool) {
	scope := &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: namespace}
	switch had := before.(type) {
	case *reportsv1alpha1.Report:
		r := had.DeepCopy()
		fillReport(r, bodyOf(failures, had.Results, now), scope)
		return r, !reflect.DeepEqual(had, r)
	case *reportsv1alpha1.ClusterReport:
		r := had.DeepCopy()
		fillClusterReport(r, bodyOf(failures, had.Results, now))
		return r, !reflect.DeepEqual(had, r)
	}
	meta := metav1.ObjectMeta{Namespace: namespace, Name: Name}
	if namespace == Cluster {
		r := &reportsv1alpha1.ClusterReport{ObjectMeta: meta}
		fillClusterReport(r, bodyOf(failures, nil, now))
		return r, true
	}
	r := &reportsv1alpha1.Report{ObjectMeta: meta}
	fillReport(r, bodyOf(failures, nil, now), scope)
	return r, true
}

func fillReport(r *reportsv1alpha1.Report, b body, scope *corev1.ObjectReference) {
	mark(&r.ObjectMeta, b)
	r.Source, r.Scope, r.ScopeSelector, r.Configuration, r.Summary, r.Results = source, scope, nil, limits(),
		b.summary, b.results
}

func fillClusterReport(r *reportsv1alpha1.ClusterReport, b body) {
	mark(&r.ObjectMeta, b)
	r.Source, r.Scope, r.ScopeSelector, r.Configuration, r.Summary, r.Results = source, nil, nil, limits(), b.summary,
		b.results
}

func mark(m *metav1.ObjectMeta, b body) {
	metav1.SetMetaDataLabel(m, Label, LabelValue)
	delete(m.Annotations, LeftOut)
	if n := b.summary.Fail - len(b.results); n > 0 {
		metav1.SetMetaDataAnnotation(m, LeftOut, strconv.Itoa(n))
	}
	if len(m.Annotations) == 0 {
		m.Annotations = nil
	}
}

// Ours reports whether a report is this program's.
func Ours(o client.Object) bool { return o.GetName() == Name && o.GetLabels()[Label] == LabelValue }

// KindOf returns the kind of a report. An object that was just made does not say it.
func KindOf(o client.Object) schema.GroupVersionKind {
	kind := "Report"
	if _, ok := o.(*reportsv1alpha1.ClusterReport); ok {
		kind = "ClusterReport"
	}
	v := reportsv1alpha1.GroupVersion
	return schema.GroupVersionKind{Group: v.Group, Version: v.Version, Kind: kind}
}
