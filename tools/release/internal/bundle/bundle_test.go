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
	const helper = "#!/bin/bash\necho \"helper $*\"\n"
	b := Bundle{
		Name: "ovnguard-v1", Date: time.Unix(1e9, 0), Limit: 1e6, Chart: filepath.Join(from, "chart"),
		Parts: []Part{
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

// The chart is packed as Helm has it, and one that names no version is refused.
func TestChart(t *testing.T) {
	dir := unpacked(t)
	out, err := exec.CommandContext(t.Context(), "tar", "-tzf", dir+"/chart/guard-0.1.0.tgz").CombinedOutput()
	if err != nil || string(out) != "guard/Chart.yaml\nguard/templates/a.yaml\n" {
		t.Errorf("%v:\n%s", err, out)
	}
	empty := t.TempDir()
	put(t, empty+"/Chart.yaml", "name: guard\n", 0o600)
	if _, err := PackChart(empty, time.Time{}); err == nil {
		t.Error("a chart without a version is packed")
	}
}
