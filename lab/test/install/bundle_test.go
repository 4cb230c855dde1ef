//go:build install

package install

import (
	"context"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// only returns the one file that a pattern matches.
func only(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v, want one file", pattern, files, err)
	}
	return files[0]
}

// command runs a program and returns its output.
func command(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// testBundle installs the chart of the bundle, with the image that load.sh pushed to a registry: the nodes have it from
// nowhere else. The bundle is for this machine alone; `make bundle` packs all platforms with the same code.
func testBundle(t *testing.T) {
	packed := os.Getenv("OVNGUARD_BUNDLE")
	if found, err := filepath.Glob(packed + "/*-bundle.tar.gz"); packed == "" || err != nil || len(found) == 0 {
		t.Skip("OVNGUARD_BUNDLE names no directory with a bundle: run `make test-install` in a clone")
	}
	dir := t.TempDir()
	command(t, "tar", "-xzf", only(t, packed+"/*-bundle.tar.gz"), "-C", dir)
	load := only(t, dir+"/*/load.sh")

	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	end, err := world.Lab.ServeRegistry(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	said := command(t, load, "--push", server.Listener.Addr().String()+"/mirror/ovnguard")
	_, digest, found := strings.Cut(strings.TrimSpace(said), "@")
	if !found {
		t.Fatalf("load.sh --push says no digest: %s", said)
	}

	from := only(t, filepath.Dir(load)+"/chart/*.tgz")
	installReady(t, func(ctx context.Context, _ string) error {
		return helm(ctx, "install", release, from, "--create-namespace",
			"--set", "global.registry.address="+up.Registry+"/mirror")
	})
	for node, pod := range pods(t, system, appLabel) {
		is := pod.Status.ContainerStatuses[0]
		if want := up.Registry + "/mirror/ovnguard:v"; !strings.HasPrefix(pod.Spec.Containers[0].Image, want) {
			t.Errorf("the replica on %s has image %s, want one of %s", node, pod.Spec.Containers[0].Image, want)
		}
		if !strings.HasSuffix(is.ImageID, "@"+digest) {
			t.Errorf("the replica on %s runs %s, want what was pushed, %s", node, is.ImageID, digest)
		}
	}
	if err := helm(t.Context(), "test", release); err != nil {
		t.Error(err)
	}

	command(t, load, "--plugin", dir)
	version := command(t, dir+"/kubectl-ovnguard", "version", "--client")
	if tag := strings.TrimSuffix(
		strings.TrimPrefix(filepath.Base(from), "ovnguard-"),
		".tgz",
	); !strings.Contains(
		version,
		tag,
	) {
		t.Errorf("the plugin says %q, want version %s", version, tag)
	}
}
