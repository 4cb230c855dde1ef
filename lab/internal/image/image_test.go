package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

func pack(t *testing.T, content string) (tarFile string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "program")
	if err := os.WriteFile(binary, []byte(content), 0o700); err != nil {
		t.Fatal(err)
	}
	i := Image{Reference: "lab.local/program:1", Binary: binary, Arguments: []string{"serve"}}
	if err := i.WriteTar(filepath.Join(dir, "out.tar")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "out.tar")
}

func TestTarIsALayoutWithTheProgram(t *testing.T) {
	dir := t.TempDir()
	unpack(t, pack(t, "content"), dir)
	at, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	index, err := at.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(manifest.Manifests); n != 1 {
		t.Fatalf("%d images", n)
	}
	if got := manifest.Manifests[0].Annotations["io.containerd.image.name"]; got != "lab.local/program:1" {
		t.Errorf("containerd would call it %q", got)
	}
	packed, err := at.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	config, err := packed.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	entry, err := json.Marshal(config.Config.Entrypoint)
	if err != nil {
		t.Fatal(err)
	}
	if string(entry) != `["/program","serve"]` || config.Config.User != "65532:65532" {
		t.Errorf("it would run %s as %s", entry, config.Config.User)
	}
	checkLayer(t, packed)
}

func checkLayer(t *testing.T, packed v1.Image) {
	t.Helper()
	layers, err := packed.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]int64{}
	for r := tar.NewReader(content); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[header.Name] = header.Mode
	}
	if modes["program"] != 0o755 || modes["tmp/"] != 0o1777 || len(modes) != 2 {
		t.Errorf("files by mode: %v", modes)
	}
}

func TestSameProgramGivesTheSameBytes(t *testing.T) {
	read := func(path string) []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	one := read(pack(t, "content"))
	if !bytes.Equal(one, read(pack(t, "content"))) {
		t.Error("two tars of one program differ")
	}
	if bytes.Equal(one, read(pack(t, "other"))) {
		t.Error("the tars of two programs are the same")
	}
}

func unpack(t *testing.T, from, to string) {
	t.Helper()
	file, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for r := tar.NewReader(file); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, header.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
