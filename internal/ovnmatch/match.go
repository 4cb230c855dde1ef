package ovnmatch

import (
	"maps"
	"slices"
)

// Truth is what is known of an expression for a packet.
type Truth int8

// The three states.
const (
	False Truth = iota
	True
	Unknown
)

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Set is an address set: values of a field.
type Set struct {
	exact  map[number]bool
	masked []constant
	bits   int // of the widest value
}

// Names are what expressions refer to by name.
type Names struct {
	// Sets are the address sets, and Groups the names of the ports in each port group.
	Sets   map[string]*Set
	Groups map[string]map[string]bool
}

// Match is an expression that can be evaluated.
type Match struct {
	text string
	root node
	// unclear are the parts that were not understood.
	unclear []string
}

// String returns the text of the expression.
func (m *Match) String() string { return m.text }

// Unclear returns the parts of the expression that were not understood; nil where all was.
func (m *Match) Unclear() []string { return m.unclear }

// Evaluate reports whether the expression holds for a packet. It is unknown only where that hangs on a part that was
// not understood.
func (m *Match) Evaluate(p *Packet) Truth { return m.root.evaluate(p) }

// Ports returns the only names of inport, and of outport, for which the expression can hold; nil where others can have
// it hold too.
func (m *Match) Ports() (in, out []string) { return m.root.ports("inport"), m.root.ports("outport") }

func (n *node) ports(field string) []string {
	switch {
	case n.kind == kindInText && !n.negated && n.symbol.name == field:
		return slices.Sorted(maps.Keys(n.words))
	case n.kind == kindAnd:
		for i := range n.of {
			if only := n.of[i].ports(field); only != nil {
				return only
			}
		}
	}
	return nil
}

// operator is how a field is compared.
type operator uint8

const (
	equal operator = iota
	unequal
	less
	lessEqual
	greater
	greaterEqual
)

// opposite returns the operator of the negated comparison.
func (o operator) opposite() operator {
	return [...]operator{unequal, equal, greaterEqual, greater, lessEqual, less}[o]
}

// mirrored returns the operator with both sides exchanged.
func (o operator) mirrored() operator {
	return [...]operator{equal, unequal, greater, greaterEqual, less, lessEqual}[o]
}

// constant is a value to compare with. Only the bits of mask count.
type constant struct{ value, mask number }

// kind is what a node does.
type kind uint8

const (
	kindConst kind = iota
	kindUnknown
	kindAnd
	kindOr
	kindCompare
	kindIn     // the field is one of the constants or in one of the sets
	kindInText // the text field is one of the words
)

// node is a part of an expression.
type node struct {
	kind    kind
	value   bool // of kindConst
	of      []node
	symbol  symbol
	lowest  int // first bit of the part of the field that counts, and width of it
	width   int
	op      operator
	to      constant
	in      []constant
	sets    []*Set
	words   map[string]bool
	negated bool // of kindIn and kindInText
}

func (n *node) evaluate(p *Packet) Truth {
	switch n.kind {
	case kindConst:
		return truth(n.value)
	case kindUnknown:
		return Unknown
	case kindAnd, kindOr:
		return n.combine(p)
	case kindCompare:
		return truth(compare(n.op, n.read(p), n.to))
	case kindIn:
		return truth(n.has(n.read(p)) != n.negated)
	case kindInText:
		return truth(n.words[n.symbol.text(p)] != n.negated)
	}
	return Unknown
}

// combine evaluates until one part decides.
func (n *node) combine(p *Packet) Truth {
	decides, result := False, True
	if n.kind == kindOr {
		decides, result = True, False
	}
	for i := range n.of {
		is := n.of[i].evaluate(p)
		if is == decides {
			return is
		}
		if is == Unknown {
			result = Unknown
		}
	}
	return result
}

// order joins conjunctions within conjunctions, and disjunctions within disjunctions, and puts parts first that are
// quick to evaluate. The answer does not hang on their order.
func (n *node) order() {
	var of []node
	for i := range n.of {
		n.of[i].order()
		if part := &n.of[i]; part.kind == n.kind {
			of = append(of, part.of...)
		} else {
			of = append(of, *part)
		}
	}
	n.of = of
	slices.SortStableFunc(n.of, func(a, b node) int { return a.cost() - b.cost() })
}

// cost returns about how long a part takes: a look into a set of addresses or names takes the longest.
func (n *node) cost() (cost int) {
	switch n.kind {
	case kindConst, kindUnknown, kindCompare:
		return 1
	case kindIn:
		return 1 + len(n.in) + 10*len(n.sets)
	case kindInText:
		return 5
	case kindAnd, kindOr:
	}
	for i := range n.of {
		cost += n.of[i].cost()
	}
	return cost
}

// read returns the value of the field, or of the part of it that counts.
func (n *node) read(p *Packet) number {
	v := n.symbol.get(p)
	if n.lowest > 0 || n.width < n.symbol.bits {
		return v.shifted(n.lowest).and(ones(n.width))
	}
	return v
}

func compare(op operator, v number, to constant) bool {
	switch v = v.and(to.mask); op {
	case equal:
		return v == to.value
	case unequal:
		return v != to.value
	case less:
		return v.less(to.value)
	case lessEqual:
		return !to.value.less(v)
	case greater:
		return to.value.less(v)
	case greaterEqual:
		return !v.less(to.value)
	}
	return false
}

func (n *node) has(v number) bool {
	is := func(c constant) bool { return v.and(c.mask) == c.value }
	return slices.ContainsFunc(n.in, is) || slices.ContainsFunc(n.sets, func(s *Set) bool {
		return s.exact[v] || slices.ContainsFunc(s.masked, is)
	})
}

// not returns the negation: OVN negates comparisons before it adds what their fields need, so that "!(tcp.dst == 80)"
// is "tcp.dst != 80", which holds for TCP alone.
func not(n node) node {
	switch n.kind {
	case kindConst:
		n.value = !n.value
	case kindUnknown:
	case kindAnd, kindOr:
		n.kind = kindAnd + kindOr - n.kind
		of := make([]node, len(n.of))
		for i := range n.of {
			of[i] = not(n.of[i])
		}
		n.of = of
	case kindCompare:
		n.op = n.op.opposite()
	case kindIn, kindInText:
		n.negated = !n.negated
	}
	return n
}

// annotate puts what fields need before them, and expressions in the place of predicates.
func annotate(n node) node {
	switch n.kind {
	case kindAnd, kindOr:
		of := make([]node, len(n.of))
		for i := range n.of {
			of[i] = annotate(n.of[i])
		}
		n.of = of
		return n
	case kindCompare, kindIn, kindInText:
	case kindConst, kindUnknown:
		return n
	}
	if n.symbol.means != "" {
		meaning := known(n.symbol.means)
		if (n.to.value.lo&1 == 1) != (n.op == equal) {
			return not(meaning)
		}
		return meaning
	}
	if n.symbol.needs != "" {
		return node{kind: kindAnd, of: []node{known(n.symbol.needs), n}}
	}
	return n
}

// known returns the meaning of an expression of the table of symbols, which a test holds to be right.
func known(text string) node {
	p := parser{lexer: lexer{rest: text}}
	return annotate(p.expression())
}
