package up

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

func TestMissingProgramsAreAllNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := checkMachine(true)
	if err == nil {
		t.Fatal("a machine without any program will do")
	}
	for _, p := range slices.Concat(programs, kubeletPrograms) {
		for _, name := range append([]string{p.debian, "deps.sh kubelet"}, p.names...) {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%q is not named in: %v", name, err)
			}
		}
	}
	err = checkMachine(false)
	if err == nil || !strings.Contains(err.Error(), "make deps") || strings.Contains(err.Error(), "containerd") {
		t.Errorf("a lab without kubelets needs no containerd: %v", err)
	}
	if root := os.Geteuid() == 0; root == strings.Contains(err.Error(), "not root") {
		t.Errorf("running as root is %v, but the error is: %v", root, err)
	}
}

func TestBadOptions(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"no nodes":                 {Options{Nodes: -1}, "--nodes"},
		"too many nodes":           {Options{Nodes: maxNodes + 1}, "--nodes"},
		"more kubelets than nodes": {Options{Nodes: 1, Kubelets: 2}, "--kubelet"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := test.options.complete(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestBinary(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "bin", "ovnguard-lab")
	if err := os.Mkdir(filepath.Dir(binary), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "lab", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(dir, "lab", "deep"))
	t.Setenv(controlplane.BinaryVariable, "")
	if _, err := findBinary(""); err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without a binary: got error %v, want one that says how to build it", err)
	}
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := findBinary(""); err != nil || got != binary {
		t.Errorf("above the working directory: got %q, %v, want %q", got, err, binary)
	}
	t.Setenv(controlplane.BinaryVariable, "/bin/sh")
	if got, err := findBinary(""); err != nil || got != "/bin/sh" {
		t.Errorf("from the environment: got %q, %v", got, err)
	}
	t.Setenv(controlplane.BinaryVariable, "/nonexistent")
	if _, err := findBinary(""); err == nil || !strings.Contains(err.Error(), controlplane.BinaryVariable) {
		t.Errorf("a wrong variable gave %v, want an error that names it", err)
	}
	if got, err := findBinary(binary); err != nil || got != binary {
		t.Errorf("from the options: got %q, %v", got, err)
	}
}
