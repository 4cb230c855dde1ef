package cli

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A directory of somebody else's has no device or pipe read, which would never end.
func TestHostileDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "pods.json")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := clusterFiles(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("--from: %v", err)
	}
	if _, err := manifestFiles(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("-f: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "pods.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "pods.json")); err != nil {
		t.Fatal(err)
	}
	if files, _, err := clusterFiles(dir); err != nil || len(files) != 1 { // as a mounted ConfigMap has it
		t.Errorf("%q %v", files, err)
	}
}

// A small file does not unpack to more than the memory.
func TestUnpackedTooFar(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	for range 100 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := unpacked(&packed)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, in)
	if err == nil || !strings.Contains(err.Error(), "gunzip") || n > unpackedFreely {
		t.Errorf("%d bytes, %v", n, err)
	}
}
