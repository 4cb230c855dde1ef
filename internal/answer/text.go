package answer

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Plain replaces characters that could move a terminal's cursor, turn the direction of text or break a line.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if Hidden(r) {
			return '?'
		}
		return r
	}, s)
}

// OrDash returns plain text, or a dash for none.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return Plain(s)
}

// Hidden reports whether a character is invisible: a control character, or a mark of Unicode such as those that turn
// the direction of text.
func Hidden(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' }

// Markdown returns text that Markdown shows as it is: a backslash stands before each character that could mean
// something else.
func Markdown(s string) string {
	var out strings.Builder
	for _, r := range Plain(s) {
		switch {
		case r == '<':
			out.WriteString("&lt;")
		case r == '&':
			out.WriteString("&amp;")
		case strings.ContainsRune("\\`*_{}[]>#|~$!@", r):
			out.WriteRune('\\')
			out.WriteRune(r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// CSVCell returns text that a spreadsheet takes for no formula: an apostrophe stands before a character that begins
// one.
func CSVCell(s string) string {
	text := Plain(s)
	if text != "" && strings.ContainsAny(s[:1], "=+-@\t\r") {
		return "'" + text
	}
	return text
}

// WriteJSON writes an object as indented JSON, with hidden characters as escapes, which mean the same.
func WriteJSON(w io.Writer, object any) error {
	e := json.NewEncoder(VisibleJSON{w})
	e.SetIndent("", "  ")
	return e.Encode(object)
}

// VisibleJSON writes JSON with hidden characters as escapes, which mean the same. Outside of strings JSON has no hidden
// characters except line feeds.
type VisibleJSON struct{ To io.Writer }

// Write implements io.Writer. A call has whole characters, as the encoders of JSON write them.
func (v VisibleJSON) Write(data []byte) (int, error) {
	var out strings.Builder
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\n' || !Hidden(r):
			out.Write(rest[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	if _, err := io.WriteString(v.To, out.String()); err != nil {
		return 0, err
	}
	return len(data), nil
}
