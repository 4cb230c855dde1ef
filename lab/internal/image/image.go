// Package image packs a static program into a container image, in a tar file that containerd imports without a
// registry.
package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// nameAnnotation is where containerd looks for the name of an image in a layout.
const nameAnnotation = "io.containerd.image.name"

// user is the unprivileged user of the images, "user:group".
const user = "65532:65532"

// Image is an image with one program.
type Image struct {
	// Reference is its whole name, such as "lab.local/pause:1".
	Reference string
	// Binary is the path of a static program for this machine's processor.
	Binary string
	// Arguments come before those of the container.
	Arguments []string
}

// WriteTar writes the image as an OCI layout in a tar file for `ctr images import`. The same program gives the same
// bytes.
func (i Image) WriteTar(path string) (err error) {
	packed, err := i.pack()
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	name := layout.WithAnnotations(map[string]string{nameAnnotation: i.Reference})
	if err := at.AppendImage(packed, name); err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	if err := archive(dir, path); err != nil {
		return fmt.Errorf("image %s: %w", i.Reference, err)
	}
	return nil
}

// pack returns the image: an empty base, the program, and a directory for temporary files.
func (i Image) pack() (v1.Image, error) {
	program, err := os.ReadFile(i.Binary)
	if err != nil {
		return nil, err
	}
	name := filepath.Base(i.Binary)
	content, err := files(name, program)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	packed, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, err
	}
	config, err := packed.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{
		Entrypoint: append([]string{"/" + name}, i.Arguments...), User: user, WorkingDir: "/", Env: []string{"PATH=/"},
	}
	return mutate.ConfigFile(packed, config)
}

// files returns the tar of the only layer.
func files(name string, program []byte) ([]byte, error) {
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	for _, header := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777, Format: tar.FormatUSTAR},
		{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: int64(len(program)), Format: tar.FormatUSTAR},
	} {
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

// archive puts the files of a directory into a tar file, in the order of their names.
func archive(dir, path string) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := tar.NewWriter(file)
	err = filepath.WalkDir(dir, func(from string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, from)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	return errors.Join(err, w.Close())
}
