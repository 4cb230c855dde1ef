package ovn

import (
	"hash/maphash"
	"iter"
)

// Rows is one table as it was at one moment.
type Rows[T any] struct{ byUUID trie[T] }

// seed makes hashes that nobody outside can foresee, so that nobody can choose names that collide.
var seed = maphash.MakeSeed()

func hashOf(key string) uint64 { return maphash.String(seed, key) }

// Len returns the number of rows.
func (r Rows[T]) Len() int { return r.byUUID.size }

// All walks over all rows, in no order that means anything.
func (r Rows[T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) { r.byUUID.root.each(yield) }
}

// get returns the row with that UUID; nil where there is none.
func (r Rows[T]) get(uuid string, uuidOf func(*T) *string) (found *T) {
	r.byUUID.withPrefix(hashOf(uuid), 64, func(row *T) bool {
		if *uuidOf(row) == uuid {
			found = row
		}
		return found == nil
	})
	return found
}

// Get returns the row with that UUID; nil where there is none.
func (r Rows[T]) Get(uuid string) (found *T) {
	r.byUUID.withPrefix(hashOf(uuid), 64, func(row *T) bool {
		if any(row).(Row).RowUUID() == uuid {
			found = row
		}
		return found == nil
	})
	return found
}
