// Package bundle packs all that is needed to install the program where there is no internet into one archive. Files
// that were built go in; the archive has the same bytes for the same files.
package bundle

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

//go:embed load.sh
var loadScript []byte

// SumsFile is the name of the file with the checksums.
const SumsFile = "SHA256SUMS"

// Part is a set of files that go into a directory of the bundle.
type Part struct {
	// Directory is that in the bundle; empty for its top.
	Directory string
	Mode      fs.FileMode
	// Files are paths on disk; they keep their names.
	Files []string
	// Manifests has the image that files name be that of the bundle.
	Manifests bool
}

// Bundle says what the archive holds.
type Bundle struct {
	// Name is that of the directory in the archive.
	Name string
	// Version is that of the program, such as v0.1.0. Chart and manifests bear it, and so ask for the image in the bundle.
	Version string
	Date    time.Time
	Parts   []Part
	// Chart is the directory of the chart; empty where there is none.
	Chart string
	// Limit is how many bytes the archive may have.
	Limit int64
}

// ErrTooLarge means that an archive is larger than its limit.
var ErrTooLarge = errors.New("the bundle is too large")

// imageTag finds the tag of the program's image in a manifest.
var imageTag = regexp.MustCompile(`(?m)^(\s*(?:- )?image: \S*/ovnguard:)\S+$`)

// Write writes the bundle and returns its size.
func (b Bundle) Write(file string) (int64, error) {
	entries := []archive.Entry{{Name: "load.sh", Mode: 0o755, Data: loadScript}}
	for _, p := range b.Parts {
		for _, f := range p.Files {
			entry := archive.Entry{Name: path.Join(p.Directory, filepath.Base(f)), Mode: p.Mode, From: f}
			if p.Manifests {
				text, err := os.ReadFile(f)
				if err != nil {
					return 0, err
				}
				entry.From, entry.Data = "", imageTag.ReplaceAll(text, []byte("${1}"+b.Version))
			}
			entries = append(entries, entry)
		}
	}
	if b.Chart != "" {
		chart, err := PackChart(b.Chart, b.Version, b.Date)
		if err != nil {
			return 0, err
		}
		entries = append(entries, chart)
	}
	sums, err := archive.Sums(entries)
	if err != nil {
		return 0, err
	}
	entries = append(entries, archive.Entry{Name: SumsFile, Mode: 0o644, Data: sums})
	for i := range entries {
		entries[i].Name = b.Name + "/" + entries[i].Name
	}
	err = archive.Write(file, 0o644, func(w io.Writer) error { return archive.TarGzip(w, b.Date, entries) })
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	if info.Size() > b.Limit {
		return info.Size(), fmt.Errorf("%w: %s has %d bytes, want at most %d", ErrTooLarge, file, info.Size(), b.Limit)
	}
	return info.Size(), nil
}

// chartMeta is the file of a chart with its name and its version.
const chartMeta = "Chart.yaml"

// PackChart returns the chart in a directory, named and laid out as helm package does it with --version and
// --app-version. The version is that of the program, such as v0.1.0.
func PackChart(dir, version string, at time.Time) (archive.Entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, chartMeta))
	if err != nil {
		return archive.Entry{}, err
	}
	var meta map[string]any
	if err := yaml.Unmarshal(text, &meta); err != nil {
		return archive.Entry{}, fmt.Errorf("%s/%s: %w", dir, chartMeta, err)
	}
	name, _ := meta["name"].(string)
	if name == "" {
		return archive.Entry{}, fmt.Errorf("%s/%s: name is required", dir, chartMeta)
	}
	version, found := strings.CutPrefix(version, "v")
	if !found {
		return archive.Entry{}, fmt.Errorf("version %q: want one that begins with v, as images are tagged", version)
	}
	meta["version"], meta["appVersion"] = version, version
	packedMeta, err := yaml.Marshal(meta)
	if err != nil {
		return archive.Entry{}, err
	}
	files, err := archive.Dir(dir, name+"/")
	if err != nil {
		return archive.Entry{}, err
	}
	for i := range files {
		if files[i].Name == name+"/"+chartMeta {
			files[i].From, files[i].Data = "", packedMeta
		}
	}
	var packed bytes.Buffer
	if err := archive.TarGzip(&packed, at, files); err != nil {
		return archive.Entry{}, err
	}
	return archive.Entry{
		Name: fmt.Sprintf("chart/%s-%s.tgz", name, version), Mode: 0o644, Data: packed.Bytes(),
	}, nil
}
