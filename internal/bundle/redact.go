// Package bundle makes archives for support cases, without secrets and, unless they are asked for, without addresses.
// It is pure: what was read goes in, the archive comes out.
package bundle

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
)

// Removed stands in the place of what was removed.
const Removed = "[removed]"

// Redactor removes secrets from texts, and puts placeholders in the place of addresses: the same one for the same
// address, in all texts.
type Redactor struct {
	// Addresses keeps the addresses.
	Addresses bool
	// Known are secrets that are known as such, and removed wherever they stand.
	Known []string

	placeholders map[string]string
	counts       map[string]int
	removed      int
}

// Removals returns how many secrets were removed, and how many addresses have a placeholder.
func (r *Redactor) Removals() (secrets, addresses int) { return r.removed, len(r.placeholders) }

// shapes find secrets by their form. What a group encloses is kept.
var shapes = []struct {
	find *regexp.Regexp
	with string
}{
	// A private key in PEM, also where line feeds are escaped, and where the end is missing.
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), Removed},
	// The same in base64, as Secrets have it; what begins as a certificate stays.
	{regexp.MustCompile(`\bLS0tLS1CRUdJTiB[A-CE-Za-z0-9+/][A-Za-z0-9+/]*={0,2}`), Removed},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?`), Removed},
	{
		regexp.MustCompile(`(?i)\b(bearer|authorization\\?["']?\s*[:=]\s*\\?["']?basic)\s+[A-Za-z0-9._~+/=-]{6,}`),
		"$1 " + Removed,
	},
	{regexp.MustCompile(`(://)[^/\s:@"']*:[^/\s@"']+@`), "${1}" + Removed + "@"},
	{regexp.MustCompile(`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`), Removed}, // a token of kubeadm
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), Removed},
	{regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{20,}\b`), Removed},
}

// assigned finds what is given to a name that says that it is a secret.
var assigned = regexp.MustCompile(
	secretName + `\\?["']?\s*[:=]\s*\\?["']?)([^\s"',;&{}\[\]\\]+)`,
)

// secretName finds the name of a secret, in a group that is not ended.
const secretName = `(?i)((?:password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|key-data|` +
	`credentials?)`

// assignedWhole finds the same with a value in quotes, which may have any characters: in quotes of a text, of JSON in
// JSON, and in single ones.
var assignedWhole = []*regexp.Regexp{
	regexp.MustCompile(secretName + `"?\s*[:=]\s*")((?:[^"\\\n]|\\[^\n])+)(")`),
	regexp.MustCompile(secretName + `(?:\\")?\s*[:=]\s*\\")((?:[^"\\\n]|\\\\(?:\\"|[^"\n]))+)(\\")`),
	regexp.MustCompile(secretName + `'?\s*[:=]\s*')([^'"\\\n]+)(')`),
}

// harmless are values that are no secret, whatever they are given to; numbers are none where no quote precedes them.
var harmless = regexp.MustCompile(`^(?:true|false|null|nil|none)$|^-?[0-9]+(?:\.[0-9]+)?$`)

// quoted reports whether a text ends with a quote.
func quoted(text string) bool { return strings.HasSuffix(text, `"`) || strings.HasSuffix(text, "'") }

// Text returns a text without secrets, and with placeholders for addresses. JSON stays JSON.
func (r *Redactor) Text(text string) string {
	for _, secret := range r.Known {
		if secret != "" {
			r.removed += strings.Count(text, secret)
			text = strings.ReplaceAll(text, secret, Removed)
		}
	}
	for _, s := range shapes {
		r.removed += len(s.find.FindAllStringIndex(text, -1))
		text = s.find.ReplaceAllString(text, s.with)
	}
	for _, find := range assignedWhole {
		text = find.ReplaceAllStringFunc(text, func(found string) string {
			parts := find.FindStringSubmatch(found)
			if parts[2] != Removed {
				r.removed++
			}
			return parts[1] + Removed + parts[3]
		})
	}
	text = assigned.ReplaceAllStringFunc(text, func(found string) string {
		parts := assigned.FindStringSubmatch(found)
		if harmless.MatchString(parts[2]) && !quoted(parts[1]) {
			return found
		}
		r.removed++
		return parts[1] + Removed
	})
	if r.Addresses {
		return text
	}
	for _, form := range addressForms {
		var out strings.Builder
		at := 0
		for _, m := range form.find.FindAllStringIndex(text, -1) {
			out.WriteString(text[at:m[0]])
			if found := text[m[0]:m[1]]; isName(text, m) {
				out.WriteString(found)
			} else {
				out.WriteString(r.address(found, form.read))
			}
			at = m[1]
		}
		text = out.String() + text[at:]
	}
	return text
}

// isName reports whether what was found is part of a name such as std::string.
func isName(text string, at []int) bool {
	if strings.Trim(text[at[0]:at[1]], ":0123456789abcdefABCDEF") != "" ||
		len(strings.FieldsFunc(text[at[0]:at[1]], func(c rune) bool { return c == ':' })) > 1 {
		return false
	}
	return at[0] > 0 && isWord(text[at[0]-1]) || at[1] < len(text) && isWord(text[at[1]])
}

func isWord(c byte) bool { return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' }

// addressForms find what may be an address, and read it; "" where it is none, or one that tells nothing.
var addressForms = []struct {
	find *regexp.Regexp
	read func(string) string
}{
	{regexp.MustCompile(`\b[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}\b`), readMAC},
	{regexp.MustCompile(`[0-9]{1,3}(?:\.[0-9]{1,3}){3}`), readIP},
	// In names of hosts.
	{regexp.MustCompile(`[0-9]{1,3}(?:-[0-9]{1,3}){3}\b`), func(s string) string {
		return readIP(strings.ReplaceAll(s, "-", "."))
	}},
	{regexp.MustCompile(`(?:[0-9A-Fa-f]{1,4}|:)(?::[0-9A-Fa-f]{0,4}){2,8}|::[0-9A-Fa-f]{1,4}`), readIP},
}

func readMAC(text string) string {
	mac, err := net.ParseMAC(text)
	if err != nil {
		return ""
	}
	switch s := mac.String(); s {
	case "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff":
		return ""
	default:
		return s
	}
}

func readIP(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || a.IsUnspecified() || a.IsLoopback() {
		return ""
	}
	return a.Unmap().String()
}

// address returns the placeholder for a text that may be an address, with the colon that is left over at its end.
func (r *Redactor) address(found string, read func(string) string) string {
	text, rest := found, ""
	address := read(text)
	if cut, ok := strings.CutSuffix(text, ":"); address == "" && ok {
		text, rest = cut, ":"
		address = read(text)
	}
	if address == "" {
		return found
	}
	if r.placeholders == nil {
		r.placeholders, r.counts = make(map[string]string), make(map[string]int)
	}
	if r.placeholders[address] == "" {
		kind := "ipv6"
		switch {
		case strings.Count(address, ":") == 5 && len(address) == len("00:00:00:00:00:00"):
			kind = "mac"
		case strings.Contains(address, "."):
			kind = "ipv4"
		}
		r.counts[kind]++
		r.placeholders[address] = fmt.Sprintf("%s-%d", kind, r.counts[kind])
	}
	return r.placeholders[address] + rest
}
