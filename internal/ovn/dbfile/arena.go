package dbfile

import (
	"slices"
	"sort"
)

// arena hands out slices cut from large ones, since a database has millions of tiny ones that live as long as it does.
type arena struct {
	texts []string
	cells []cell
	// keys and values are used again for each value that is read.
	keys, values []string
	// rows is used again for each transaction.
	rows []Row
}

const arenaChunk = 4096

// keep returns a copy of texts that nobody changes; nil for none.
func (a *arena) keep(texts []string) []string {
	n := len(texts)
	if n == 0 {
		return nil
	}
	if cap(a.texts)-len(a.texts) < n {
		a.texts = make([]string, 0, max(arenaChunk, n))
	}
	begin := len(a.texts)
	a.texts = append(a.texts, texts...)
	return slices.Clip(a.texts[begin:])
}

// keepCells returns a copy of cells.
func (a *arena) keepCells(cells []cell) []cell {
	n := len(cells)
	if n == 0 {
		return nil
	}
	if cap(a.cells)-len(a.cells) < n {
		a.cells = make([]cell, 0, max(arenaChunk, n))
	}
	begin := len(a.cells)
	a.cells = append(a.cells, cells...)
	return slices.Clip(a.cells[begin:])
}

// sortPairs sorts keys, and values along with them where there are any.
func sortPairs(keys, values []string) {
	switch {
	case slices.IsSorted(keys):
	case len(values) == 0:
		slices.Sort(keys)
	default:
		sort.Sort(pairs{keys, values})
	}
}

type pairs struct{ keys, values []string }

func (p pairs) Len() int           { return len(p.keys) }
func (p pairs) Less(i, j int) bool { return p.keys[i] < p.keys[j] }
func (p pairs) Swap(i, j int) {
	p.keys[i], p.keys[j] = p.keys[j], p.keys[i]
	p.values[i], p.values[j] = p.values[j], p.values[i]
}
