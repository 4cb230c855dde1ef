package policy

import (
	"iter"
	"net/netip"
	"strings"
)

// ListLimit is how many items of a list of addresses or names count. Nobody needs more on one NIC, and each costs a
// look-up.
const ListLimit = 64

// Item is one entry of a list in an annotation: an address, a MAC or a name.
type Item struct {
	// Text is the entry as it is written.
	Text string
	// Address is set where the entry is an address that can be read, and Err says why where it cannot.
	Address netip.Addr
	Err     error
}

// AddressItem reads an entry that must be an address.
func AddressItem(text string) Item {
	a, err := CanonicalAddress(text)
	return Item{Text: text, Address: a, Err: err}
}

// NameItem reads an entry that is a name. Kube-OVN cuts blanks off the names of Vips.
func NameItem(text string) Item { return Item{Text: strings.TrimSpace(text)} }

// List reads a list with commas, each item once and in order, by read. No more than limit items are read; count is how
// many there are.
func List(text string, limit int, read func(string) Item) (items []Item, count int) {
	if text == "" {
		return nil, 0
	}
	return Distinct(strings.SplitSeq(text, ","), 1+strings.Count(text, ","), limit, read)
}

// Distinct is List for a list of so many parts that somebody else takes apart.
func Distinct(parts iter.Seq[string], size, limit int, read func(string) Item) (items []Item, count int) {
	size = min(size, limit)
	items, seen := make([]Item, 0, size), make(map[string]bool, size)
	for part := range parts {
		if seen[part] {
			continue
		}
		seen[part] = true
		if len(items) < limit {
			items = append(items, read(part))
		}
	}
	return items, len(seen)
}
