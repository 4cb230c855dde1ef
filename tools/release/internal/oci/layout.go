package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// Annotations of a layout's index, which say how an image is called: by containerd in full, by others by the tag.
const (
	annotationName = "io.containerd.image.name"
	annotationTag  = "org.opencontainers.image.ref.name"
)

// WriteLayout writes an image as an OCI image layout in one tar archive, which containerd imports by this name.
func WriteLayout(path string, image name.Tag, at time.Time, index v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "ovnguard-layout-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	err = l.AppendIndex(index, layout.WithAnnotations(map[string]string{
		annotationName: image.Name(), annotationTag: image.TagStr(),
	}))
	if err != nil {
		return err
	}
	files, err := archive.Dir(dir, "")
	if err != nil {
		return err
	}
	for i := range files {
		files[i].Mode = 0o644
	}
	return archive.Write(path, 0o644, func(w io.Writer) error { return archive.Tar(w, at, files) })
}

// Layout is an image layout that was unpacked.
type Layout struct {
	// Name is what the layout calls the image.
	Name  name.Tag
	Index v1.ImageIndex
	dir   string
}

// Close removes what was unpacked.
func (l *Layout) Close() error { return os.RemoveAll(l.dir) }

// ReadLayout reads an archive that WriteLayout wrote. Close must be called.
func ReadLayout(path string) (_ *Layout, err error) {
	dir, err := os.MkdirTemp("", "ovnguard-layout-*")
	if err != nil {
		return nil, err
	}
	l := &Layout{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	if err := unpack(path, dir); err != nil {
		return nil, fmt.Errorf("unpack %s: %w", path, err)
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, fmt.Errorf("%s holds no image layout: %w", path, err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds %d images, want one", path, len(manifest.Manifests))
	}
	inner := manifest.Manifests[0]
	if l.Name, err = name.NewTag(inner.Annotations[annotationName]); err != nil {
		return nil, fmt.Errorf("%s: annotation %s: %w", path, annotationName, err)
	}
	l.Index, err = outer.ImageIndex(inner.Digest)
	return l, err
}

// unpack unpacks the regular files of a tar archive below a directory.
func unpack(path, dir string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	t := tar.NewReader(f)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(root, h.Name, t); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, content); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
