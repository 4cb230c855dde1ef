package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/portsec"
)

// frameEras are the flags by which one says which OVN enforces.
type frameEras struct {
	version string
	release string
	era     string
}

func (e *frameEras) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&e.version, "ovn-version", "", "version of OVN that enforces, such as 23.03.1; default: every era")
	addKubeOVNFlag(flags, &e.release)
	flags.StringVar(&e.era, "era", "", "era of OVN that enforces: E0, E1, E2, E2a, E2b or E3")
}

// list returns the eras that may be the ones that enforce.
func (e *frameEras) list() ([]portsec.Era, error) {
	if err := checkRelease(e.release); err != nil {
		return nil, err
	}
	switch {
	case e.release != "" && e.version == "":
		return nil, errors.New(
			"--kube-ovn-release: it narrows what a version may be: give --ovn-version as well, as ovn_version or " +
				"northd_internal_version have it",
		)
	case e.era != "" && e.version != "":
		return nil, errors.New("--era and --ovn-version: give one of them")
	case e.era != "":
		era, err := portsec.ParseEra(e.era)
		if err != nil {
			return nil, fmt.Errorf("--%w", err)
		}
		return []portsec.Era{era}, nil
	case e.version != "":
		if _, _, err := portsec.EraOf(e.version); err != nil {
			return nil, fmt.Errorf("--ovn-version: %w", err)
		}
		return builtFor(e.version, e.release).Eras(), nil
	}
	return portsec.Eras(), nil
}
