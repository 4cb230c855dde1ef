package ovn

import (
	"maps"
	"math/rand/v2"
	"testing"
)

type thing struct{ hash uint64 }

func contents(t trie[thing]) map[*thing]bool {
	got := make(map[*thing]bool)
	t.root.each(func(x *thing) bool { got[x] = true; return true })
	return got
}

// A trie does what a plain map does, old tries stay as they were, and the difference of any two is exact. Hashes are
// drawn from few values, so that long common prefixes and full collisions happen all the time.
func TestTrieIsAPersistentSet(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hashes := make([]uint64, 64)
	for i := range hashes {
		hashes[i] = r.Uint64()
		if i > 32 {
			hashes[i] = hashes[r.IntN(32)] ^ 1<<r.IntN(64)
		}
	}
	type moment struct {
		trie trie[thing]
		want map[*thing]bool
	}
	var history []moment
	now, want := trie[thing]{}, map[*thing]bool{}
	for step := range 600 {
		e := &edit{}
		for range r.IntN(8) + 1 {
			var old *thing
			for x := range want { // any row
				old = x
				break
			}
			// It grows to some hundreds of rows and shrinks again, so that leaves fork and forks join.
			choice := r.IntN(3)
			if r.IntN(2) == 0 {
				choice = 2
				if step > 300 {
					choice = 0
				}
			}
			switch choice {
			case 0:
				if old != nil {
					now = now.put(e, old.hash, old, nil)
					delete(want, old)
				}
			case 1:
				if old != nil {
					x := &thing{old.hash}
					now = now.put(e, old.hash, old, x)
					delete(want, old)
					want[x] = true
				}
			default:
				x := &thing{hashes[r.IntN(len(hashes))]}
				now = now.put(e, x.hash, nil, x)
				want[x] = true
			}
		}
		history = append(history, moment{now, maps.Clone(want)})
	}
	for i, m := range history {
		if got := contents(m.trie); !maps.Equal(got, m.want) {
			t.Fatalf("moment %d holds %d rows, want %d", i, len(got), len(m.want))
		}
		if m.trie.size != len(m.want) {
			t.Fatalf("moment %d says it has %d rows, want %d", i, m.trie.size, len(m.want))
		}
		other := history[r.IntN(len(history))]
		a, b := map[*thing]bool{}, map[*thing]bool{}
		difference(
			m.trie.root,
			other.trie.root,
			0,
			func(x entry[thing]) { a[x.row] = true },
			func(x entry[thing]) { b[x.row] = true },
		)
		for x := range m.want {
			if other.want[x] == a[x] {
				t.Fatalf("a row is in the other too: %v, but only here: %v", other.want[x], a[x])
			}
			delete(a, x)
		}
		for x := range other.want {
			if m.want[x] == b[x] {
				t.Fatalf("a row is here too: %v, but only in the other: %v", m.want[x], b[x])
			}
			delete(b, x)
		}
		if len(a)+len(b) > 0 {
			t.Fatalf("%d rows are in neither", len(a)+len(b))
		}
		for _, hash := range hashes[:8] {
			for _, bits := range []int{0, 4, 32, 64} {
				got := 0
				m.trie.withPrefix(hash, bits, func(x *thing) bool {
					if bits > 0 && x.hash>>(64-bits) != hash>>(64-bits) {
						t.Fatalf("%x does not begin with %d bits of %x", x.hash, bits, hash)
					}
					got++
					return true
				})
				all := 0
				for x := range m.want {
					if bits == 0 || x.hash>>(64-bits) == hash>>(64-bits) {
						all++
					}
				}
				if got != all {
					t.Fatalf("%d rows begin with %d bits of %x, want %d", got, bits, hash, all)
				}
			}
		}
	}
}

func TestPutOfWhatIsNotThere(t *testing.T) {
	a, b, c := &thing{1}, &thing{1}, &thing{1 << 60}
	s := trie[thing]{}.put(&edit{}, 1, nil, a)
	if got := s.put(&edit{}, 1, b, nil); got.size != 1 || got.root != s.root {
		t.Error("taking out what is not there changed something")
	}
	if got := s.put(&edit{}, c.hash, c, nil); got.size != 1 || got.root != s.root {
		t.Error("taking out what is not there changed something")
	}
	if got := (trie[thing]{}).put(&edit{}, 1, a, nil); got.size != 0 || got.root != nil {
		t.Error("taking out of nothing changed something")
	}
	if got := s.put(&edit{}, 1, a, nil); got.size != 0 || got.root != nil {
		t.Error("the last row does not leave nothing")
	}
}
