package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/ovnguard/ovnguard/tools/release/internal/oci"
)

// imageFile writes an image for linux/amd64 and returns its path and what its program holds.
func imageFile(t *testing.T) (path string, program []byte) {
	t.Helper()
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	var out bytes.Buffer
	if err := binary.Write(&out, binary.LittleEndian, &h); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "program")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := oci.ParseBinary("linux/amd64=" + file)
	if err != nil {
		t.Fatal(err)
	}
	index, err := oci.Index(oci.Program{Name: "ovnguard", Version: "v1.2.3", Date: time.Unix(1e9, 0)}, []oci.Binary{b})
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("registry.example.com/ovnguard:v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "image.tar")
	if err := oci.WriteLayout(path, tag, time.Unix(1e9, 0), index); err != nil {
		t.Fatal(err)
	}
	return path, out.Bytes()
}

// The image is pushed with its own tag, and the program comes out of it as it went in.
func TestLoad(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	image, program := imageFile(t)
	repository := strings.TrimPrefix(s.URL, "http://") + "/guard"
	var out, errs bytes.Buffer
	if code := mainCode([]string{"push", image, repository}, &out, &errs); code != 0 ||
		!strings.HasPrefix(out.String(), "pushed "+repository+":v1.2.3\nby digest: "+repository+"@sha256:") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
	tag, err := name.NewTag(repository + ":v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Index(tag); err != nil {
		t.Error(err)
	}
	file := filepath.Join(t.TempDir(), "kubectl-ovnguard")
	if code := mainCode([]string{"extract", image, "linux/amd64", file}, &out, &errs); code != 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	if data, err := os.ReadFile(file); err != nil || !bytes.Equal(data, program) {
		t.Errorf("%v: %d bytes of %d", err, len(data), len(program))
	}
}

func TestLoadFails(t *testing.T) {
	image, _ := imageFile(t)
	for want, args := range map[string][]string{
		"usage: ovnguard-load push": nil, "ovnguard-load extract": {"push", image}, "usage": {"pull", image, "localhost/a"},
		"no such file": {"push", "/nonexistent", "localhost/a"}, "HOST/REPOSITORY": {"push", image, "guard"},
		"only for linux/amd64": {"extract", image, "linux/s390x", "/nonexistent/a"},
		"/nonexistent":         {"extract", image, "linux/amd64", "/nonexistent/a"},
	} {
		var out, errs bytes.Buffer
		code := mainCode(args, &out, &errs)
		wrong := len(args) < 3 || args[0] == "pull"
		if !strings.Contains(errs.String(), want) || code != map[bool]int{true: 2, false: 1}[wrong] {
			t.Errorf("%v: exit code %d, %q", args, code, errs.String())
		}
	}
}
