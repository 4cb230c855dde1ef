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

// A change stands as long as it was made and not taken back, and however often that is asked the journal is read ten
// times a second.
func TestStanding(t *testing.T) {
	lists, now := 0, noon
	api := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists++
			return c.List(ctx, list, options...)
		},
	}).Build()
	j := &Journal{Client: api, Namespace: "ns", By: "replica", Now: func() time.Time { return noon }}
	made, err := j.Begin(t.Context(), []Entry{change("", "a"), change("", "b")})
	if err != nil {
		t.Fatal(err)
	}
	made[0].Outcome, made[1].Outcome = Written, Failed
	j.End(made)
	back, err := j.Begin(t.Context(), []Entry{made[0].Undoing("why")})
	if err != nil {
		t.Fatal(err)
	}
	r := &Reader{Client: api, Namespace: "ns", Now: func() time.Time { return now }}
	lists = 0
	says := func(id, want string) {
		t.Helper()
		e, err := r.Standing(t.Context(), id)
		if want == "" && (err != nil || e.ID != id) ||
			want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %q, %v, want %q", id, e.ID, err, want)
		}
	}
	for range 10 {
		says(made[0].ID, "")
		says(made[1].ID, "was not made")
		says(back[0].ID, "no change")
		says("0", "no change")
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
	says(made[0].ID, "taken back already")
}
