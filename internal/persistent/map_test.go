package persistent

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// moment is a snapshot with its expected content.
type moment struct {
	snapshot Map[int, int]
	want     map[int]int
}

func (m moment) check(t *testing.T, hash func(int) uint64) {
	t.Helper()
	if got := maps.Collect(m.snapshot.All()); !maps.Equal(got, m.want) {
		t.Fatalf("a snapshot holds %v, want %v", got, m.want)
	}
	if m.snapshot.Len() != len(m.want) {
		t.Fatalf("a snapshot says that it has %d entries, want %d", m.snapshot.Len(), len(m.want))
	}
	for key := range 256 {
		want, has := m.want[key]
		if got, ok := m.snapshot.find(hash(key), key); ok != has || got != want {
			t.Fatalf("a snapshot has %d, %v for %d, want %d, %v", got, ok, key, want, has)
		}
	}
	m.snapshot.root.checkShape(t, 0, hash)
}

// checkShape checks that a trie has no more nodes than it needs, and that each entry is where it belongs.
func (b branch[K, V]) checkShape(t *testing.T, level int, hash func(K) uint64) {
	t.Helper()
	switch {
	case b.fork != nil && b.leaf != nil:
		t.Fatal("a branch is a fork and a leaf")
	case b.leaf != nil:
		if n := len(b.leaf.entries); n == 0 || n > leafMost && level < depth {
			t.Fatalf("a leaf at level %d has %d entries", level, n)
		}
		for _, x := range b.leaf.entries {
			if x.hash != hash(x.key) {
				t.Fatalf("the hash of %v is %x, not %x", x.key, hash(x.key), x.hash)
			}
		}
	case b.fork != nil:
		below := 0
		for i, kid := range b.fork.kids {
			kid.checkShape(t, level+1, hash)
			kid.each(func(key K, _ V) bool {
				if below++; place(hash(key), level) != i {
					t.Fatalf("%v is under %d, not %d", key, i, place(hash(key), level))
				}
				return true
			})
		}
		if below <= leafJoin {
			t.Fatalf("a fork holds %d entries, which fit into a leaf", below)
		}
	}
}

// play runs the script, two octets a step, on a map and on one of Go, and returns the moments at which an Edit ended. A
// step sets a value or removes it; in every eighth step another Edit begins. Some scripts have no Edit.
func play(t *testing.T, script []byte, hash func(int) uint64) (moments []moment) {
	t.Helper()
	var m Map[int, int]
	var edit *Edit
	want := make(map[int]int)
	for i := 0; i+1 < len(script); i += 2 {
		key := int(script[i])
		switch what := script[i+1]; {
		case what%8 == 0:
			moments = append(moments, moment{m, maps.Clone(want)})
			if edit = new(Edit); what == 0 {
				edit = nil
			}
		case what%8 < 4:
			m.remove(edit, hash(key), key)
			delete(want, key)
		default:
			m.set(edit, entry[int, int]{hash: hash(key), key: key, value: i})
			want[key] = i
		}
	}
	return append(moments, moment{m, want})
}

// hashes are ways to place keys: far apart, in few leaves, in one leaf at the end of a long way, and the real one.
var hashes = map[string]func(int) uint64{
	"spread":  func(key int) uint64 { return uint64(key) * 0x9e3779b97f4a7c15 },
	"crowded": func(key int) uint64 { return uint64(key) % 8 << 61 },
	"equal":   func(int) uint64 { return 1 << 40 },
	"deep":    func(key int) uint64 { return uint64(key) % 64 },
	"in use":  func(key int) uint64 { return hashOf(key) },
}

// A map behaves like one of Go, and a copy stays as it was.
func TestDoesAsGosMapDoes(t *testing.T) {
	for name, hash := range hashes {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 3 {
				script := make([]byte, 4000)
				for i := range script {
					script[i] = byte(r.Uint32())
					if i%2 == 1 && (i/1000)%2 == 0 {
						script[i] |= 4 // it grows and shrinks again, so that leaves fork and forks join
					}
				}
				for _, m := range play(t, script, hash) {
					m.check(t, hash)
				}
			}
		})
	}
}

