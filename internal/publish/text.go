package publish

import "strings"

// Shorten returns text in at most limit bytes, cut at the end of a letter and with "..." where it was longer.
func Shorten(text string, limit int) string {
	const more = "..."
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-len(more)], "") + more
}
