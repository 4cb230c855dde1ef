package ovn

import "iter"

// An index finds ports by something else than their UUID. It is a trie of the same rows, where the first half of a hash
// comes from the key and the second from the UUID: all rows with a key are next to each other, however many they are,
// and one more costs the same among ten thousand as among none.
type index struct {
	ports trie[Port]
}

const keyBits = 32

func entryHash(key, uuid string) uint64 {
	return hashOf(key)>>(64-keyBits)<<(64-keyBits) | hashOf(uuid)>>keyBits
}

// put returns the index with old's keys taken out and now's put in; either may be nil.
func (x index) put(e *edit, old, now *Port, keys func(*Port, func(string))) index {
	if old != nil {
		keys(old, func(key string) { x.ports = x.ports.put(e, entryHash(key, old.UUID), old, nil) })
	}
	if now != nil {
		keys(now, func(key string) { x.ports = x.ports.put(e, entryHash(key, now.UUID), nil, now) })
	}
	return x
}

// with walks over the ports that have key. has decides, since different keys may have the same half of a hash.
func (x index) with(key string, has func(*Port) bool) iter.Seq[*Port] {
	return func(yield func(*Port) bool) {
		x.ports.withPrefix(hashOf(key), keyBits, func(p *Port) bool { return !has(p) || yield(p) })
	}
}

// The keys of the indexes of ports.
func nameKey(p *Port, do func(string)) { do(p.Name) }

func switchKey(p *Port, do func(string)) {
	if p.Switch != "" {
		do(p.Switch)
	}
}
