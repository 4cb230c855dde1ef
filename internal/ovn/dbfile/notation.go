package dbfile

import "strings"

// notation walks over values as ovs-vsctl(8) and the other tools print them for people: [a, "b c"] is a set, {k=v} a
// map, and text that is no plain word stands in quotes, as in JSON. Values as JSON (--data=json) are read, too.
type notation struct {
	scanner
}

// jsonValues begin values in the notation of RFC 7047, and none that is printed for people.
var jsonValues = []string{`["set",[`, `["map",[`, `["uuid","`}

// cell reads one value.
func (n *notation) cell(c *Column, a *arena) (Value, error) {
	n.peek()
	for _, begin := range jsonValues {
		if strings.HasPrefix(n.text[n.at:], begin) {
			return n.value(c, a)
		}
	}
	keys, values := a.keys[:0], a.values[:0]
	defer func() { a.keys, a.values = keys, values }()
	var err error
	switch n.peek() {
	case '[':
		err = n.list('[', ']', func() error {
			k, err := n.word()
			keys = append(keys, k)
			return err
		})
	case '{':
		err = n.list('{', '}', func() error {
			k, err := n.word()
			if err != nil {
				return err
			}
			if err := n.expect('='); err != nil {
				return err
			}
			v, err := n.word()
			keys, values = append(keys, k), append(values, v)
			return err
		})
	default:
		var k string
		k, err = n.word()
		keys = append(keys, k)
	}
	if err != nil {
		return Value{}, err
	}
	sortPairs(keys, values)
	for i := 1; i < len(keys); i++ {
		if keys[i] == keys[i-1] {
			return Value{}, n.fail("column %s holds %q twice", c.Name, beginning(keys[i]))
		}
	}
	return Value{Keys: a.keep(keys), Values: a.keep(values)}, nil
}

// list walks over what stands between two brackets, with commas between.
func (n *notation) list(open, shut byte, do func() error) error {
	if err := n.expect(open); err != nil {
		return err
	}
	if n.take(shut) {
		return nil
	}
	for {
		if err := do(); err != nil {
			return err
		}
		if n.take(shut) {
			return nil
		}
		if err := n.expect(','); err != nil {
			return err
		}
	}
}

// word reads one value: in quotes, or letters, digits and the few signs that need none.
func (n *notation) word() (string, error) {
	if n.peek() == '"' {
		return n.string()
	}
	begin := n.at
	for n.at < len(n.text) && isPlain(n.text[n.at]) {
		n.at++
	}
	text := n.text[begin:n.at]
	if text == "" {
		return "", n.fail("want a value")
	}
	if id, ok := parseUUID(text); ok {
		return id, nil
	}
	return text, nil
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '_' || c == '-' || c == '.' || c == '+'
}

// only reads a value that is all of the text.
func only(text string, c *Column, a *arena) (Value, error) {
	n := &notation{scanner{text: text}}
	v, err := n.cell(c, a)
	if err != nil {
		return Value{}, err
	}
	return v, n.end()
}
