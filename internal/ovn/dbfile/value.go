package dbfile

import (
	"math"
	"strconv"
	"strings"
)

const zeroUUID = "00000000-0000-0000-0000-000000000000"

// Value is what one column of a row holds: any number of keys and, for a map, as many values. Integers, reals and
// booleans are in their plain form, such as 42, 0.5 and true. Keys are sorted as text.
type Value struct {
	Keys   []string
	Values []string
}

// Row is a row of a table.
type Row struct {
	UUID  string
	table *Table
	cells []cell
}

// cell is a column that a transaction wrote. Columns without one have their default.
type cell struct {
	column *Column
	value  Value
	// over is what was changed of a large value since; nil for nothing.
	over *overlay
}

// Value returns what a column holds. ok is false where the schema has no such column.
func (r *Row) Value(column string) (v Value, ok bool) {
	c := r.table.Columns[column]
	if c == nil {
		return Value{}, false
	}
	return r.get(c), true
}

func (r *Row) get(c *Column) Value {
	for i := range r.cells {
		if r.cells[i].column == c {
			return r.cells[i].settled().value
		}
	}
	return c.initial()
}

// String returns the single value of a column, and the empty text where it has none.
func (r *Row) String(column string) string {
	if v, _ := r.Value(column); len(v.Keys) > 0 {
		return v.Keys[0]
	}
	return ""
}

// Strings returns the values of a column. They are not to be changed.
func (r *Row) Strings(column string) []string {
	v, _ := r.Value(column)
	return v.Keys
}

// Map returns the keys and values of a column as a new map, nil where it has none.
func (r *Row) Map(column string) map[string]string {
	v, _ := r.Value(column)
	if len(v.Keys) == 0 || len(v.Values) != len(v.Keys) {
		return nil
	}
	m := make(map[string]string, len(v.Keys))
	for i, k := range v.Keys {
		m[k] = v.Values[i]
	}
	return m
}

// zero returns the default of a kind, RFC 7047 section 5.2.1.
func (a Atom) zero() string {
	switch a {
	case Integer, Real:
		return "0"
	case Boolean:
		return "false"
	case UUID:
		return zeroUUID
	case String, Unknown:
	}
	return ""
}

// initial returns what a column holds that was never written.
func (c *Column) initial() Value {
	if c.Min == 0 {
		return Value{}
	}
	v := Value{Keys: []string{c.Key.zero()}}
	if c.Value != "" {
		v.Values = []string{c.Value.zero()}
	}
	return v
}

// holds reports whether a column may have so many values.
func (c *Column) holds(n int) bool { return n >= c.Min && n <= c.Max }

// value reads a column's value in the notation of RFC 7047, section 5.1. How many there may be is not looked at: the
// difference between two values may have fewer or more.
func (s *scanner) value(c *Column, a *arena) (Value, error) {
	if s.peek() != '[' {
		if c.Value != "" {
			return Value{}, s.fail("column %s is a map, and this is none", c.Name)
		}
		return s.single(c, a)
	}
	begin := s.at
	s.at++
	tag, err := s.string()
	if err != nil {
		return Value{}, err
	}
	switch {
	case tag == "uuid" && c.Value == "":
		s.at = begin
		return s.single(c, a)
	case c.Key == Unknown && (tag == "set" || tag == "map"):
	case tag == "set" && c.Value == "", tag == "map" && c.Value != "":
	default:
		return Value{}, s.fail("column %s cannot hold a %q", c.Name, beginning(tag))
	}
	if err := s.expect(','); err != nil {
		return Value{}, err
	}
	keys, values := a.keys[:0], a.values[:0]
	err = s.array(func() error {
		if tag == "set" {
			k, err := s.atom(c.Key)
			keys = append(keys, k)
			return err
		}
		k, v, err := s.pair(c)
		keys, values = append(keys, k), append(values, v)
		return err
	})
	a.keys, a.values = keys, values
	if err != nil {
		return Value{}, err
	}
	if err := s.expect(']'); err != nil {
		return Value{}, err
	}
	sortPairs(keys, values)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return Value{}, s.fail("column %s holds %q twice", c.Name, beginning(keys[i]))
		}
	}
	return Value{Keys: a.keep(keys), Values: a.keep(values)}, nil
}

