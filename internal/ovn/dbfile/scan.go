package dbfile

import (
	"encoding/json"
	"fmt"
	"strings"
)

// maxDepth bounds how deep values are nested. The formats need eight; OVSDB itself stops at a thousand.
const maxDepth = 200

// scanner walks over JSON once, without building a tree of it: a file of 100,000 ports has millions of values. Text
// without escapes is not copied.
type scanner struct {
	text string
	at   int
}

func (s *scanner) fail(format string, args ...any) error {
	return fmt.Errorf("%w: at byte %d of the record: %s", ErrContent, s.at, fmt.Sprintf(format, args...))
}

// peek returns the next byte that is not white space, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		c := s.text[s.at]
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c
		}
		s.at++
	}
	return 0
}

// take steps over one byte if it is the next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at >= len(s.text) {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expect(c byte) error {
	if !s.take(c) {
		if s.at >= len(s.text) {
			return s.fail("want %q, found the end", c)
		}
		return s.fail("want %q, found %q", c, s.text[s.at])
	}
	return nil
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	if s.peek(); s.at < len(s.text) {
		return s.fail("%q follows the value", s.text[s.at])
	}
	return nil
}

// object walks over an object's members. do gets each name with the scanner before the value, and has to step over it.
func (s *scanner) object(do func(name string) error) error {
	if err := s.expect('{'); err != nil {
		return err
	}
	if s.take('}') {
		return nil
	}
	for {
		name, err := s.string()
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		if err := do(name); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// array walks over an array's elements. do gets the scanner before each element, and has to step over it.
func (s *scanner) array(do func() error) error {
	if err := s.expect('['); err != nil {
		return err
	}
	if s.take(']') {
		return nil
	}
	for {
		if err := do(); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if err := s.expect(','); err != nil {
			return err
		}
	}
}

// string steps over a string and returns what it means.
func (s *scanner) string() (string, error) {
	if err := s.expect('"'); err != nil {
		return "", err
	}
	begin, escaped := s.at, false
	for i := begin; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.at = i + 1
			if !escaped {
				return s.text[begin:i], nil
			}
			var out string
			if err := json.Unmarshal([]byte(s.text[begin-1:s.at]), &out); err != nil {
				return "", s.fail("string: %v", err)
			}
			return out, nil
		case c == '\\':
			escaped = true
			i++ // whatever follows does not end the string
		case c < ' ':
			s.at = i
			return "", s.fail("a string with the bare control character %q", c)
		}
	}
	s.at = len(s.text)
	return "", s.fail("a string that does not end")
}

// word steps over true, false or null.
func (s *scanner) word(want string) error {
	s.peek()
	if !strings.HasPrefix(s.text[s.at:], want) {
		return s.fail("want %s", want)
	}
	s.at += len(want)
	return nil
}

// number steps over a number and gives it as it is written. integer means that it has neither fraction nor exponent.
func (s *scanner) number() (text string, integer bool, err error) {
	s.peek()
	begin := s.at
	integer = true
	if s.at < len(s.text) && s.text[s.at] == '-' {
		s.at++
	}
	whole := s.digits()
	if whole == 0 || whole > 1 && s.text[s.at-whole] == '0' {
		return "", false, s.fail("want a value")
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		integer = false
		if s.digits() == 0 {
			return "", false, s.fail("a number without digits behind its point")
		}
	}
	if s.at < len(s.text) && (s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		s.at++
		integer = false
		if s.at < len(s.text) && (s.text[s.at] == '+' || s.text[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return "", false, s.fail("a number without digits in its exponent")
		}
	}
	return s.text[begin:s.at], integer, nil
}

func (s *scanner) digits() (n int) {
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
		n++
	}
	return n
}

// skip steps over any value and returns its text.
func (s *scanner) skip() (string, error) {
	s.peek()
	begin := s.at
	err := s.skipNested(0)
	return s.text[begin:s.at], err
}

func (s *scanner) skipNested(depth int) error {
	if depth > maxDepth {
		return s.fail("values nested deeper than %d", maxDepth)
	}
	switch s.peek() {
	case '{':
		return s.object(func(string) error { return s.skipNested(depth + 1) })
	case '[':
		return s.array(func() error { return s.skipNested(depth + 1) })
	case '"':
		_, err := s.string()
		return err
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		_, _, err := s.number()
		return err
	}
}
