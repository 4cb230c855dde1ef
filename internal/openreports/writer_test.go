package openreports

import (
	"context"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// rig is a writer with a cluster of its own that counts writes.
type rig struct {
	*Writer
	writes int
	logged []string
}

func newRig(t *testing.T, funcs interceptor.Funcs, there ...client.Object) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := reportsv1alpha1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	d := &rig{}
	d.Writer = &Writer{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(there...).WithInterceptorFuncs(funcs).Build(),
		Book:   NewBook(),
		Log:    funcr.New(func(_, args string) { d.logged = append(d.logged, args) }, funcr.Options{}),
		Wrote:  func(error) { d.writes++ },
	}
	return d
}

// look makes the writer do everything that is due.
func (d *rig) look(t *testing.T) error {
	t.Helper()
	for _, namespace := range d.Book.Changed() {
		d.due[namespace] = true
	}
	for range 3 { // work that became due during a look is written at the next look
		for namespace := range d.due {
			delete(d.due, namespace)
			if err := d.put(t.Context(), namespace); err != nil {
				return err
			}
		}
	}
	return nil
}

// reports returns the number of failures in the cluster's reports, by namespace.
func (d *rig) reports(t *testing.T) map[string]int {
	t.Helper()
	var list reportsv1alpha1.ReportList
	if err := d.Client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var cluster reportsv1alpha1.ClusterReportList
	if err := d.Client.List(t.Context(), &cluster); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]int)
	for _, r := range list.Items {
		out[r.Namespace+"/"+r.Name] = r.Summary.Fail
	}
	for _, r := range cluster.Items {
		out["/"+r.Name] = r.Summary.Fail
	}
	return out
}

func (d *rig) expect(t *testing.T, writes int, want map[string]int) {
	t.Helper()
	if err := d.look(t); err != nil {
		t.Fatal(err)
	}
	got := d.reports(t)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("report %s has %d failures, want %d", name, got[name], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("reports %v, want %v", got, want)
	}
	if d.writes != writes {
		t.Errorf("%d writes, want %d", d.writes, writes)
	}
}

func (d *rig) begin(t *testing.T) {
	t.Helper()
	if err := d.read(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestReportsFollowFindings(t *testing.T) {
	d := newRig(t, interceptor.Funcs{})
	d.begin(t)
	p, q, ghost := verdict("a", "p", 0), verdict("a", "q", 0, 4), verdict(Cluster, "ghost", 5)
	d.Book.Judged(monitor.Verdict{}, p)
	d.Book.Judged(monitor.Verdict{}, q)
	d.Book.Judged(monitor.Verdict{}, ghost)
	d.expect(t, 2, map[string]int{"a/ovnguard": 3, "/ovnguard": 1})
	d.expect(t, 2, map[string]int{"a/ovnguard": 3, "/ovnguard": 1})
	d.Book.Judged(q, nothing(q))
	d.Book.Judged(ghost, nothing(ghost))
	d.expect(t, 4, map[string]int{"a/ovnguard": 1})
	d.Book.Judged(p, verdict("a", "p"))
	d.expect(t, 5, map[string]int{})
}

// A new writer takes over the reports of an earlier one: it writes nothing twice and removes what is no longer needed.
func TestWriterTakesOver(t *testing.T) {
	stale, _ := Object("over", failures(2), nil, metav1.Now().Time)
	d := newRig(t, interceptor.Funcs{}, stale)
	p := verdict("a", "p", 0)
	d.Book.Judged(monitor.Verdict{}, p)
	d.begin(t)
	d.expect(t, 2, map[string]int{"a/ovnguard": 1})
	d.begin(t)
	d.expect(t, 2, map[string]int{"a/ovnguard": 1})
}

// Reports of others are neither changed nor removed, whatever their names, and the log says so once.
func TestReportsOfOthers(t *testing.T) {
	theirs := &reportsv1alpha1.Report{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: Name, Labels: map[string]string{Label: "somebody"}},
		Source:     "somebody",
	}
	other := &reportsv1alpha1.Report{
		ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "other", Labels: map[string]string{Label: LabelValue}},
		Source:     "somebody",
	}
	d := newRig(t, interceptor.Funcs{}, theirs, other)
	d.begin(t)
	p := verdict("a", "p", 0)
	d.Book.Judged(monitor.Verdict{}, p)
	want := map[string]int{"a/ovnguard": 0, "a/other": 0}
	d.expect(t, 1, want)
	worse := verdict("a", "p", 0, 4)
	d.Book.Judged(p, worse)
	d.expect(t, 1, want)
	d.Book.Judged(worse, nothing(worse))
	d.expect(t, 1, want)
	if len(d.logged) != 1 || !strings.Contains(d.logged[0], "left alone") {
		t.Errorf("logged %q", d.logged)
	}
}

// The writer restores a report that somebody else changes or deletes.
func TestReportIsPutRight(t *testing.T) {
	d := newRig(t, interceptor.Funcs{})
	d.begin(t)
	p := verdict("a", "p", 0)
	d.Book.Judged(monitor.Verdict{}, p)
	d.expect(t, 1, map[string]int{"a/ovnguard": 1})

	var r reportsv1alpha1.Report
	if err := d.Client.Get(t.Context(), client.ObjectKey{Namespace: "a", Name: Name}, &r); err != nil {
		t.Fatal(err)
	}
	r.Results, r.Summary.Fail = nil, 0
	if err := d.Client.Update(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	worse := verdict("a", "p", 0, 4)
	d.Book.Judged(p, worse) // its write conflicts with the other one
	d.expect(t, 3, map[string]int{"a/ovnguard": 2})

	if err := d.Client.Delete(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	d.Book.Judged(worse, p)
	d.expect(t, 5, map[string]int{"a/ovnguard": 1})
}

// The log says once that a cluster does not serve reports, however often the writer asks.
func TestReportsAreNotServed(t *testing.T) {
	missing := &meta.NoKindMatchError{GroupKind: schema.GroupKind{Group: "openreports.io", Kind: "Report"}}
	served := false
	d := newRig(
		t,
		interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
				if !served {
					return missing
				}
				return c.List(ctx, list, opts...)
			},
		},
	)
	if err := d.Writer.look(t.Context()); !publish.Unserved(err) {
		t.Fatalf("look: %v", err)
	}
	served = true
	d.Book.Judged(monitor.Verdict{}, verdict("a", "p", 0))
	d.begin(t)
	d.expect(t, 1, map[string]int{"a/ovnguard": 1})
}
