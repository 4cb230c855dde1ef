package ovn

import (
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scan reads JSON from left to right without building a tree: a database of 250,000 ports is one message of a hundred
// megabytes, and a tree of it would take many times that. The first error sticks, and every read after it gives
// nothing, so that callers look at err once, at the end.
type scan struct {
	data []byte
	at   int
	err  error
	// strings is shared by the scans of one reader, so that values which repeat are kept once.
	strings *interner
	scratch []byte
}

var errJSON = errors.New("not the JSON that was expected")

// maxDepth bounds how deep arrays and objects may nest where they are skipped. OVSDB needs about ten levels.
const maxDepth = 200

func (s *scan) fail(want string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: want %s: %w", s.at, want, errJSON)
	}
}

// peek returns the next byte that is not white space, 0 at the end or after an error.
func (s *scan) peek() byte {
	if s.err != nil {
		return 0
	}
	for s.at < len(s.data) {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take steps over c, which must come next.
func (s *scan) take(c byte) bool {
	if s.peek() != c {
		s.fail(strconv.QuoteRune(rune(c)))
		return false
	}
	s.at++
	return true
}

// object calls do for each member with its key. do must read the value. The key is valid only until it does.
func (s *scan) object(do func(key []byte)) {
	if !s.take('{') {
		return
	}
	if s.peek() == '}' {
		s.at++
		return
	}
	for s.err == nil {
		key := s.bytes()
		if !s.take(':') {
			return
		}
		do(key)
		if s.peek() == '}' {
			s.at++
			return
		}
		s.take(',')
	}
}

// array calls do for each element. do must read it.
func (s *scan) array(do func()) {
	if !s.take('[') {
		return
	}
	if s.peek() == ']' {
		s.at++
		return
	}
	for s.err == nil {
		do()
		if s.peek() == ']' {
			s.at++
			return
		}
		s.take(',')
	}
}

// bytes reads a string. What it gives is valid until the next read.
func (s *scan) bytes() []byte {
	if !s.take('"') {
		return nil
	}
	start := s.at
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[start : s.at-1]
		case c == '\\':
			return s.escaped(start)
		case c < ' ':
			s.fail("a string without control characters")
			return nil
		}
	}
	s.fail("the end of a string")
	return nil
}

// escaped reads a string that holds an escape; what is between start and here has none.
func (s *scan) escaped(start int) []byte {
	out := append(s.scratch[:0], s.data[start:s.at]...)
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			s.scratch = out
			return out
		case c < ' ':
			s.fail("a string without control characters")
			return nil
		case c != '\\':
			out = append(out, c)
			continue
		}
		if s.at == len(s.data) {
			break
		}
		c = s.data[s.at]
		s.at++
		switch c {
		case '"', '\\', '/':
			out = append(out, c)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			out = utf8.AppendRune(out, s.unicode())
		default:
			s.fail("a known escape")
			return nil
		}
	}
	s.fail("the end of a string")
	return nil
}

// unicode reads the digits of \u, and the second half where they are the first half of a pair.
func (s *scan) unicode() rune {
	r := s.hex4()
	if !utf16.IsSurrogate(r) {
		return r
	}
	if s.at+6 <= len(s.data) && s.data[s.at] == '\\' && s.data[s.at+1] == 'u' {
		before := s.at
		s.at += 2
		if joined := utf16.DecodeRune(r, s.hex4()); joined != utf8.RuneError {
			return joined
		}
		s.at = before
	}
	return utf8.RuneError
}

func (s *scan) hex4() rune {
	if s.at+4 > len(s.data) {
		s.fail("four hexadecimal digits")
		return utf8.RuneError
	}
	n, err := strconv.ParseUint(string(s.data[s.at:s.at+4]), 16, 32)
	if err != nil {
		s.fail("four hexadecimal digits")
		return utf8.RuneError
	}
	s.at += 4
	return rune(n)
}

// text reads a string and keeps it.
func (s *scan) text() string { return s.strings.keep(s.bytes()) }

// integer reads a whole number.
func (s *scan) integer() int64 {
	word := s.word()
	n, err := strconv.ParseInt(string(word), 10, 64)
	if err != nil {
		s.fail("a whole number")
	}
	return n
}

// boolean reads true or false.
func (s *scan) boolean() bool {
	switch string(s.word()) {
	case "true":
		return true
	case "false":
	default:
		s.fail("true or false")
	}
	return false
}

// null steps over null and says whether it was there.
func (s *scan) null() bool {
	if s.peek() == 'n' && s.at+4 <= len(s.data) && string(s.data[s.at:s.at+4]) == "null" {
		s.at += 4
		return true
	}
	return false
}

// word reads a number, true, false or null.
func (s *scan) word() []byte {
	s.peek()
	start := s.at
	for s.err == nil && s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			s.at++
		default:
			return s.data[start:s.at]
		}
	}
	return s.data[start:s.at]
}

// skip steps over one value of any kind and returns its bytes.
func (s *scan) skip() []byte {
	s.peek()
	start, depth := s.at, 0
	for s.err == nil {
		switch s.peek() {
		case '{', '[':
			s.at++
			depth++
			if depth > maxDepth {
				s.fail("less deeply nested values")
			}
			continue
		case '}', ']':
			if depth == 0 {
				s.fail("a value")
				continue
			}
			s.at++
			depth--
		case ',', ':':
			if depth == 0 {
				s.fail("a value")
				continue
			}
			s.at++
			continue
		case '"':
			s.bytes()
		default:
			if len(s.word()) == 0 {
				s.fail("a value")
			}
		}
		if depth == 0 && s.err == nil {
			return s.data[start:s.at]
		}
	}
	return nil
}

// interner keeps one copy of strings that come again and again, such as keys of maps and the name of a subnet. It is a
// fixed number of places, each holding the last string that fell into it, so that it cannot grow.
type interner struct {
	seed   maphash.Seed
	places [4096]string
}

// internLimit is the longest string, in bytes, that is worth looking up.
const internLimit = 64

func newInterner() *interner { return &interner{seed: maphash.MakeSeed()} }

func (i *interner) keep(b []byte) string {
	if i == nil || len(b) > internLimit {
		return string(b)
	}
	place := &i.places[maphash.Bytes(i.seed, b)%uint64(len(i.places))]
	if *place != string(b) {
		*place = string(b)
	}
	return *place
}
