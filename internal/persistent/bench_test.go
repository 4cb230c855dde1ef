package persistent

import (
	"fmt"
	"testing"
)

const size = 100_000

func names() []string {
	names := make([]string, size)
	for i := range names {
		names[i] = fmt.Sprintf("web-%06d-7d9f8b6c5-x2x4z.team-%04d", i, i/100)
	}
	return names
}

func filled(names []string) (m Map[string, *int]) {
	edit := new(Edit)
	for _, name := range names {
		m.Set(edit, name, new(int))
	}
	return m
}

func BenchmarkFill(b *testing.B) {
	names := names()
	for b.Loop() {
		filled(names)
	}
}

func BenchmarkGet(b *testing.B) {
	names := names()
	m := filled(names)
	for i := 0; b.Loop(); i += 7919 {
		if m.Get(names[i%size]) == nil {
			b.Fatal("a name is lost")
		}
	}
}

// One entry is replaced, and a snapshot is kept of each result.
func BenchmarkSet(b *testing.B) {
	names := names()
	m := filled(names)
	b.ReportAllocs()
	for i := 0; b.Loop(); i += 7919 {
		m.Set(nil, names[i%size], new(int))
	}
}

func BenchmarkAll(b *testing.B) {
	m := filled(names())
	for b.Loop() {
		for name := range m.Keys() {
			_ = name
		}
	}
}
