package oci

import (
	"debug/elf"
	"fmt"
)

// machines are the processors of binaries, as Go calls them.
var machines = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// checkBinary says why a binary does not run on an empty base of its platform: another processor, or an interpreter,
// which loads shared libraries.
func checkBinary(b Binary) error {
	if b.Platform.OS != "linux" {
		return fmt.Errorf("%s: want linux: containers have no other base here", b.Platform.OS)
	}
	f, err := elf.Open(b.Path)
	if err != nil {
		return fmt.Errorf("%s is no binary for Linux: %w", b.Path, err)
	}
	defer func() { _ = f.Close() }()
	if got := machines[f.Machine]; got != b.Platform.Architecture {
		return fmt.Errorf("%s is for %v, not for %s", b.Path, f.Machine, b.Platform.Architecture)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", b.Path)
		}
	}
	return nil
}
