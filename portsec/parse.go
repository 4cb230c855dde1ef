package portsec

import (
	"fmt"
	"strings"
)

// Outcome says what became of an element.
type Outcome int

// Outcomes of an element.
const (
	// Accepted means that OVN uses the whole element.
	Accepted Outcome = iota
	// Truncated means that OVN uses what stands before the first word that it cannot read.
	Truncated
	// Rejected means that OVN uses nothing of it.
	Rejected
)

// Element is one element of a port_security column as one era reads it.
type Element struct {
	Text    string
	Outcome Outcome
	// Reason says why it is not accepted, and Offset is the byte where reading stopped.
	Reason string
	Offset int

	mac    MAC
	ranges []Range
}

// Column is a port_security column as one era reads it.
type Column struct {
	Era      Era
	Elements []Element
}

// Parse reads a column as OVN of the era does.
func Parse(era Era, column []string) Column {
	c := Column{Era: era, Elements: make([]Element, 0, len(column))}
	for _, text := range column {
		if era == E3 {
			c.Elements = append(c.Elements, parseWords(text))
		} else {
			c.Elements = append(c.Elements, parsePrefix(text))
		}
	}
	return c
}

// parsePrefix reads an element as E0 to E2 do: as far as it makes sense, one token after the other.
func parsePrefix(text string) Element {
	e := Element{Text: text}
	s := scanner{text: text}
	var ok bool
	if e.mac, ok = s.mac(); !ok {
		e.Outcome, e.Reason = Rejected, "it does not begin with a MAC"
		return e
	}
	for s.left() != "" {
		if r, ok := s.cidr4(); ok {
			e.ranges = append(e.ranges, r)
			continue
		}
		if r, ok := s.cidr6(); ok {
			e.ranges = append(e.ranges, r)
			continue
		}
		break
	}
	if strings.Trim(s.left(), spaces) != "" {
		e.Outcome, e.Offset = Truncated, s.at
		e.Reason = fmt.Sprintf("%q cannot be read as an address, and nothing after it counts", s.left())
	}
	return e
}

// parseWords reads an element as E3 does: word by word, all or nothing. VRRPv3 elements are not known yet and count as
// rejected, which makes them a finding and never a gap.
func parseWords(text string) Element {
	e := Element{Text: text}
	s := scanner{text: text}
	var ok bool
	if e.mac, ok = s.mac(); !ok {
		e.Outcome, e.Reason = Rejected, "it does not begin with a MAC"
		return e
	}
	at := s.at
	for word := range strings.SplitSeq(s.left(), " ") {
		if word != "" {
			r, ok := parseWord(word)
			if !ok {
				return Element{
					Text: text, Outcome: Rejected, Offset: at,
					Reason: fmt.Sprintf("%q cannot be read as an address, and the whole element is dropped for it", word),
				}
			}
			e.ranges = append(e.ranges, r)
		}
		at += len(word) + 1
	}
	return e
}

func parseWord(word string) (Range, bool) {
	s := scanner{text: word}
	if r, ok := s.cidr4(); ok && s.left() == "" {
		return r, true
	}
	s = scanner{text: word}
	r, ok := s.cidr6()
	if !ok || s.left() != "" {
		return Range{}, false
	}
	if r.Addr().Is4In6() {
		// An IPv4-mapped address is taken for IPv4 with the length as written, which therefore must fit.
		_, length, _ := strings.Cut(word, "/")
		n := scanner{text: length}
		bits, ok := n.integer(10)
		if !ok || bits < 0 || bits > 32 {
			return Range{}, false
		}
		return newRange(r.Addr().Unmap(), int(bits)), true
	}
	return r, true
}
