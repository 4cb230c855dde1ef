package journal

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var testTime = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func change(id, port string) Entry {
	column, empty := []string{"0a:00:00:00:00:01 10.16.0.5"}, []string{}
	return Entry{
		ID: id, Time: testTime, By: "replica", Port: port, Row: "r", Namespace: "ns", Pod: "p", PodUID: "u", Why: "why",
		Before: Values{PortSecurity: &empty}, After: Values{PortSecurity: &column},
	}
}

func lines(t *testing.T, entries ...Entry) string {
	t.Helper()
	var out strings.Builder
	for _, e := range entries {
		line, err := e.line()
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString(line)
	}
	return out.String()
}

// Intent and outcome are read as one change; a change without an outcome, after a crash, has none, and an outcome alone
// is ignored.
func TestParse(t *testing.T) {
	one, two, lost := change("1", "a"), change("2", "b"), change("3", "c")
	done := one
	done.Outcome = Written
	failed := two
	failed.Outcome, failed.Error = Conflict, "somebody was faster"
	text := lines(
		t,
		one,
		two,
		lost,
		done.outcome(),
		failed.outcome(),
		Entry{ID: "0", Outcome: Written},
	) + "{\"id\": \n\nrubbish\n" + `{"id":"4","port":"d","before":{"addresses":["x"]}}` + "\n"
	got, unreadable := Parse(text)
	if diff := cmp.Diff([]Entry{done, failed, lost}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if unreadable != 3 { // the last one has the values from before, but not the new ones
		t.Errorf("%d lines unreadable, want 3", unreadable)
	}
}

// A column that was empty before differs from a column that the change is not about.
func TestEmptyColumnSurvives(t *testing.T) {
	for name, empty := range map[string][]string{"empty": {}, "nil, as the mirror gives it": nil} {
		e := change("1", "a")
		e.Before.PortSecurity = &empty
		got, _ := Parse(lines(t, e))
		if len(got) != 1 || got[0].Before.PortSecurity == nil || len(*got[0].Before.PortSecurity) != 0 ||
			got[0].Before.Addresses != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestIDsSortAsTheChangesWereMade(t *testing.T) {
	last := ""
	for _, id := range []string{
		newID(testTime, 1), newID(testTime, 2), newID(testTime, 255), newID(testTime, 256), newID(testTime.Add(1), 1),
		newID(testTime.Add(time.Hour), 1),
	} {
		if id <= last {
			t.Errorf("%s does not come after %s", id, last)
		}
		last = id
	}
}

// Undoing goes backwards, over changes that were made and not taken back yet.
func TestPick(t *testing.T) {
	made := func(id, port string, at time.Duration, outcome string) Entry {
		e := change(id, port)
		e.Time, e.Outcome = testTime.Add(at), outcome
		return e
	}
	undone := made("1", "a", 0, Written)
	taken := undone.Undoing("by hand")
	taken.ID, taken.Time, taken.Outcome = "7", testTime.Add(9*time.Second), Written
	all := []Entry{
		undone,
		made("2", "a", time.Second, Written),
		made("3", "b", 2*time.Second, Conflict),
		made("4", "b", 3*time.Second, ""),
		made("5", "a", 4*time.Second, Unknown),
		made("6", "b", 5*time.Second, Failed),
		taken,
	}
	for name, c := range map[string]struct {
		choice Choice
		want   string
	}{
		"all":          {Choice{}, "542"},
		"of a port":    {Choice{Port: "a"}, "52"},
		"one":          {Choice{ID: "2"}, "2"},
		"the last":     {Choice{Last: 2}, "54"},
		"since":        {Choice{Since: testTime.Add(3 * time.Second)}, "54"},
		"of a stretch": {Choice{Since: testTime.Add(time.Second), Port: "a", Last: 1}, "5"},
		"elsewhere":    {Choice{Namespace: "other"}, ""},
	} {
		var got strings.Builder
		for _, e := range c.choice.Pick(all) {
			got.WriteString(e.ID)
		}
		if got.String() != c.want {
			t.Errorf("%s: %s, want %s", name, got.String(), c.want)
		}
	}
	if back := undone.Undoing("by hand"); len(*back.After.PortSecurity) != 0 || len(*back.Before.PortSecurity) != 1 {
		t.Errorf("%+v", back)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id":"1","port":"a"}` + "\n" + `{"id":"1","outcome":"written"}`)
	f.Add("{}\n[]\nnull\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		entries, _ := Parse(text)
		seen := make(map[string]bool)
		for _, e := range entries {
			if e.ID == "" || e.Port == "" || seen[e.ID] {
				t.Errorf("%+v", e)
			}
			seen[e.ID] = true
		}
	})
}

// Where nothing is taken back, the error says whether there was nothing, or nothing any more.
func TestNothing(t *testing.T) {
	undone := change("1", "a")
	undone.Outcome = Written
	taken := undone.Undoing("ann")
	taken.ID, taken.By, taken.Outcome, taken.Time = "2", "ann", Written, testTime
	failed := change("3", "b")
	failed.Outcome = Failed
	for name, c := range map[string]struct {
		entries []Entry
		choice  Choice
		want    string
	}{
		"an empty journal":   {nil, Choice{Last: 1}, "the journal has none of repair"},
		"nothing was made":   {[]Entry{failed}, Choice{Port: "b"}, "the journal has none of repair"},
		"another port":       {[]Entry{undone, taken, failed}, Choice{Port: "nope"}, `none of port "nope"`},
		"taken back already": {[]Entry{undone, taken}, Choice{Port: "a"}, "taken back already, at"},
		"not so long ago": {
			[]Entry{undone}, Choice{Port: "a", Since: testTime.Add(time.Hour)}, "none of port a was asked",
		},
		"of all ports": {[]Entry{undone, taken}, Choice{Last: 3}, "taken back already, or none was asked for"},
	} {
		if got := Nothing(c.entries, c.choice); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
