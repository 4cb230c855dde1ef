package oci

import v1 "github.com/google/go-containerregistry/pkg/v1"

// Sizes returns how many bytes a node downloads for each platform, in the order of the index.
func Sizes(index v1.ImageIndex) ([]int64, error) {
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	var out []int64
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			return nil, err
		}
		layers, err := image.Layers()
		if err != nil {
			return nil, err
		}
		size := m.Size
		for _, l := range layers {
			s, err := l.Size()
			if err != nil {
				return nil, err
			}
			size += s
		}
		out = append(out, size)
	}
	return out, nil
}
