package publish

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShorten(t *testing.T) {
	for text, want := range map[string]string{
		"":            "",
		"short":       "short",
		"0123456789":  "0123456789",
		"0123456789a": "0123456...",
		"€€€€":        "€€...",
	} {
		got := Shorten(text, 10)
		if got != want || len(got) > 10 || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := Shorten(strings.Repeat("€", 1000), 1024); len(got) > 1024 || len(got) < 1020 {
		t.Errorf("%d bytes", len(got))
	}
}
