package journal

import (
	"context"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A change stands if it was made, was not taken back, and no newer change of the port's annotations was made. The
// journal is read at most ten times a second, however often that is asked.
func TestStanding(t *testing.T) {
	lists, now := 0, testTime
	api := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists++
			return c.List(ctx, list, options...)
		},
	}).Build()
	j := &Journal{Client: api, Namespace: "ns", By: "replica", Now: func() time.Time { return testTime }}
	another := annotated("", "a", 0)
	another.PodUID = "another pod"
	made, err := j.Begin(t.Context(), []Entry{
		annotated("", "a", 0), annotated("", "b", 0), // the second is not made
		annotated("", "c", 0), wrote("", "c", 0, "narrow", "wide"), annotated("", "c", 0), annotated("", "c", 0),
		another,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range made {
		made[i].Outcome = Written
	}
	made[1].Outcome = Failed
	made[5].Outcome = "" // a crash before the outcome was written
	j.End(made)
	back, err := j.Begin(t.Context(), []Entry{made[0].Undoing("why")})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{Client: api, Namespace: "ns", Now: func() time.Time { return now }}
	lists = 0
	says := func(ids, want string) {
		t.Helper()
		u, err := r.Standing(t.Context(), strings.Fields(ids)...)
		var got []string
		for _, e := range u.Changes {
			got = append(got, e.ID)
		}
		if want == "" && (err != nil || strings.Join(got, " ") != ids) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, %v, want %q", ids, got, err, want)
		}
	}
	older, row, newer, unknown := made[2].ID, made[3].ID, made[4].ID, made[5].ID
	for range 10 {
		says(made[0].ID, "")
		says(made[1].ID, "was not made")
		says(back[0].ID, "no change")
		says("0", "no change")
		says("", "no change of repair is named")
		says(row, "is of a row")
		says(newer, "")
		says(unknown, "")
		says(older, "take that back first")
		says(newer+" "+older, "")
		says(unknown+" "+newer+" "+older, "")
		says(older+" "+newer, "take that back first")
		says(newer+" "+newer, "take that back first")
		says(made[0].ID+" "+made[6].ID, "not of one port")
	}
	back[0].Outcome = Written
	j.End(back)
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lists != 1 {
		t.Errorf("the journal was read %d times", lists)
	}
	now = now.Add(2 * fresh)
	says(made[0].ID, "taken back already, at "+testTime.Format(time.RFC3339)+` by "replica"`)
}
