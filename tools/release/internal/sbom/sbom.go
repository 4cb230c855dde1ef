// Package sbom lists what a binary was built from. A binary of Go goes in, which carries the list in itself; what comes
// out is a document of CycloneDX, the same for the same binary.
package sbom

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// Subject is what the document says of the binary, and what the binary does not.
type Subject struct {
	Name, Version, License string
	// Date is that of the commit.
	Date time.Time
}

// Write writes the document about a binary.
func Write(w io.Writer, s Subject, binary string) error {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return fmt.Errorf("read what %s was built from: %w", binary, err)
	}
	sum, err := archive.Sum(binary)
	if err != nil {
		return err
	}
	bom, err := Document(s, info, sum)
	if err != nil {
		return fmt.Errorf("%s: %w", binary, err)
	}
	return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).
		EncodeVersion(bom, cyclonedx.SpecVersion1_6)
}

// Document returns what a binary with this SHA-256 was built from.
func Document(s Subject, info *debug.BuildInfo, sum string) (*cyclonedx.BOM, error) {
	if info.Main.Path == "" || len(info.Deps) == 0 {
		return nil, errors.New("the binary names no modules: build it as a module, with the go command")
	}
	own := cyclonedx.Component{
		BOMRef: purl(info.Main.Path, s.Version), Type: cyclonedx.ComponentTypeApplication,
		Name: s.Name, Version: s.Version, PackageURL: purl(info.Main.Path, s.Version),
		Licenses:   &cyclonedx.Licenses{{License: &cyclonedx.License{ID: s.License}}},
		Hashes:     &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sum}},
		Properties: settings(info),
	}
	goVersion := strings.TrimPrefix(info.GoVersion, "go")
	standard := cyclonedx.Component{
		BOMRef: purl("std", goVersion), Type: cyclonedx.ComponentTypeLibrary,
		Name: "std", Version: goVersion, PackageURL: purl("std", goVersion),
	}
	components, refs := []cyclonedx.Component{standard}, []string{standard.BOMRef}
	for _, m := range info.Deps {
		c := componentOf(m)
		components, refs = append(components, c), append(refs, c.BOMRef)
	}
	slices.Sort(refs)
	slices.SortFunc(components, func(a, b cyclonedx.Component) int { return strings.Compare(a.BOMRef, b.BOMRef) })
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: s.Date.UTC().Format(time.RFC3339), Component: &own}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: own.BOMRef, Dependencies: &refs}}
	return bom, nil
}

// componentOf returns the component for a module; one that was replaced is that which took its place.
func componentOf(m *debug.Module) cyclonedx.Component {
	for m.Replace != nil {
		m = m.Replace
	}
	c := cyclonedx.Component{
		BOMRef: purl(m.Path, m.Version), Type: cyclonedx.ComponentTypeLibrary,
		Name: m.Path, Version: m.Version, PackageURL: purl(m.Path, m.Version),
	}
	if m.Sum != "" {
		// Go's own checksum is over the files of a module, so that it is no hash of one file.
		c.Properties = &[]cyclonedx.Property{{Name: "ovnguard:go:sum", Value: m.Sum}}
	}
	return c
}

// settings returns how the binary was built.
func settings(info *debug.BuildInfo) *[]cyclonedx.Property {
	var out []cyclonedx.Property
	for _, s := range info.Settings {
		if slices.Contains([]string{"GOOS", "GOARCH", "CGO_ENABLED"}, s.Key) {
			out = append(out, cyclonedx.Property{Name: "ovnguard:go:" + s.Key, Value: s.Value})
		}
	}
	slices.SortFunc(out, func(a, b cyclonedx.Property) int { return strings.Compare(a.Name, b.Name) })
	return &out
}

// purl returns the package URL of a module.
func purl(module, version string) string {
	url := "pkg:golang/" + strings.ReplaceAll(strings.ToLower(module), "+", "%2B")
	if version != "" {
		url += "@" + strings.ReplaceAll(version, "+", "%2B")
	}
	return url
}
