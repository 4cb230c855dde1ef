// Package archive writes archives that have the same bytes each time: their entries are sorted, belong to nobody, and
// bear the time that is given.
package archive

import (
	"archive/tar"
	"archive/zip"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Entry is a file or a directory of an archive.
type Entry struct {
	// Name is its path in the archive; that of a directory ends with a slash.
	Name string
	// Mode holds the permissions, and the sticky bit where it is set.
	Mode fs.FileMode
	Data []byte
	// From is a file on disk with the content, instead of Data.
	From string
}

// open returns the content of an entry, and its size.
func (e Entry) open() (io.ReadCloser, int64, error) {
	if e.From == "" {
		return io.NopCloser(strings.NewReader(string(e.Data))), int64(len(e.Data)), nil
	}
	f, err := os.Open(e.From)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// sorted returns the entries by name. Two of one name are an error.
func sorted(entries []Entry) ([]Entry, error) {
	out := slices.SortedFunc(slices.Values(entries), func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	for i := range out {
		if i > 0 && out[i].Name == out[i-1].Name {
			return nil, fmt.Errorf("two entries of an archive are called %s", out[i].Name)
		}
	}
	return out, nil
}

// Tar writes a tar archive.
func Tar(w io.Writer, at time.Time, entries []Entry) error {
	entries, err := sorted(entries)
	if err != nil {
		return err
	}
	t := tar.NewWriter(w)
	for _, e := range entries {
		if err := addTar(t, at, e); err != nil {
			return fmt.Errorf("archive %s: %w", e.Name, err)
		}
	}
	return t.Close()
}

func addTar(t *tar.Writer, at time.Time, e Entry) error {
	content, size, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: e.Name, Size: size, Mode: int64(e.Mode.Perm()), ModTime: at.UTC(),
		Format: tar.FormatUSTAR,
	}
	if strings.HasSuffix(e.Name, "/") {
		h.Typeflag = tar.TypeDir
	}
	if e.Mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(t, content)
	return err
}

// TarGzip writes a tar archive and compresses it.
func TarGzip(w io.Writer, at time.Time, entries []Entry) error {
	z, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := Tar(z, at, entries); err != nil {
		return err
	}
	return z.Close()
}

// Zip writes a zip archive.
func Zip(w io.Writer, at time.Time, entries []Entry) error {
	entries, err := sorted(entries)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, e := range entries {
		if err := addZip(z, at, e); err != nil {
			return fmt.Errorf("archive %s: %w", e.Name, err)
		}
	}
	return z.Close()
}

func addZip(z *zip.Writer, at time.Time, e Entry) error {
	content, _, err := e.open()
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate, Modified: at.UTC()}
	h.SetMode(e.Mode)
	out, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, content)
	return err
}

// Dir returns the files below a directory, with names below prefix. Hidden files are left out.
func Dir(dir, prefix string) ([]Entry, error) {
	var out []Entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if hidden := strings.HasPrefix(d.Name(), ".") && path != dir; hidden || d.IsDir() {
			if hidden && d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s: want regular files alone", path)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		// The umask of whoever has cloned the repository does not count.
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		out = append(out, Entry{Name: prefix + filepath.ToSlash(rel), Mode: mode, From: path})
		return nil
	})
	return out, err
}

// Write has a function write a file, which is there only when all went well.
func Write(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // it is gone where it was renamed
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Chmod(mode); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