func (s *scanner) single(c *Column, a *arena) (Value, error) {
	k, err := s.atom(c.Key)
	if err != nil {
		return Value{}, err
	}
	a.keys = append(a.keys[:0], k)
	return Value{Keys: a.keep(a.keys)}, nil
}

func (s *scanner) pair(c *Column) (k, v string, err error) {
	if err := s.expect('['); err != nil {
		return "", "", err
	}
	if k, err = s.atom(c.Key); err != nil {
		return "", "", err
	}
	if err := s.expect(','); err != nil {
		return "", "", err
	}
	value := c.Value
	if c.Key == Unknown {
		value = Unknown
	}
	if v, err = s.atom(value); err != nil {
		return "", "", err
	}
	return k, v, s.expect(']')
}

// atom reads one value and gives it in its plain form.
func (s *scanner) atom(kind Atom) (string, error) {
	switch kind {
	case String:
		return s.string()
	case Boolean:
		if s.peek() == 't' {
			return "true", s.word("true")
		}
		return "false", s.word("false")
	case Integer:
		text, integer, err := s.number()
		if err != nil {
			return "", err
		}
		return s.integer(text, integer)
	case Real:
		text, _, err := s.number()
		if err != nil {
			return "", err
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return "", s.fail("%s is too large", beginning(text))
		}
		return plainReal(f), nil
	case UUID:
		return s.uuid()
	case Unknown:
		return s.anyAtom()
	}
	return "", s.fail("a value of no known kind")
}

// anyAtom reads one value of the kind that it shows.
func (s *scanner) anyAtom() (string, error) {
	switch s.peek() {
	case '"':
		return s.atom(String)
	case 't', 'f':
		return s.atom(Boolean)
	case '[':
		return s.atom(UUID)
	}
	begin := s.at
	text, integer, err := s.number()
	if err != nil {
		return "", err
	}
	if integer {
		if plain, err := s.integer(text, true); err == nil {
			return plain, nil
		}
	}
	s.at = begin // a real may be written without a point, and be larger than any integer
	return s.atom(Real)
}

// integer returns an integer's plain form. JSON may write one as 1e3; OVSDB reads that as 1000.
func (s *scanner) integer(text string, plain bool) (string, error) {
	if plain {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", s.fail("%s does not fit into 64 bits", beginning(text))
		}
		if n == 0 {
			return "0", nil // also for -0
		}
		return text, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return "", s.fail("%s is no integer", beginning(text))
	}
	return strconv.FormatInt(int64(f), 10), nil
}

func plainReal(f float64) string {
	if f == 0 {
		return "0" // also for -0
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// uuid reads ["uuid", "..."].
func (s *scanner) uuid() (string, error) {
	if err := s.expect('['); err != nil {
		return "", err
	}
	tag, err := s.string()
	if err != nil {
		return "", err
	}
	if tag != "uuid" {
		return "", s.fail("want a uuid, found a %q", beginning(tag))
	}
	if err := s.expect(','); err != nil {
		return "", err
	}
	text, err := s.string()
	if err != nil {
		return "", err
	}
	id, ok := parseUUID(text)
	if !ok {
		return "", s.fail("%q is no UUID", beginning(text))
	}
	return id, s.expect(']')
}

// parseUUID returns a UUID in lower case.
func parseUUID(text string) (string, bool) {
	if len(text) != len(zeroUUID) {
		return "", false
	}
	upper := false
	for i := range len(text) {
		switch c := text[i]; {
		case (c == '-') != (zeroUUID[i] == '-'):
			return "", false
		case c == '-', c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		case c >= 'A' && c <= 'F':
			upper = true
		default:
			return "", false
		}
	}
	if upper {
		return strings.ToLower(text), true
	}
	return text, true
}
