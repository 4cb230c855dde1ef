package rows

import (
	"testing"

	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Only a column that says false disables a port: an empty one means enabled.
func TestDisabled(t *testing.T) {
	on, off := true, false
	for _, c := range []struct {
		enabled *bool
		want    bool
	}{{nil, false}, {&on, false}, {&off, true}} {
		if got := Of(&ovn.Port{Enabled: c.enabled}).Disabled; got != c.want {
			t.Errorf("enabled %v: disabled %v", c.enabled, got)
		}
	}
}
