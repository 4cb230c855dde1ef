package ovnmatch

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/portsec"
)

// Parse returns an expression. It never fails: what is not understood is unknown, and Unclear says what that is. An
// expression that OVN refuses is unknown as a whole.
func Parse(text string, names Names) *Match {
	p := parser{lexer: lexer{rest: text}, names: names}
	p.next()
	m := &Match{text: text}
	root := p.or()
	if p.err == nil && p.token != "" {
		p.fail("%q is not expected", p.token)
	}
	if p.err != nil {
		m.root, m.unclear = node{kind: kindUnknown}, []string{fmt.Sprintf("%s: %v", text, p.err)}
		return m
	}
	m.root = annotate(root)
	m.root.order()
	m.unclear = slices.Sorted(maps.Keys(p.unclear))
	return m
}

// NewSet returns an address set. A member that is no address, prefix or MAC is an error.
func NewSet(members []string) (*Set, error) {
	s := &Set{exact: make(map[number]bool, len(members))}
	for _, text := range members {
		c, bits, err := constantOf(text)
		if err != nil {
			return nil, err
		}
		s.bits = max(s.bits, bits)
		if c.mask == ones(bits) {
			s.exact[c.value] = true
		} else {
			s.masked = append(s.masked, c)
		}
	}
	return s, nil
}

// constantOf reads an address, a MAC, or a number, each with a mask or without. bits is the width of its kind; for a
// number that of its value.
func constantOf(text string) (c constant, bits int, err error) {
	value, mask, masked := strings.Cut(text, "/")
	if c.value, bits, err = numberOf(value); err != nil {
		return c, 0, err
	}
	c.mask = ones(128)
	if bits == 32 || bits == 48 && strings.Contains(value, ":") || bits == 128 {
		c.mask = ones(bits)
	}
	if !masked {
		return c, bits, nil
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		host := ones(prefix.Addr().BitLen() - prefix.Bits())
		all := ones(prefix.Addr().BitLen())
		c.mask = number{all.hi &^ host.hi, all.lo &^ host.lo}
	} else if c.mask, _, err = numberOf(mask); err != nil {
		return c, 0, err
	}
	if c.value.and(c.mask) != c.value {
		return c, 0, fmt.Errorf("%q has bits outside of its mask", text)
	}
	return c, bits, nil
}

func numberOf(text string) (number, int, error) {
	if strings.Count(text, ":") == len(portsec.MAC{})-1 {
		if mac, err := portsec.ParseMAC(strings.ToLower(text)); err == nil {
			return ofMAC(mac), 48, nil
		}
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return ofAddr(a), a.BitLen(), nil
	}
	var n number
	digits, base := text, uint64(10)
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		digits, base = hex, 16
	}
	if digits == "" {
		return n, 0, fmt.Errorf("%q is no constant", text)
	}
	for _, r := range strings.ToLower(digits) {
		d := strings.IndexRune("0123456789abcdef", r)
		if d < 0 || uint64(d) >= base || n.hi>>59 != 0 {
			return n, 0, fmt.Errorf("%q is no constant", text)
		}
		n = n.times(base, uint64(d))
	}
	return n, 0, nil
}

