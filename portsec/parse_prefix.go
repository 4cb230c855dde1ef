package portsec

import (
	"fmt"
	"strings"
)

const noMAC = "it does not begin with a MAC of six octets joined by colons"

// parsePrefix reads an element as eras without WholeElements do: token after token as far as it makes sense. What
// follows the first bad token is silently lost, and a MAC that is left without addresses may send from any.
func parsePrefix(text string) Element {
	e := Element{Text: text}
	s := scanner{text: text}
	var ok bool
	if e.MAC, ok = s.mac(); !ok {
		return rejected(text, 0, noMAC)
	}
	end := s.at // of what is used
	skipped := -1
	for s.left() != "" {
		begin := s.at
		p, ok := s.cidr4()
		if !ok {
			// A bad IPv4 mask has moved the cursor, and an IPv6 address may follow it.
			moved := s.at
			if p, ok = s.cidr6(); !ok {
				break
			}
			if moved != begin && skipped < 0 {
				skipped = begin
			}
		}
		e.Addresses = append(e.Addresses, p)
		end = s.at
	}
	switch rest := text[end:]; {
	case skipped >= 0:
		e.Outcome, e.Offset = Truncated, skipped+leading(text[skipped:])
		e.Reason = fmt.Sprintf("the address at %q has a bad mask and is ignored", text[e.Offset:])
	case strings.Trim(rest, spaces) != "":
		e.Outcome, e.Offset = Truncated, end+leading(rest)
		e.Reason = fmt.Sprintf("%q is not an address, so it and everything after it is ignored", text[e.Offset:])
	}
	if e.Outcome == Truncated && len(e.Addresses) == 0 {
		e.Reason += ", and the MAC may use any address"
	}
	return e
}

// leading returns how many blanks a text begins with.
func leading(text string) int { return len(text) - len(strings.TrimLeft(text, spaces)) }
