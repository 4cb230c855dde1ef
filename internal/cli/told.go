package cli

import (
	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/layout"
)

// told are the flags that say what Kube-OVN's controller was told by arguments of the same names.
type told struct {
	router, nodeSwitch string
	keeps, second      bool
}

func (t *told) addFlags(flags *pflag.FlagSet) {
	const detected = "; default: the value that Kube-OVN's controller has"
	flags.StringVar(&t.router, layout.FlagRouter, "", "Kube-OVN's default VPC"+detected)
	flags.StringVar(&t.nodeSwitch, layout.FlagNodeSwitch, "", "Kube-OVN's subnet that connects nodes to pods"+detected)
	flags.BoolVar(&t.keeps, layout.FlagKeepVMIP, true, "whether machines keep their ports across their pods"+detected)
	flags.BoolVar(
		&t.second,
		layout.FlagNonPrimary,
		false,
		"whether another CNI makes the pods' default network"+detected,
	)
	for _, name := range []string{layout.FlagKeepVMIP, layout.FlagNonPrimary} {
		flags.Lookup(name).DefValue = ""
	}
}

// keepVMIP returns what was given; nil for nothing.
func (t *told) keepVMIP(flags *pflag.FlagSet) *bool {
	return given(flags, layout.FlagKeepVMIP, t.keeps)
}

// nonPrimary returns what was given; nil for nothing.
func (t *told) nonPrimary(flags *pflag.FlagSet) *bool {
	return given(flags, layout.FlagNonPrimary, t.second)
}

func given(flags *pflag.FlagSet, name string, value bool) *bool {
	if !flags.Changed(name) {
		return nil
	}
	return &value
}

// wanted returns what the flags say of Kube-OVN's layout.
func (t *told) wanted(flags *pflag.FlagSet, northbound string) layout.Wanted {
	return layout.Wanted{
		Router:     t.router,
		NodeSwitch: t.nodeSwitch,
		KeepVMIP:   t.keepVMIP(flags),
		NonPrimary: t.nonPrimary(flags),
		Northbound: northbound, NorthboundFrom: northboundFrom(flags, northbound),
	}
}
