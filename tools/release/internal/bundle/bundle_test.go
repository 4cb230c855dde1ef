package bundle

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// put writes a file and returns its path.
func put(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpacked writes a bundle, unpacks it and returns its directory. The programs in it print what they are asked to do.
func unpacked(t *testing.T) string {
	t.Helper()
	from, to := t.TempDir(), t.TempDir()
	const manifest = "    image: ghcr.io/ovnguard/ovnguard:v0.1.0\n    image: example.org/other:v1\n"
	const helper = "#!/bin/bash\necho \"helper $*\"\n"
	b := Bundle{
		Name:    "ovnguard-v1",
		Version: "v0.1.0-3-g0123456789ab",
		Date:    time.Unix(1e9, 0),
		Limit:   1e6,
		Chart:   filepath.Join(from, "chart"),
		Parts: []Part{
			{
				Directory: "manifests",
				Mode:      0o644,
				Manifests: true,
				Files:     []string{put(t, from+"/controller.yaml", manifest, 0o600)},
			},
			{Directory: "images", Mode: 0o644, Files: []string{put(t, from+"/image.tar", "the image", 0o600)}},
			{Directory: "bin", Mode: 0o755, Files: []string{
				put(t, from+"/ovnguard-load-linux-amd64", helper, 0o600),
				put(t, from+"/ovnguard-load-linux-arm64", helper, 0o600),
			}},
		},
	}
	put(t, from+"/chart/Chart.yaml", "name: guard\nversion: 0.1.0\n", 0o600)
	put(t, from+"/chart/templates/a.yaml", "a: b\n", 0o600)
	put(t, from+"/chart/.hidden/a", "not packed", 0o600)
	file := filepath.Join(to, "bundle.tar.gz")
	if _, err := b.Write(file); err != nil {
		t.Fatal(err)
	}
	first, err := archive.Sum(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Write(file); err != nil {
		t.Fatal(err)
	}
	if again, err := archive.Sum(file); err != nil || again != first {
		t.Errorf("%v: the bundle differs from one time to the next", err)
	}
	if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", file, "-C", to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.Limit = 100
	if _, err := b.Write(file); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than the limit: %v", err)
	}
	return filepath.Join(to, "ovnguard-v1")
}

// load runs load.sh of an unpacked bundle, with these variables and arguments.
func load(t *testing.T, dir string, env []string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "load.sh"), args...)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}

// load.sh hands the image to whoever takes it, and says what is wrong and what to do.
func TestLoad(t *testing.T) {
	dir := unpacked(t)
	ctr := put(t, t.TempDir()+"/ctr", "#!/bin/bash\n[[ $FAIL != 1 ]] && echo \"ctr $*\"\n", 0o755)
	image := dir + "/images/image.tar"
	for name, c := range map[string]struct {
		env, args []string
		code      int
		says      string
	}{
		"check":       {nil, []string{"--check"}, 0, "all files are as"},
		"help":        {nil, []string{"--help"}, 0, "usage: load.sh"},
		"nothing":     {nil, nil, 2, "usage: load.sh"},
		"unknown":     {nil, []string{"--what"}, 2, "usage: load.sh"},
		"no argument": {nil, []string{"--push"}, 2, "--push: takes one argument"},
		"a flag":      {nil, []string{"--push", "--check"}, 2, "--push: takes one argument"},
		"too many":    {nil, []string{"--check", "a"}, 2, "--check: takes no argument"},
		"containerd": {
			[]string{"CTR=" + ctr + " more"},
			[]string{"--containerd"},
			0,
			"ctr more --namespace k8s.io images import " + image,
		},
		"import fails": {[]string{"CTR=" + ctr, "FAIL=1"}, []string{"--containerd"}, 1, "CONTAINERD_ADDRESS"},
		"no ctr":       {[]string{"CTR=/nonexistent/ctr"}, []string{"--containerd"}, 1, "there is no /nonexistent/ctr"},
		"push": {
			nil, []string{"--push", "localhost:5000/guard"}, 0, "helper push " + image + " localhost:5000/guard",
		},
		"plugin":       {nil, []string{"--plugin", t.TempDir()}, 0, "helper extract " + image + " linux/"},
		"no directory": {nil, []string{"--plugin", "/nonexistent"}, 1, "make it first"},
	} {
		if code, out := load(t, dir, c.env, c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit code %d, want %d and %q:\n%s", name, code, c.code, c.says, out)
		}
	}
	put(t, image, "another image", 0o600)
	if code, out := load(t, dir, []string{"CTR=" + ctr}, "--containerd"); code != 1 ||
		!strings.Contains(out, "images/image.tar: FAILED") || strings.Contains(out, "ctr --namespace") {
		t.Errorf("a changed file: exit code %d\n%s", code, out)
	}
	if err := os.Remove(dir + "/SHA256SUMS"); err != nil {
		t.Fatal(err)
	}
	if code, out := load(t, dir, nil, "--check"); code != 1 || !strings.Contains(out, "unpack the bundle again") {
		t.Errorf("no checksums: exit code %d\n%s", code, out)
	}
}

// The chart is packed as Helm has it. It and the manifests ask for the image in the bundle; a chart without a name or
// with a version that no image has is refused.
func TestChart(t *testing.T) {
	dir := unpacked(t)
	chart := dir + "/chart/guard-0.1.0-3-g0123456789ab.tgz"
	out, err := exec.CommandContext(t.Context(), "tar", "-tzf", chart).CombinedOutput()
	if err != nil || string(out) != "guard/Chart.yaml\nguard/templates/a.yaml\n" {
		t.Errorf("%v:\n%s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "tar", "-xzOf", chart, "guard/Chart.yaml").CombinedOutput()
	const want = "appVersion: 0.1.0-3-g0123456789ab\nname: guard\nversion: 0.1.0-3-g0123456789ab\n"
	if err != nil || string(out) != want {
		t.Errorf("%v:\n%swant\n%s", err, out, want)
	}
	manifest, err := os.ReadFile(dir + "/manifests/controller.yaml")
	const image = "image: ghcr.io/ovnguard/ovnguard:v0.1.0-3-g0123456789ab\n    image: example.org/other:v1\n"
	if err != nil || strings.TrimSpace(string(manifest)) != strings.TrimSpace(image) {
		t.Errorf("%v: the manifest is %q", err, manifest)
	}
	nameless := t.TempDir()
	put(t, nameless+"/Chart.yaml", "version: 0.1.0\n", 0o600)
	if _, err := PackChart(nameless, "v0.1.0", time.Time{}); err == nil {
		t.Error("a chart without a name is packed")
	}
	named := t.TempDir()
	put(t, named+"/Chart.yaml", "name: guard\n", 0o600)
	if _, err := PackChart(named, "0.1.0", time.Time{}); err == nil {
		t.Error("a chart is packed with a version that no image has")
	}
}
