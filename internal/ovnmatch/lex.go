package ovnmatch

import (
	"math/bits"
	"strconv"
	"strings"
)

// deepest is how deep parentheses may be nested; OVN allows 100.
const deepest = 100

// times returns n*base + digit.
func (n number) times(base, digit uint64) number {
	carry, lo := bits.Mul64(n.lo, base)
	lo, over := bits.Add64(lo, digit, 0)
	return number{n.hi*base + carry + over, lo}
}

// lexer splits an expression into tokens. token is the present one; "" is the end.
type lexer struct {
	rest   string
	token  string
	quoted bool
	depth  int
}

// isWordByte reports whether a byte belongs to a name or a constant.
func isWordByte(c byte) bool {
	return c == '.' || c == '_' || c == ':' || c == '/' || c == '-' ||
		'0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// next goes to the next token.
func (l *lexer) next() {
	l.rest = strings.TrimLeft(l.rest, " \t\r\n")
	l.quoted = false
	if l.rest == "" {
		l.token = ""
		return
	}
	for _, symbol := range []string{"==", "!=", "<=", ">=", "&&", "||", ".."} {
		if strings.HasPrefix(l.rest, symbol) {
			l.take(len(symbol))
			return
		}
	}
	c := l.rest[0]
	if c == '"' {
		l.takeQuoted()
		return
	}
	n := 1
	if c == '$' || c == '@' || isWordByte(c) {
		for n < len(l.rest) && isWordByte(l.rest[n]) && !strings.HasPrefix(l.rest[n:], "..") {
			n++
		}
	}
	l.take(n)
}

func (l *lexer) take(n int) { l.token, l.rest = l.rest[:n], l.rest[n:] }

// takeQuoted reads a text as JSON writes it. A text without an end is a token that no rule takes.
func (l *lexer) takeQuoted() {
	for n := 1; n < len(l.rest); n++ {
		switch l.rest[n] {
		case '\\':
			n++
		case '"':
			l.take(n + 1)
			if text, err := strconv.Unquote(l.token); err == nil {
				l.token, l.quoted = text, true
			}
			return
		}
	}
	l.take(len(l.rest))
}

// accept goes to the next token if the present one is the symbol.
func (l *lexer) accept(symbol string) bool {
	if l.quoted || l.token != symbol {
		return false
	}
	l.next()
	return true
}

// isName reports whether the token is the name of a field.
func (l *lexer) isName() bool {
	if l.quoted || l.token == "" {
		return false
	}
	c := l.token[0]
	if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') || strings.ContainsAny(l.token, ":/-") {
		return false
	}
	return true
}

// operator reads the operator of a comparison; ok is false where the token is none.
func (l *lexer) operator() (op operator, ok bool) {
	for i, symbol := range []string{"==", "!=", "<", "<=", ">", ">="} {
		if l.accept(symbol) {
			return operator(i), true
		}
	}
	return 0, false
}

// number reads a small number.
func (p *parser) number() int {
	n, err := strconv.ParseUint(p.token, 10, 8)
	if err != nil {
		p.fail("%q is no number of a bit", p.token)
	}
	p.next()
	return int(n)
}
