package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// Extract writes the program of the image for a platform to a file.
func Extract(index v1.ImageIndex, platform v1.Platform, file string) (err error) {
	image, err := imageFor(index, platform)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	if len(config.Config.Entrypoint) != 1 {
		return fmt.Errorf("the entry point of the image is %q, want one program", config.Config.Entrypoint)
	}
	program := strings.TrimPrefix(config.Config.Entrypoint[0], "/")
	content := mutate.Extract(image)
	defer func() { err = errors.Join(err, content.Close()) }()
	t := tar.NewReader(content)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the image has no file %s, which is its entry point", program)
		}
		if err != nil {
			return fmt.Errorf("read the image: %w", err)
		}
		if h.Typeflag == tar.TypeReg && h.Name == program {
			return archive.Write(file, 0o755, func(w io.Writer) error {
				_, err := io.CopyN(w, t, h.Size)
				return err
			})
		}
	}
}

// imageFor returns the image for a platform.
func imageFor(index v1.ImageIndex, platform v1.Platform) (v1.Image, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var has []string
	for _, m := range manifest.Manifests {
		if m.Platform != nil && m.Platform.Satisfies(platform) {
			return index.Image(m.Digest)
		}
		has = append(has, m.Platform.String())
	}
	return nil, fmt.Errorf("the image is not for %s, only for %s", platform, strings.Join(has, ", "))
}
