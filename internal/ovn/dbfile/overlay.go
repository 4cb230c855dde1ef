package dbfile

import (
	"slices"
	"sort"
)

// A switch or a port group may hold tens of thousands of ports, and each port that comes is a difference to that set.
// To make a new set for each would take time and memory with the square of their number. So what changed of a large
// column is kept next to it, and put in only when that has become a good part of it itself.

// overlayFrom is the least number of values that makes an overlay worth it.
const overlayFrom = 128

// overlay is what is different from the value below it. It never changes.
type overlay struct {
	marks []mark
	// count is how many values there are with the overlay.
	count int
}

// mark says what became of one key.
type mark struct {
	key, value string
	gone       bool
}

// count returns how many values the cell holds.
func (c cell) count() int {
	if c.over != nil {
		return c.over.count
	}
	return len(c.value.Keys)
}

// overlaid returns the cell after a difference, which toggles as Value.toggle does.
func (c cell) overlaid(diff Value) cell {
	var below overlay
	if c.over != nil {
		below = *c.over
	}
	next := overlay{marks: make([]mark, 0, len(below.marks)+len(diff.Keys)), count: c.count()}
	i := 0
	for j, key := range diff.Keys {
		for ; i < len(below.marks) && below.marks[i].key < key; i++ {
			next.marks = append(next.marks, below.marks[i])
		}
		m := mark{key: key}
		if c.column.Value != "" {
			m.value = diff.Values[j]
		}
		var was bool
		var before string
		if i < len(below.marks) && below.marks[i].key == key {
			was, before = !below.marks[i].gone, below.marks[i].value
			i++
		} else {
			was, before = c.value.find(key)
		}
		switch {
		case !was:
			next.count++
		case m.value == before:
			m.gone = true
			next.count--
		}
		next.marks = append(next.marks, m)
	}
	next.marks = append(next.marks, below.marks[i:]...)
	c.over = &next
	// With so many marks the work for each difference is least, whether it goes into copying marks or putting them in.
	if len(next.marks)*len(next.marks) > len(c.value.Keys) {
		return c.settled()
	}
	return c
}

// find reports whether a key is there, and returns its value in a map.
func (v Value) find(key string) (found bool, value string) {
	i := sort.SearchStrings(v.Keys, key)
	if i == len(v.Keys) || v.Keys[i] != key {
		return false, ""
	}
	if v.Values != nil {
		value = v.Values[i]
	}
	return true, value
}

// settled returns the cell with its overlay put in.
func (c cell) settled() cell {
	if c.over == nil {
		return c
	}
	out := Value{Keys: make([]string, 0, c.over.count)}
	if c.column.Value != "" {
		out.Values = make([]string, 0, c.over.count)
	}
	from := 0
	upTo := func(i int) {
		out.Keys = append(out.Keys, c.value.Keys[from:i]...)
		if out.Values != nil {
			out.Values = append(out.Values, c.value.Values[from:i]...)
		}
		from = i
	}
	for _, m := range c.over.marks {
		i, found := slices.BinarySearch(c.value.Keys[from:], m.key)
		upTo(from + i)
		if found {
			from++
		}
		if m.gone {
			continue
		}
		out.Keys = append(out.Keys, m.key)
		if out.Values != nil {
			out.Values = append(out.Values, m.value)
		}
	}
	upTo(len(c.value.Keys))
	if len(out.Keys) == 0 {
		out = Value{}
	}
	return cell{column: c.column, value: out}
}

// settle puts all overlays in, so that rows can be read by several at once and cheaply.
func (d *Database) settle() {
	for _, t := range d.Tables {
		for _, row := range t.Rows {
			for i := range row.cells {
				if row.cells[i].over != nil {
					row.cells[i] = row.cells[i].settled()
				}
			}
		}
	}
}
