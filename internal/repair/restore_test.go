package repair

import (
	"maps"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Whatever old content of a row the journal has, an undo writes nothing that Kube-OVN would not write for the pod.
func TestThreatT48RestoreGivesNothingOfOthers(t *testing.T) {
	columns := func(elements ...string) *[]string { return &elements }
	ids := func(changes map[string]string) *map[string]string {
		out := map[string]string{"vendor": "kube-ovn", "pod": "ns/p"}
		maps.Copy(out, changes)
		maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
		return &out
	}
	vips := func(p *inventory.Port) {
		p.Pod.Annotations = map[string]string{ps: "true", kubeovn.DefaultProvider.Key(kubeovn.PortVIPs): "10.16.0.9,x"}
	}
	forwards := func(p *inventory.Port) {
		p.Pod.Annotations = map[string]string{kubeovn.DefaultProvider.Key(kubeovn.Layer2Forward): "true"}
	}
	wide := func(p *inventory.Port) { p.Row.PortSecurity = []string{own + " 10.20.0.0/24"} }
	for name, c := range map[string]struct {
		change func(*inventory.Port)
		open   bool // the annotation asks for nothing
		to     Columns
		column string   // the refused part
		words  []string // of the refusal; none where it is restored
	}{
		"nothing":          {change: func(p *inventory.Port) { p.Record = nil }},
		"the identity":     {change: open, to: Columns{PortSecurity: columns(own)}},
		"open":             {open: true, to: Columns{PortSecurity: columns()}},
		"less than it has": {change: wide, to: Columns{PortSecurity: columns(own + " 10.20.0.7")}},
		"its VIP":          {change: vips, to: Columns{PortSecurity: columns(own + " 10.16.0.9")}},
		"open under an annotation that asks for port security": {
			to: Columns{PortSecurity: columns()}, column: "port_security", words: []string{"empty", ps},
		},
		"somebody's VIP": {
			to: Columns{PortSecurity: columns(own + " 10.16.0.9")}, column: "port_security", words: []string{"10.16.0.9"},
		},
		"the MAC alone": {
			to: Columns{PortSecurity: columns(mac)}, column: "port_security", words: []string{"any"},
		},
		"somebody's MAC": {
			open: true, to: Columns{PortSecurity: columns(own, "0a:00:00:00:00:99 10.16.0.5")}, column: "port_security",
			words: []string{"0a:00:00:00:00:99"},
		},
		"somebody's MAC on an open row": {
			change: open, open: true, to: Columns{PortSecurity: columns("0a:00:00:00:00:99")}, column: "port_security",
			words: []string{"0a:00:00:00:00:99"},
		},
		"what OVN cannot read": {
			open: true, to: Columns{PortSecurity: columns("unknown")}, column: "port_security",
			words: []string{"as port security"},
		},
		"a row that is not proved": {
			change: func(p *inventory.Port) { p.Row.ExternalIDs = nil }, to: Columns{PortSecurity: columns(own)},
			words: []string{"row r is not proved"},
		},
		"without an IP resource": {
			change: func(p *inventory.Port) { p.Record = nil }, to: Columns{Addresses: columns(own)},
			words: []string{"no IP resource"},
		},
		"its addresses":            {to: Columns{Addresses: columns(own)}},
		"unknown that it asks for": {change: forwards, to: Columns{Addresses: columns(own, "unknown")}},
		"unknown that it has":      {change: unknown, to: Columns{Addresses: columns("unknown", own)}},
		"unknown": {
			to: Columns{Addresses: columns(own, "unknown")}, column: "addresses", words: []string{"unknown"},
		},
		"somebody's addresses": {
			to: Columns{Addresses: columns(mac + " 10.16.0.6")}, column: "addresses", words: []string{"10.16.0.6"},
		},
		"no addresses": {to: Columns{Addresses: columns()}, column: "addresses", words: []string{own}},
		"its marks":    {to: Columns{ExternalIDs: ids(nil)}},
		"no marks":     {to: Columns{ExternalIDs: ids(map[string]string{"vendor": "", "pod": ""})}},
		"another pod's mark": {
			to: Columns{ExternalIDs: ids(map[string]string{"pod": "ns/other"})}, column: "external_ids",
			words: []string{"ns/other", "ns/p"},
		},
		"a security group": {
			to:     Columns{ExternalIDs: ids(map[string]string{"associated_sg_a": "true"})},
			column: "external_ids", words: []string{"associated_sg_a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := port()
			if c.change != nil {
				c.change(&p)
			}
			column, err := Restore(p, !c.open, c.to)
			if (err != nil) != (c.words != nil) || column != c.column {
				t.Fatalf("%q: %v, want %q of %q", column, err, c.words, c.column)
			}
			for _, word := range c.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
		})
	}
}