// parser reads an expression by the rules of OVN: "&&" and "||" are not mixed without parentheses.
type parser struct {
	lexer
	names   Names
	unclear map[string]bool
	err     error
	// negated means that an odd number of negations stand before the present part.
	negated bool
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// expression reads an expression from its beginning.
func (p *parser) expression() node {
	p.next()
	return p.or()
}

// unknown notes a part that is not understood.
func (p *parser) unknown(part string) node {
	if p.unclear == nil {
		p.unclear = make(map[string]bool)
	}
	p.unclear[part] = true
	return node{kind: kindUnknown}
}

func (p *parser) or() node {
	first := p.not()
	for word, kind := range map[string]kind{"&&": kindAnd, "||": kindOr} {
		if p.token != word {
			continue
		}
		all := node{kind: kind, of: []node{first}}
		for p.err == nil && p.accept(word) {
			all.of = append(all.of, p.not())
		}
		if p.token == "&&" || p.token == "||" {
			p.fail("&& and || are mixed without parentheses")
		}
		return all
	}
	return first
}

func (p *parser) not() node {
	if p.accept("!") {
		p.negated = !p.negated
		n := not(p.not())
		p.negated = !p.negated
		return n
	}
	if p.accept("(") {
		p.depth++
		if p.depth > deepest {
			p.fail("parentheses are nested more than %d deep", deepest)
			return node{}
		}
		n := p.or()
		p.depth--
		if !p.accept(")") {
			p.fail("a closing parenthesis is missing")
		}
		return n
	}
	return p.comparison()
}

// comparison reads a field that is compared, from either side or both, or one that stands alone.
func (p *parser) comparison() node {
	if p.isName() {
		f := p.field()
		op, ok := p.operator()
		if !ok {
			return p.alone(f)
		}
		return p.compare(f, op, p.constants())
	}
	left := p.constants()
	op, ok := p.operator()
	if !ok {
		if c, single := left.single(); single && (c.value == number{} || c.value == number{0, 1}) && p.err == nil {
			return node{kind: kindConst, value: c.value.lo == 1}
		}
		p.fail("a field is missing")
		return node{}
	}
	if !p.isName() {
		p.fail("a field is missing before %q", p.token)
		return node{}
	}
	f := p.field()
	n := p.compare(f, op.mirrored(), left)
	second, ok := p.operator()
	if !ok {
		return n
	}
	ascending, descending := op == less || op == lessEqual, op == greater || op == greaterEqual
	if ascending && second != less && second != lessEqual ||
		descending && second != greater && second != greaterEqual ||
		!ascending && !descending {
		p.fail("a range has two directions")
	}
	return node{kind: kindAnd, of: []node{n, p.compare(f, second, p.constants())}}
}

// part is a field or a part of one.
type part struct {
	symbol
	lowest, width int
	known         bool
}

func (p *parser) field() part {
	name := p.token
	p.next()
	s, ok := symbols[name]
	f := part{symbol: s, width: s.bits, known: ok}
	f.name = name
	if !p.accept("[") {
		return f
	}
	f.lowest = p.number()
	highest := f.lowest
	if p.accept("..") {
		highest = p.number()
	}
	if !p.accept("]") {
		p.fail("a closing bracket is missing")
	}
	if ok && (s.text != nil || s.means != "" || highest < f.lowest || highest >= s.bits) {
		p.fail("%s has no bits %d..%d", name, f.lowest, highest)
	}
	f.width = highest - f.lowest + 1
	return f
}

// alone returns a field without a comparison: a predicate, or one bit.
func (p *parser) alone(f part) node {
	switch {
	case !f.known:
		return p.unknown(f.name)
	case f.text != nil, f.width != 1:
		p.fail("%s is not compared with anything", f.name)
		return node{}
	}
	p.checkLevel(f, equal)
	return f.node(equal, constant{number{0, 1}, ones(1)})
}

func (f part) node(op operator, to constant) node {
	return node{kind: kindCompare, symbol: f.symbol, lowest: f.lowest, width: f.width, op: op, to: to}
}

// values are the constants, words, and names of sets and groups that a field is compared with.
type values struct {
	constants []constant
	bits      int // of the widest constant that has a width
	words     []string
	sets      []string
	groups    []string
	braces    bool
}

// single returns the constant if there is just one.
func (v values) single() (constant, bool) {
	if v.braces || len(v.constants) != 1 || len(v.words)+len(v.sets)+len(v.groups) > 0 {
		return constant{}, false
	}
	return v.constants[0], true
}

func (p *parser) constants() (v values) {
	if !p.accept("{") {
		p.constant(&v)
		return v
	}
	v.braces = true
	for first := true; first || p.err == nil && !p.accept("}"); first = false {
		if p.token == "" {
			p.fail("a closing brace is missing")
		}
		p.constant(&v)
		p.accept(",")
	}
	return v
}

func (p *parser) constant(v *values) {
	token := p.token
	switch {
	case p.quoted:
		v.words = append(v.words, token)
	case strings.HasPrefix(token, "$"):
		v.sets = append(v.sets, token[1:])
	case strings.HasPrefix(token, "@"):
		v.groups = append(v.groups, token[1:])
	default:
		c, bits, err := constantOf(token)
		if err != nil {
			p.fail("%w", err)
			return
		}
		v.constants, v.bits = append(v.constants, c), max(v.bits, bits)
	}
	p.next()
}

// checkLevel refuses what OVN refuses of fields without a mask.
func (p *parser) checkLevel(f part, op operator) {
	switch {
	case (f.nominal || f.means != "") && op != equal && op != unequal:
		p.fail("%s is compared by order", f.name)
	case (op == unequal) != p.negated && f.isNominal():
		p.fail("%s is tested negatively, which OVN refuses", f.name)
	}
}

// compare returns the comparison of a field with values.
func (p *parser) compare(f part, op operator, v values) node {
	switch {
	case p.err != nil:
		return node{}
	case !f.known:
		return p.unknown(f.name)
	}
	p.checkLevel(f, op)
	switch {
	case f.text != nil:
		return p.compareText(f, op, v)
	case len(v.words)+len(v.groups) > 0:
		p.fail("%s is a number and is compared with text", f.name)
		return node{}
	case v.bits > f.width:
		p.fail("%s has %d bits, and a value has %d", f.name, f.width, v.bits)
		return node{}
	}
	if c, ok := v.single(); ok {
		c.mask = c.mask.and(ones(f.width))
		if c.value.and(ones(f.width)) != c.value {
			p.fail("a value is too large for %s", f.name)
		}
		return f.node(op, c)
	}
	if op != equal && op != unequal {
		p.fail("%s is compared with several values by order", f.name)
		return node{}
	}
	n := node{kind: kindIn, symbol: f.symbol, lowest: f.lowest, width: f.width, negated: op == unequal}
	for _, c := range v.constants {
		c.mask = c.mask.and(ones(f.width))
		n.in = append(n.in, c)
	}
	for _, name := range v.sets {
		set, ok := p.names.Sets[name]
		switch {
		case !ok:
			return p.unknown("$" + name)
		case set.bits > f.width:
			p.fail("%s has %d bits, and a value of $%s has %d", f.name, f.width, name, set.bits)
			return node{}
		}
		if len(set.exact)+len(set.masked) > 0 {
			n.sets = append(n.sets, set)
		}
	}
	if len(n.in)+len(n.sets) == 0 { // of nothing OVN makes a constant, whatever the field needs
		return node{kind: kindConst, value: op == unequal}
	}
	return n
}

func (p *parser) compareText(f part, op operator, v values) node {
	if len(v.constants)+len(v.sets) > 0 || op != equal && op != unequal {
		p.fail("%s is text and is compared with a number or an order", f.name)
		return node{}
	}
	n := node{kind: kindInText, symbol: f.symbol, words: make(map[string]bool), negated: op == unequal}
	for _, w := range v.words {
		n.words[w] = true
	}
	for _, name := range v.groups {
		ports, ok := p.names.Groups[name]
		if !ok {
			return p.unknown("@" + name)
		}
		if len(v.groups) == 1 && len(v.words) == 0 {
			n.words = ports
			break
		}
		maps.Copy(n.words, ports)
	}
	if len(n.words) == 0 {
		return node{kind: kindConst, value: op == unequal}
	}
	return n
}
