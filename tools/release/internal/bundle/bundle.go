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
}

// Bundle says what the archive holds.
type Bundle struct {
	// Name is that of the directory in the archive.
	Name  string
	Date  time.Time
	Parts []Part
	// Chart is the directory of the chart; empty where there is none.
	Chart string
	// Limit is how many bytes the archive may have.
	Limit int64
}

// ErrTooLarge means that an archive is larger than its limit.
var ErrTooLarge = errors.New("the bundle is too large")

// Write writes the bundle and returns its size.
func (b Bundle) Write(file string) (int64, error) {
	entries := []archive.Entry{{Name: "load.sh", Mode: 0o755, Data: loadScript}}
	for _, p := range b.Parts {
		for _, f := range p.Files {
			name := path.Join(p.Directory, filepath.Base(f))
			entries = append(entries, archive.Entry{Name: name, Mode: p.Mode, From: f})
		}
	}
	if b.Chart != "" {
		chart, err := PackChart(b.Chart, b.Date)
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

// chartFile is what is read of Chart.yaml.
type chartFile struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// PackChart returns the chart in a directory, named and laid out as helm package does it.
func PackChart(dir string, at time.Time) (archive.Entry, error) {
	text, err := os.ReadFile(filepath.Join(dir, "Chart.yaml"))
	if err != nil {
		return archive.Entry{}, err
	}
	var c chartFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		return archive.Entry{}, fmt.Errorf("%s/Chart.yaml: %w", dir, err)
	}
	if c.Name == "" || c.Version == "" {
		return archive.Entry{}, fmt.Errorf("%s/Chart.yaml: name and version are required", dir)
	}
	files, err := archive.Dir(dir, c.Name+"/")
	if err != nil {
		return archive.Entry{}, err
	}
	var packed bytes.Buffer
	if err := archive.TarGzip(&packed, at, files); err != nil {
		return archive.Entry{}, err
	}
	return archive.Entry{
		Name: fmt.Sprintf("chart/%s-%s.tgz", c.Name, c.Version), Mode: 0o644, Data: packed.Bytes(),
	}, nil
}
