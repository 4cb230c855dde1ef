package audit

import (
	"strings"
	"unicode"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// command returns the words as a line for a shell, each quoted so that it stays one word. Names and columns are other
// people's text, and fixes are made to be copied. It returns "" where a word cannot be given safely: with a control
// character, which a terminal may act on, or where it would be read as an option.
func command(program string, words ...string) string {
	line := []string{program}
	for _, w := range words {
		if strings.ContainsFunc(w, unhandy) {
			return ""
		}
		line = append(line, ShellWord(w))
	}
	return strings.Join(line, " ")
}

// unhandy reports whether a character cannot be shown and copied as it is.
func unhandy(r rune) bool { return r != ' ' && !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// ShellWord returns a word as a shell takes it, bare where that is safe. Names are text of others, and commands are
// printed to be copied.
func ShellWord(word string) string {
	bare := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && !strings.ContainsFunc(word, func(r rune) bool { return !bare(r) }) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// nameForNbctl returns the argument that names the port for ovn-nbctl: its name, or its UUID where the name would be
// read as an option.
func (s *subject) nameForNbctl() string { return nameForNbctl(&s.Port) }

func nameForNbctl(p *inventory.Port) string {
	if strings.HasPrefix(p.Name, "-") {
		return p.Row.UUID
	}
	return p.Name
}

// controller returns the user as which Kube-OVN's controller writes.
func (s *subject) controller() string {
	if s.KubeOVN == nil {
		return kubeovn.ControllerAccount
	}
	return s.KubeOVN.Account
}
