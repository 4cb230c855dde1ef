package dbfile

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "github.com/ovnguard/ovnguard/test/sameseed"
)

// same reports whether two values hold the same.
func same(v, w Value) bool { return slices.Equal(v.Keys, w.Keys) && slices.Equal(v.Values, w.Values) }

// Differences to a large column have the same result as one by one, for sets and for maps, and every cell on the way
// stays as it was.
func TestOverlayIsToggle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		column := &Column{Name: "c", Key: String, Max: Unlimited}
		if rapid.Bool().Draw(t, "map") {
			column.Value = String
		}
		value := func(keys []int) (v Value) {
			for i, k := range keys {
				v.Keys = append(v.Keys, fmt.Sprintf("%04d", k))
				if column.Value != "" {
					v.Values = append(v.Values, strconv.Itoa((k+i)%2))
				}
			}
			sortPairs(v.Keys, v.Values)
			return v
		}
		begin := make([]int, rapid.IntRange(overlayFrom, 3*overlayFrom).Draw(t, "size"))
		for i := range begin {
			begin[i] = 2 * i
		}
		want := value(begin)
		have := cell{column: column, value: want}
		keys := rapid.SliceOfNDistinct(rapid.IntRange(0, 6*overlayFrom), 1, 6, rapid.ID)
		for range rapid.IntRange(1, 60).Draw(t, "changes") {
			diff := value(keys.Draw(t, "keys"))
			before, wasBefore := have, want
			want = want.toggle(diff, column)
			have = cell{column, diff, nil}.after(have, true)
			if !same(before.settled().value, wasBefore) {
				t.Fatalf("a change altered what was before it")
			}
			if got := have.settled().value; !same(got, want) || have.count() != len(want.Keys) {
				t.Fatalf("have %d: %v\nwant %d: %v", have.count(), got, len(want.Keys), want)
			}
		}
	})
}

// The time and memory for a switch that gets its ports one by one grow with their number, not with its square: a new
// set for each port would be ten gigabytes.
func TestLargeSetGrowsOneByOne(t *testing.T) {
	const ports = 40_000
	records := make([]string, 0, ports+1)
	records = append(records, `{"T":{"`+id(0)+`":{"name":"switch"}}}`)
	for n := range ports {
		records = append(
			records,
			fmt.Sprintf(`{"_is_diff":true,"T":{"%s":{"tags":"%08x"}}}`, id(0), uint32(n)*2654435761),
		)
	}
	file := []byte(standalone(records...))
	before := allocated()
	d, err := Read(string(file))
	if err != nil || d.Loss != nil {
		t.Fatal(err, d.Loss)
	}
	// Memory is counted and time is not: the load of the machine makes no difference.
	if made := (allocated() - before) >> 20; made > 500 {
		t.Errorf("reading %d kB took %d MB", len(file)>>10, made)
	}
	tags := d.Rows("T")[id(0)].Strings("tags")
	if len(tags) != ports || !strings.HasPrefix(tags[0], "0000") {
		t.Fatalf("%d values, want %d", len(tags), ports)
	}
}

// allocated returns the number of bytes that were allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// A former value of a row is freed, even where the same transaction has a row that stays.
func TestFormerRowsAreLetGo(t *testing.T) {
	const changes = 20_000
	records := make([]string, 0, changes+1)
	tags := make([]string, overlayFrom-1)
	for n := range tags {
		tags[n] = fmt.Sprintf(`"%04d"`, n)
	}
	records = append(records, `{"T":{"`+id(0)+`":{"tags":["set",[`+strings.Join(tags, ",")+`]]}}}`)
	for n := range changes {
		records = append(
			records,
			fmt.Sprintf(`{"_is_diff":true,"T":{"%s":{"tags":"0000"}},"U":{"%s":{"x":%d}}}`, id(0), id(n+1), n),
		)
	}
	file := []byte(standalone(records...))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	d, err := Read(string(file))
	if err != nil || d.Loss != nil || len(d.Rows("U")) != changes {
		t.Fatal(err, d.Loss)
	}
	// Each former value is two kilobytes, and the file's text is three megabytes.
	if held := (heap() - before) >> 20; held > 24 {
		t.Errorf("the database holds %d MB", held)
	}
	runtime.KeepAlive(d)
	runtime.KeepAlive(file)
}
