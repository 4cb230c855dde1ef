// Package oci builds the container image: a static binary on an empty base, for several platforms. Binaries go in; what
// comes out is an OCI image layout in one tar archive, with the same bytes for the same binaries, or an image in a
// registry.
package oci

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// user is the user and the group of the program. Kubernetes sees from a number that it is not root.
const user = "65532:65532"

// Program is what an image has.
type Program struct {
	// Name is that of the binary in the root directory, and its entry point.
	Name, Title, Description string
	// Source is the address of the repository.
	Source, License string
	Version, Commit string
	// Date is that of the commit. Files and images bear it, so that they are the same whenever they are built.
	Date time.Time
}

// Binary is the program for a platform.
type Binary struct {
	Platform v1.Platform
	Path     string
}

// ParseBinary reads OS/ARCH=PATH.
func ParseBinary(text string) (Binary, error) {
	platform, path, found := strings.Cut(text, "=")
	os, arch, both := strings.Cut(platform, "/")
	if !found || !both || os == "" || arch == "" || path == "" || strings.Contains(arch, "/") {
		return Binary{}, fmt.Errorf("%q: want OS/ARCH=PATH, such as linux/amd64=bin/ovnguard", text)
	}
	return Binary{v1.Platform{OS: os, Architecture: arch}, path}, nil
}

// labels returns the labels by which people and tools tell where an image is from.
func (p Program) labels() map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "title":       p.Title,
		prefix + "description": p.Description,
		prefix + "source":      p.Source,
		prefix + "licenses":    p.License,
		prefix + "version":     p.Version,
		prefix + "revision":    p.Commit,
		prefix + "created":     p.Date.UTC().Format(time.RFC3339),
	}
}

// Index returns the image of the program for all platforms.
func Index(p Program, binaries []Binary) (v1.ImageIndex, error) {
	if len(binaries) == 0 {
		return nil, errors.New("an image needs a binary")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	seen := make(map[string]bool)
	for _, b := range binaries {
		platform := b.Platform.String()
		if seen[platform] {
			return nil, fmt.Errorf("two binaries are for %s", platform)
		}
		seen[platform] = true
		image, err := imageOf(p, b)
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", b.Platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &b.Platform},
		})
	}
	annotated, ok := mutate.Annotations(index, p.labels()).(v1.ImageIndex)
	if !ok {
		return nil, errors.New("an index with annotations is no index any more")
	}
	return annotated, nil
}

// imageOf returns the image for one platform.
func imageOf(p Program, b Binary) (v1.Image, error) {
	if err := checkBinary(b); err != nil {
		return nil, err
	}
	layer, err := layerOf(p, b)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History: v1.History{
			Created:   v1.Time{Time: p.Date.UTC()},
			CreatedBy: "make image",
			Comment:   p.Name + " " + p.Version,
		},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = b.Platform.OS, b.Platform.Architecture, b.Platform.Variant
	config.Created = v1.Time{Time: p.Date.UTC()}
	config.Config = v1.Config{
		Entrypoint: []string{"/" + p.Name}, User: user, WorkingDir: "/", Env: []string{"PATH=/"}, Labels: p.labels(),
	}
	return mutate.ConfigFile(image, config)
}

// layerOf returns the only layer of an image: the binary, and a directory for temporary files.
func layerOf(p Program, b Binary) (v1.Layer, error) {
	var plain bytes.Buffer
	err := archive.Tar(&plain, p.Date, []archive.Entry{
		{Name: "tmp/", Mode: 0o777 | fs.ModeSticky},
		{Name: p.Name, Mode: 0o755, From: b.Path},
	})
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestCompression),
	)
}
