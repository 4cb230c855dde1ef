package journal

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const level = "ovn.kubernetes.io/port_security"

func columns(elements ...string) *[]string { return &elements }

// annotated returns a change that made a pod strict; wrote returns a change of its row.
func annotated(id, port string, at time.Duration) Entry {
	return Entry{
		ID:        id,
		Time:      testTime.Add(at),
		Port:      port,
		Row:       "r",
		Namespace: "ns",
		Pod:       port,
		PodUID:    "u",
		Outcome:   Written,
		Before: Values{
			Annotations: map[string]string{level: ""},
		},
		After: Values{Annotations: map[string]string{level: "true"}},
	}
}

func wrote(id, port string, at time.Duration, before, after string) Entry {
	e := annotated(id, port, at)
	e.Before, e.After = Values{PortSecurity: columns(before)}, Values{PortSecurity: columns(after)}
	return e
}

// Changes that belong together are one unit: annotation and row of one repair, and a row that was written on top of an
// annotation.
func TestUnits(t *testing.T) {
	again := wrote("9", "a", 3*time.Hour, "other", "wide")
	again.PodUID = "another"
	entries := []Entry{
		annotated(
			"1",
			"a",
			0,
		),
		wrote("2", "a", time.Second, "narrow", "wide"),
		annotated("3", "b", 2*time.Second),
		wrote("4", "a", time.Hour, "drift", "wide"),
		wrote("5", "b", 2*time.Hour, "drift", "narrow"),
		again,
	}
	for name, c := range map[string]struct {
		choice Choice
		want   []string // IDs of each unit; added ones behind a slash
	}{
		"all":                            {Choice{}, []string{"9", "5 3", "4 2 1"}},
		"the annotation alone":           {Choice{ID: "1"}, []string{"4 2 1/4 2"}},
		"the row of the same repair":     {Choice{ID: "2"}, []string{"4 2 1/4 1"}},
		"a row that drifted later":       {Choice{ID: "4"}, []string{"4"}},
		"the first row, much later":      {Choice{Port: "b", Last: 1}, []string{"5 3/3"}},
		"an annotation below what drift": {Choice{ID: "3"}, []string{"5 3/5"}},
		"since":                          {Choice{Since: testTime.Add(time.Minute)}, []string{"9", "5 3/3", "4"}},
		"none":                           {Choice{ID: "7"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range c.choice.Units(entries) {
				ids := make([]string, len(u.Changes))
				for i, e := range u.Changes {
					ids[i] = e.ID
				}
				text := strings.Join(ids, " ")
				if len(u.Added) > 0 {
					text += "/" + backwards(u.Added)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func backwards(ids []string) string {
	out := slices.Clone(ids)
	slices.Reverse(out)
	return strings.Join(out, " ")
}

// A unit expects what its newest change wrote, and leads back to what its oldest one found, whatever others wrote
// between.
func TestUnitValues(t *testing.T) {
	u := Choice{Port: "a"}.Units([]Entry{
		annotated("1", "a", 0), wrote("2", "a", time.Second, "narrow", "wide"),
		wrote("3", "a", time.Hour, "drift", "wider"),
	})[0]
	expected, restored := u.Values()
	want := [2]Values{
		{
			PortSecurity: columns("wider"),
			Annotations:  map[string]string{level: "true"},
		},
		{PortSecurity: columns("narrow"), Annotations: map[string]string{level: ""}},
	}
	if diff := cmp.Diff(want, [2]Values{expected, restored}); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if ids := u.Annotated(); !slices.Equal(ids, []string{"1"}) {
		t.Errorf("the annotation's changes are %q", ids)
	}
}
