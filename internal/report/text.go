package report

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/ovnguard/ovnguard/internal/audit"
)

// podName returns the pod, or the workload that makes pods.
func podName(f audit.Finding) string {
	switch {
	case f.Pod != "":
		return f.Namespace + "/" + f.Pod
	case f.Workload.Name != "":
		return f.Workload.Kind + " " + f.Namespace + "/" + f.Workload.Name
	}
	return ""
}

// about returns the subject of a finding, as short as possible.
func about(f audit.Finding) string {
	switch pod := podName(f); {
	case pod != "" && f.Provider != "":
		return pod + " " + string(f.Provider)
	case pod != "":
		return pod
	case f.Port != "":
		return f.Port
	case f.Namespace != "":
		return "namespace " + f.Namespace
	}
	return "cluster"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return plain(s)
}

// plain replaces characters that could move a terminal's cursor, turn the direction of text or break a line.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if hidden(r) {
			return '?'
		}
		return r
	}, s)
}

// hidden reports whether a character is invisible: a control character, or a mark of Unicode such as those that turn
// the direction of text.
func hidden(r rune) bool { return unicode.IsControl(r) || !unicode.IsPrint(r) && r != ' ' }

// visibleJSON writes JSON with hidden characters as escapes, which mean the same. Outside of strings JSON has no hidden
// characters except line feeds.
type visibleJSON struct{ to io.Writer }

// Write implements io.Writer. A call has whole characters, as the encoders of JSON write them.
func (v visibleJSON) Write(data []byte) (int, error) {
	var out strings.Builder
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == '\n' || !hidden(r):
			out.Write(rest[:size])
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		rest = rest[size:]
	}
	if _, err := io.WriteString(v.to, out.String()); err != nil {
		return 0, err
	}
	return len(data), nil
}
