package sbom

import (
	"bytes"
	"debug/buildinfo"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

var subject = Subject{
	Name: "ovnguard", Version: "v1.2.3", License: "Apache-2.0", Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
}

// The document about a real binary has each of its modules once, and is the same each time.
func TestDocumentOfABinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "program")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/ovnguard-load")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var first, second bytes.Buffer
	for _, w := range []*bytes.Buffer{&first, &second} {
		if err := Write(w, subject, binary); err != nil {
			t.Fatal(err)
		}
	}
	if first.String() != second.String() {
		t.Error("the document differs from one time to the next")
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(&first, cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	own := bom.Metadata.Component
	sum, err := archive.Sum(binary)
	if err != nil || (*own.Hashes)[0].Value != sum || (*own.Licenses)[0].License.ID != "Apache-2.0" ||
		bom.Metadata.Timestamp != "2030-01-02T03:04:05Z" || bom.SpecVersion != cyclonedx.SpecVersion1_6 {
		t.Errorf("%v: %+v", err, own)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range info.Deps {
		if !slices.ContainsFunc(*bom.Components, func(c cyclonedx.Component) bool {
			return c.Name == m.Path && c.Version == m.Version && strings.HasPrefix(c.PackageURL, "pkg:golang/")
		}) {
			t.Errorf("%s %s is missing", m.Path, m.Version)
		}
	}
	if len(*bom.Components) != len(info.Deps)+1 || len(*(*bom.Dependencies)[0].Dependencies) != len(info.Deps)+1 {
		t.Errorf("%d components, %d modules and the standard library", len(*bom.Components), len(info.Deps))
	}
	for _, c := range *bom.Components {
		if !slices.Contains(*(*bom.Dependencies)[0].Dependencies, c.BOMRef) {
			t.Errorf("nothing depends on %s", c.BOMRef)
		}
	}
}

func TestDocument(t *testing.T) {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Path: "example.com/own"},
		Deps: []*debug.Module{
			{Path: "example.com/Z", Version: "v2.0.0+incompatible", Sum: "h1:abc="},
			{
				Path:    "example.com/a",
				Version: "v1.0.0",
				Replace: &debug.Module{Path: "example.com/b", Version: "v3.0.0"},
			},
		},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}, {Key: "vcs.time", Value: "now"}},
	}
	bom, err := Document(subject, info, strings.Repeat("a", 64))
	if err != nil {
		t.Fatal(err)
	}
	var urls []string
	for _, c := range *bom.Components {
		urls = append(urls, c.PackageURL)
	}
	want := []string{
		"pkg:golang/example.com/b@v3.0.0", "pkg:golang/example.com/z@v2.0.0%2Bincompatible", "pkg:golang/std@1.26.8",
	}
	if !slices.Equal(urls, want) {
		t.Errorf("%q, want %q", urls, want)
	}
	if p := *bom.Metadata.Component.Properties; len(p) != 1 || p[0].Value != "linux" {
		t.Errorf("%+v", p)
	}
	if _, err := Document(subject, &debug.BuildInfo{}, ""); err == nil {
		t.Error("a binary without modules has a document")
	}
	if err := Write(&bytes.Buffer{}, subject, "/etc/hostname"); err == nil {
		t.Error("what is no binary has a document")
	}
}
