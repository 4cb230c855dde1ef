package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// release returns a release whose archives are made from small files, and the archives for all platforms.
func release(t *testing.T, version string) (r Release, dir string, archives []Archive) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"LICENSE": "the license", "program": "the program"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r = Release{
		Version: version, Date: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), License: filepath.Join(dir, "LICENSE"),
		Download: "https://example.com/download/", Homepage: "https://example.com",
	}
	for _, os := range []string{"linux", "darwin", "windows"} {
		for _, arch := range []string{"amd64", "arm64"} {
			a, err := r.Pack(dir, os, arch, filepath.Join(dir, "program"))
			if err != nil {
				t.Fatal(err)
			}
			archives = append(archives, a)
		}
	}
	return r, dir, archives
}

// write writes krew's manifest and returns its path.
func write(t *testing.T, r Release, archives []Archive) string {
	t.Helper()
	text, err := r.Manifest(archives)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), ManifestFile)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tool runs a tool of this module and returns what it says.
func tool(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"tool"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Krew's own validator accepts the manifest, also of a commit after a release, and refuses one that is wrong.
func TestKrewAcceptsTheManifest(t *testing.T) {
	const validator = "validate-krew-manifest"
	for _, version := range []string{"v0.1.0", "v0.1.0-3-g0123456789ab", "v0.0.0-g0123456789ab-dirty"} {
		r, _, archives := release(t, version)
		if out, err := tool(t, nil, validator, "-skip-install", "-manifest", write(t, r, archives)); err != nil {
			t.Errorf("%s: %v\n%s", version, err, out)
		}
	}
	r, _, archives := release(t, "latest")
	if out, err := tool(t, nil, validator, "-skip-install", "-manifest", write(t, r, archives)); err == nil ||
		!strings.Contains(out, "version") {
		t.Errorf("a version that is none: %v\n%s", err, out)
	}
	r, _, archives = release(t, "v0.1.0")
	twice := append(archives, archives[0])
	if out, err := tool(t, nil, validator, "-skip-install", "-manifest", write(t, r, twice)); err == nil ||
		!strings.Contains(out, "overlapping") {
		t.Errorf("a platform twice: %v\n%s", err, out)
	}
}

// Krew installs the plugin for every platform from its archive, with the license, and refuses one that was changed.
func TestKrewInstalls(t *testing.T) {
	r, dir, archives := release(t, "v0.1.0")
	manifest := write(t, r, archives)
	for _, a := range archives {
		root := t.TempDir()
		env := []string{"KREW_ROOT=" + root, "KREW_OS=" + a.OS, "KREW_ARCH=" + a.Arch, "KREW_NO_UPGRADE_CHECK=1"}
		args := []string{"krew", "install", "--manifest", manifest, "--archive", filepath.Join(dir, a.File)}
		if out, err := tool(t, env, args...); err != nil {
			t.Fatalf("%s/%s: %v\n%s", a.OS, a.Arch, err, out)
		}
		installed := filepath.Join(root, "store", Name, "v0.1.0")
		program, err := os.ReadFile(filepath.Join(installed, binaryName(a.OS)))
		if err != nil || string(program) != "the program" {
			t.Errorf("%s/%s: %v, %q", a.OS, a.Arch, err, program)
		}
		if _, err := os.Stat(filepath.Join(installed, "LICENSE")); err != nil {
			t.Errorf("%s/%s: %v", a.OS, a.Arch, err)
		}
	}
	a := archives[0]
	data, err := os.ReadFile(filepath.Join(dir, a.File))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.WriteFile(filepath.Join(dir, a.File), data, 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KREW_ROOT=" + t.TempDir(), "KREW_OS=" + a.OS, "KREW_ARCH=" + a.Arch, "KREW_NO_UPGRADE_CHECK=1"}
	out, err := tool(t, env, "krew", "install", "--manifest", manifest, "--archive", filepath.Join(dir, a.File))
	if err == nil || !strings.Contains(out, "checksum") {
		t.Errorf("a changed archive: %v\n%s", err, out)
	}
}

// The archives have the same bytes each time.
func TestArchivesAreReproducible(t *testing.T) {
	_, _, first := release(t, "v0.1.0")
	_, _, second := release(t, "v0.1.0")
	for i := range first {
		if first[i] != second[i] {
			t.Errorf("%+v and %+v", first[i], second[i])
		}
	}
}
