package persistent

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What two sets do not have in common is found whatever they share, and sets that are kept stay as they were.
func TestSets(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type kept struct {
		Set[int]
		want map[int]bool
	}
	var all []kept
	var s Set[int]
	want := make(map[int]bool)
	for range 60 {
		edit := new(Edit)
		for range random.IntN(40) {
			if key := random.IntN(100); random.IntN(3) > 0 {
				s.Add(edit, key)
				want[key] = true
			} else {
				s.Remove(edit, key)
				delete(want, key)
			}
		}
		if random.IntN(10) == 0 {
			s, want = Set[int]{}, make(map[int]bool)
		}
		of := make(map[int]bool)
		for key := range want {
			of[key] = true
		}
		all = append(all, kept{s, of})
	}
	for _, a := range all {
		for key := range 100 {
			if a.Has(key) != a.want[key] {
				t.Fatalf("%d is in the set: %t, want %t", key, a.Has(key), a.want[key])
			}
		}
		for _, b := range all {
			var only []int
			for key := range a.want {
				if !b.want[key] {
					only = append(only, key)
				}
			}
			slices.Sort(only)
			if got := slices.Sorted(a.Without(b.Set)); !slices.Equal(got, only) {
				t.Fatalf("%v without %v is %v, want %v", a.want, b.want, got, only)
			}
			if equal := len(only) == 0 && a.Len() == b.Len(); a.Equal(b.Set) != equal {
				t.Fatalf("%v and %v are equal: %t", a.want, b.want, !equal)
			}
		}
	}
	one, other := SetOf(1, 2, 3), SetOf(3, 2, 1, 1)
	if !one.Equal(other) || one.Len() != 3 || one.Equal(SetOf(1, 2, 4)) {
		t.Error("sets that were made apart are not compared by what they hold")
	}
	for range one.All() {
		break
	}
}

// What changes of a large set takes no more than a few nodes, and neither does finding it.
func TestLargeSetsChangeCheaply(t *testing.T) {
	keys := make([]int, 100_000)
	for i := range keys {
		keys[i] = i
	}
	s := SetOf(keys...)
	next := len(keys)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			now := s
			now.Add(new(Edit), next)
			next++
			for key := range now.Without(s) {
				if key != next-1 {
					b.Fatalf("%d came", key)
				}
			}
			for key := range s.Without(now) {
				b.Fatalf("%d went", key)
			}
			s = now
		}
	}).AllocedBytesPerOp()
	if allocated > 4096 {
		t.Errorf("one more of %d keys takes %d octets", s.Len(), allocated)
	}
}