// each returns a script with these steps for each of the first keys.
func each(keys int, steps ...byte) (script []byte) {
	for key := range keys {
		for _, step := range steps {
			script = append(script, byte(key), step)
		}
	}
	return script
}

// In any series of changes, also between snapshots, a map behaves like one of Go, and no snapshot changes.
func FuzzMap(f *testing.F) {
	const (
		take, set, snapshot = 1, 4, 8 // as play reads them
		noEdit              = 0
	)
	f.Add([]byte{1, set, 1, noEdit, 1, take, 2, set, 2, snapshot, 2, 5})
	f.Add([]byte{1, take, 0, snapshot, 1, take})                         // nothing is there
	f.Add([]byte{0, noEdit, 1, set, 1, set, 0, noEdit, 1, set, 1, take}) // each change copies
	// A leaf becomes a fork and a fork a leaf: in one series, after a snapshot, and with a snapshot after each change.
	for _, between := range [][]byte{nil, {0, snapshot}, {0, noEdit}} {
		grown := slices.Concat(between, each(leafMost+1, set), between, each(leafMost+1, take))
		f.Add(grown)
		f.Add(slices.Concat(grown, each(4*leafMost, set), between, each(4*leafMost, take)))
	}
	f.Add(slices.Concat(each(4*leafMost, set, snapshot), each(4*leafMost, take, snapshot)))
	f.Fuzz(func(t *testing.T, script []byte) {
		for _, hash := range hashes {
			for _, m := range play(t, script, hash) {
				m.check(t, hash)
			}
		}
	})
}

// Keys and values may have any type, in the exported methods.
func TestMethods(t *testing.T) {
	type key struct{ namespace, name string }
	var m Map[key, []string]
	if m.Has(key{}) || m.Get(key{}) != nil || m.Len() != 0 {
		t.Error("the zero value is not empty")
	}
	m.Delete(nil, key{})
	edit := new(Edit)
	for i := range 100 {
		m.Set(edit, key{"a", strconv.Itoa(i)}, []string{strconv.Itoa(i)})
	}
	before, edit := m, new(Edit)
	for i := range 100 {
		m.Set(edit, key{"a", strconv.Itoa(i)}, nil)
		m.Delete(edit, key{"a", strconv.Itoa(i - 1)})
	}
	if m.Len() != 1 || !m.Has(key{"a", "99"}) || m.Has(key{"a", "98"}) {
		t.Errorf("%d are left", m.Len())
	}
	if before.Len() != 100 || before.Get(key{"a", "7"})[0] != "7" {
		t.Errorf("the copy has changed: %d, %v", before.Len(), before.Get(key{"a", "7"}))
	}
	seen := 0
	for k := range before.Keys() {
		if seen++; !before.Has(k) {
			t.Errorf("%v is walked over and is not there", k)
		}
		if seen == 5 {
			break
		}
	}
	for range before.Values() {
		seen++
	}
	if seen != 105 {
		t.Errorf("%d were walked over, want 5 and 100", seen)
	}
}

// A reader of a copy is not disturbed by a writer of the original: the race detector checks that.
func TestReadersBesideAWriter(t *testing.T) {
	var m Map[int, int]
	edit := new(Edit)
	for i := range 1000 {
		m.Set(edit, i, i)
	}
	done := make(chan error)
	const readers = 4
	for range 50 {
		snapshot := m
		edit = new(Edit)
		for range readers {
			go func() {
				for key, value := range snapshot.All() {
					if snapshot.Get(key) != value {
						done <- fmt.Errorf("%d is %d, and was %d", key, snapshot.Get(key), value)
						return
					}
				}
				done <- nil
			}()
		}
		for i := range 100 {
			m.Set(edit, i*7%1000, -i)
			m.Delete(edit, i*13%1000)
		}
		for range readers {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	}
}
