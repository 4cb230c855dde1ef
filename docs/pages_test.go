package docs

import (
	"strings"
	"testing"
)

func TestPages(t *testing.T) {
	for _, c := range []struct {
		page  string
		has   []string
		lacks string
	}{
		{Rule("OVG003"), []string{"### OVG003 wider-than-identity (high)\n", "*Fix:*"}, "OVG004 narrower"},
		{Rule("OVG012"), []string{"### OVG012 duplicate-mac", "### OVG013 duplicate-ip", "*Fix:*"}, "### OVG011"},
		{Rule("OVG013"), []string{"### OVG012 duplicate-mac", "### OVG013 duplicate-ip"}, "### OVG014"},
		{Rule("OVG038"), []string{"### OVG038 grant-not-reserved"}, "## Classes"},
		{Check("OVGA12"), []string{"### OVGA12 address\nRefuses an address that another", "ID of its"}, "always, whatever"},
		{Check("OVGA01"), []string{"### OVGA01 too-much\n", "always, whatever"}, "OVGA02"},
	} {
		for _, part := range c.has {
			if !strings.Contains(c.page, part) {
				t.Errorf("%q is missing from\n%s", part, c.page)
			}
		}
		if strings.Contains(c.page, c.lacks) {
			t.Errorf("%q is in\n%s", c.lacks, c.page)
		}
	}
	if page := Rule("OVG999") + Rule("") + Check("OVGA99") + Check(""); page != "" {
		t.Errorf("a page about nothing: %s", page)
	}
}
