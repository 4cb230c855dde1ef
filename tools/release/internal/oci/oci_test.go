package oci

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
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

var program = Program{
	Name: "ovnguard", Title: "ovnguard", Description: "what it does", Source: "https://example.com/ovnguard",
	License: "Apache-2.0", Version: "v1.2.3", Commit: "0123456789abcdef",
	Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600)),
}

// binaryFor writes the header of a binary for Linux, with this content after it, and returns its path. interpreted is
// for a binary that loads shared libraries.
func binaryFor(t *testing.T, machine elf.Machine, interpreted bool, content string) string {
	t.Helper()
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(
		elf.ELFCLASS64,
	), byte(
		elf.ELFDATA2LSB,
	), byte(
		elf.EV_CURRENT,
	)
	var out bytes.Buffer
	parts := []any{&h}
	if interpreted {
		h.Phoff, h.Phnum = 64, 1
		parts = append(parts, &elf.Prog64{Type: uint32(elf.PT_INTERP)})
	}
	for _, p := range parts {
		if err := binary.Write(&out, binary.LittleEndian, p); err != nil {
			t.Fatal(err)
		}
	}
	out.WriteString(content)
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// both returns binaries for both platforms.
func both(t *testing.T) []Binary {
	t.Helper()
	return []Binary{
		{v1.Platform{OS: "linux", Architecture: "amd64"}, binaryFor(t, elf.EM_X86_64, false, "for amd64")},
		{v1.Platform{OS: "linux", Architecture: "arm64"}, binaryFor(t, elf.EM_AARCH64, false, "for arm64")},
	}
}

func index(t *testing.T, binaries []Binary) v1.ImageIndex {
	t.Helper()
	out, err := Index(program, binaries)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// An image runs as nobody, says where it is from, and has the binary and nothing else that runs.
func TestImage(t *testing.T) {
	all := index(t, both(t))
	manifest, err := all.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 {
		t.Fatalf("%v: %+v", err, manifest)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		if got := manifest.Manifests[i].Platform.String(); got != "linux/"+arch {
			t.Errorf("image %d is for %s", i, got)
		}
		image, err := all.Image(manifest.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		c, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if c.OS != "linux" || c.Architecture != arch || !c.Created.Equal(program.Date) {
			t.Errorf("%s: %s/%s of %v", arch, c.OS, c.Architecture, c.Created)
		}
		if c.Config.User != "65532:65532" || len(c.Config.Entrypoint) != 1 || c.Config.Entrypoint[0] != "/ovnguard" ||
			len(c.Config.Cmd) != 0 {
			t.Errorf("%s: %+v", arch, c.Config)
		}
		for label, want := range map[string]string{
			"title": "ovnguard", "description": "what it does", "source": "https://example.com/ovnguard",
			"licenses": "Apache-2.0", "version": "v1.2.3", "revision": "0123456789abcdef", "created": "2030-01-02T02:04:05Z",
		} {
			if got := c.Config.Labels["org.opencontainers.image."+label]; got != want {
				t.Errorf("%s: label %s is %q, want %q", arch, label, got, want)
			}
			if got := manifest.Annotations["org.opencontainers.image."+label]; got != want {
				t.Errorf("annotation %s of the index is %q, want %q", label, got, want)
			}
		}
		file := filepath.Join(t.TempDir(), "out")
		if err := Extract(all, v1.Platform{OS: "linux", Architecture: arch}, file); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(data), "for "+arch) {
			t.Errorf("%s: %v, the program is %q", arch, err, data)
		}
		if info, err := os.Stat(file); err != nil || info.Mode() != 0o755 {
			t.Errorf("%s: %v %v", arch, info.Mode(), err)
		}
	}
	err = Extract(all, v1.Platform{OS: "linux", Architecture: "riscv64"}, filepath.Join(t.TempDir(), "out"))
	if err == nil || !strings.Contains(err.Error(), "only for linux/amd64, linux/arm64") {
		t.Errorf("another platform: %v", err)
	}
	sizes, err := Sizes(all)
	if err != nil || len(sizes) != 2 || sizes[0] < 200 {
		t.Errorf("%v, %v", sizes, err)
	}
}

// The archive has the same bytes for the same binaries, wherever they are and whenever they were written, and others
// for others.
func TestLayoutIsReproducible(t *testing.T) {
	tag := name.MustParseReference("registry.example.com/ovnguard:v1.2.3").(name.Tag)
	write := func(binaries []Binary) []byte {
		path := filepath.Join(t.TempDir(), "image.tar")
		if err := WriteLayout(path, tag, program.Date, index(t, binaries)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first := write(both(t))
	again := both(t)
	for _, b := range again {
		if err := os.Chtimes(b.Path, time.Time{}, time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first, write(again)) {
		t.Error("the same binaries give another archive")
	}
	other := both(t)
	other[1].Path = binaryFor(t, elf.EM_AARCH64, false, "of another commit")
	if bytes.Equal(first, write(other)) {
		t.Error("another binary gives the same archive")
	}
}

// What was written is read again, with its name, and a registry takes it as it is.
func TestPush(t *testing.T) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	tag := name.MustParseReference("registry.example.com/ovnguard:v1.2.3").(name.Tag)
	path := filepath.Join(t.TempDir(), "image.tar")
	all := index(t, both(t))
	if err := WriteLayout(path, tag, program.Date, all); err != nil {
		t.Fatal(err)
	}
	l, err := ReadLayout(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(l.Index); err != nil {
		t.Error(err)
	}
	if l.Name.Name() != tag.Name() {
		t.Errorf("the layout is called %s", l.Name)
	}
	for text, want := range map[string]string{
		host + "/guard/ovnguard": "v1.2.3", host + "/ovnguard:other": "other",
	} {
		target, err := ParseTarget(text, l.Name.TagStr())
		if err != nil {
			t.Fatal(err)
		}
		reference, err := Push(t.Context(), target, l.Index)
		if err != nil {
			t.Fatal(err)
		}
		got, err := remote.Index(target)
		if err != nil || target.TagStr() != want {
			t.Fatalf("%s: %v", target, err)
		}
		digest, err := got.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if here, _ := all.Digest(); digest != here || reference.DigestStr() != here.String() {
			t.Errorf("%s has %s, and what was built is %s", target, digest, here)
		}
		if err := validate.Index(got); err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(l.dir); !os.IsNotExist(err) {
		t.Errorf("what was unpacked stays: %v", err)
	}
}

func TestPushFails(t *testing.T) {
	for _, text := range []string{"ovnguard", "guard/ovnguard", "localhost:5000/", "localhost/UPPER", "localhost/a:b:c"} {
		if target, err := ParseTarget(text, "v1"); err == nil {
			t.Errorf("%q is taken for %s", text, target)
		}
	}
	target, err := ParseTarget("127.0.0.1:1/ovnguard", "v1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Push(t.Context(), target, index(t, both(t))); err == nil ||
		!strings.Contains(err.Error(), "push to 127.0.0.1:1/ovnguard:v1") {
		t.Errorf("nobody listens: %v", err)
	}
}

// What would not run in a container is refused before anybody finds out there.
func TestBinaryIsRefused(t *testing.T) {
	amd64 := v1.Platform{OS: "linux", Architecture: "amd64"}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Binary{amd64, binaryFor(t, elf.EM_X86_64, false, "")}
	for want, binaries := range map[string][]Binary{
		"needs a binary":         nil,
		"not static":             {{amd64, binaryFor(t, elf.EM_X86_64, true, "")}},
		"not for amd64":          {{amd64, binaryFor(t, elf.EM_AARCH64, false, "")}},
		"no binary for Linux":    {{amd64, text}},
		"two binaries":           {good, good},
		"want linux":             {{v1.Platform{OS: "windows", Architecture: "amd64"}, good.Path}},
		"no such file":           {{amd64, "/nonexistent"}},
		"not for riscv64":        {{v1.Platform{OS: "linux", Architecture: "riscv64"}, good.Path}},
		"is for EM_RISCV, not f": {{amd64, binaryFor(t, elf.EM_RISCV, false, "")}},
	} {
		if _, err := Index(program, binaries); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for _, text := range []string{
		"", "linux", "linux/amd64", "linux=a", "/amd64=a", "linux/=a", "linux/arm/v7=a", "linux/amd64=",
	} {
		if b, err := ParseBinary(text); err == nil {
			t.Errorf("%q is read as %+v", text, b)
		}
	}
	if b, err := ParseBinary("linux/amd64=a=b/c"); err != nil || b.Path != "a=b/c" || !b.Platform.Equals(amd64) {
		t.Errorf("%+v, %v", b, err)
	}
}

// What is no image of ours is not read as one.
func TestLayoutIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.tar")
	tag := name.MustParseReference("registry.example.com/ovnguard:v1.2.3").(name.Tag)
	if err := WriteLayout(path, tag, program.Date, index(t, both(t))); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, data := range map[string][]byte{
		"no image layout": nil,
		"unpack":          whole[:len(whole)/2+100],
		"annotation":      bytes.Replace(whole, []byte("io.containerd.image.name"), []byte("io.containerd.image.eman"), 1),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLayout(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := ReadLayout("/nonexistent"); err == nil {
		t.Error("a file that is not there is read")
	}
}
