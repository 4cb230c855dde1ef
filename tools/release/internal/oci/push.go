package oci

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// ParseTarget reads HOST/REPO or HOST/REPO:TAG; without a tag the one that is given counts.
func ParseTarget(text, tag string) (name.Tag, error) {
	host, _, found := strings.Cut(text, "/")
	if !found || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return name.Tag{}, fmt.Errorf("%q: want HOST/REPOSITORY, such as registry.example.com/ovnguard or "+
			"localhost:5000/ovnguard", text)
	}
	return name.NewTag(text, name.WithDefaultTag(tag))
}

// Push writes an image to a registry and returns the reference by digest. The credentials are those of docker login. A
// registry on loopback or at a private address may be without TLS.
func Push(ctx context.Context, target name.Tag, index v1.ImageIndex) (name.Digest, error) {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(target, index, options...); err != nil {
		return name.Digest{}, fmt.Errorf("push to %s: %w", target.Name(), err)
	}
	digest, err := index.Digest()
	if err != nil {
		return name.Digest{}, err
	}
	return target.Digest(digest.String()), nil
}
