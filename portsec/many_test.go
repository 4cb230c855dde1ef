//go:build unix

package portsec_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
)

// A column may be as long as an annotation allows; comparing it must not take long.
func TestComparingManyAddressesIsQuick(t *testing.T) {
	var element strings.Builder
	element.WriteString(ownMAC)
	for i := range 5000 {
		fmt.Fprintf(&element, " 10.%d.%d.5 fd00::%x:5", i/200, i%200, i)
	}
	own := portsec.IdentitySet(identity(t, "10.0.0.5"))
	for _, era := range portsec.Eras() {
		begin := worked(t)
		set := portsec.Parse(era, []string{element.String()}).Set()
		if !set.Equal(set.Union(set)) || len(portsec.Excess(set, own)) != 2*5000-1 {
			t.Errorf("%s: the sets are compared wrongly", era)
		}
		if took := worked(t) - begin; took > 5*time.Second {
			t.Errorf("%s: comparing 10,000 addresses took %s", era, took)
		}
	}
}

// worked returns the processor time of this process, which does not grow with the machine's other load.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
