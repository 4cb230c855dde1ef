package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestDir(t *testing.T) Dir {
	t.Helper()
	dir, err := NewDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestBadDirectories(t *testing.T) {
	occupied := t.TempDir()
	if err := os.WriteFile(filepath.Join(occupied, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ path, want string }{
		"empty":    {"", "the path is empty"},
		"root":     {"/", "must not be /"},
		"too long": {"/tmp/" + strings.Repeat("x", maxDir), "leave room for 70"},
		"not ours": {occupied, "holds files that are not a lab's"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewDir(test.path)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			if test.path != "/" && test.path != "" && !strings.Contains(err.Error(), test.path) {
				t.Errorf("error %q does not name the directory", err)
			}
		})
	}
}

func TestDirIsTheSameByEveryPath(t *testing.T) {
	base := t.TempDir()
	if err := os.Symlink(base, filepath.Join(base, "link")); err != nil {
		t.Fatal(err)
	}
	direct, err := NewDir(filepath.Join(base, "lab"))
	if err != nil {
		t.Fatal(err)
	}
	linked, err := NewDir(filepath.Join(base, "link", "lab"))
	if err != nil {
		t.Fatal(err)
	}
	if direct != linked || direct.ID() != linked.ID() {
		t.Errorf("one directory is %s (%s) and %s (%s)", direct, direct.ID(), linked, linked.ID())
	}
	if other, err := NewDir(filepath.Join(base, "lab2")); err != nil || other.ID() == direct.ID() {
		t.Errorf("another directory has the ID %s too (%v)", direct.ID(), err)
	}
	if len(direct.ID()) != 6 {
		t.Errorf("ID %q is not 6 digits", direct.ID())
	}
}

func TestPrepareKeepsWhatItMust(t *testing.T) {
	dir := newTestDir(t)
	files := []string{
		"pki/ca.crt",
		"ports.json",
		"etcd/data/db",
		"ovn/nb.db",
		"ovn/node1/ovs.db",
		"log/a.log",
		"run/a.pid",
		"lab.json",
	}
	for name, test := range map[string]struct {
		keepData bool
		want     []string
	}{
		"fresh":     {false, []string{"pki/ca.crt", "ports.json"}},
		"keep data": {true, []string{"pki/ca.crt", "ports.json", "etcd/data/db", "ovn/nb.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, file := range files {
				if err := os.MkdirAll(filepath.Dir(dir.Join(file)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(dir.Join(file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := dir.Prepare(test.keepData); err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, file := range files {
				if _, err := os.Stat(dir.Join(file)); err == nil {
					left = append(left, file)
				}
			}
			if diff := cmp.Diff(test.want, left); diff != "" {
				t.Errorf("files that stay (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLockHasOneHolder(t *testing.T) {
	dir := newTestDir(t)
	if _, held, err := dir.Holder(); held || err != nil {
		t.Fatalf("a new directory is held: %v, %v", held, err)
	}
	lock, err := dir.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	_, err = dir.Acquire()
	var heldError *HeldError
	if !errors.As(err, &heldError) {
		t.Fatalf("second Acquire gave %v, want a *HeldError", err)
	}
	if heldError.Holder.PID != os.Getpid() || !heldError.Holder.Alive() {
		t.Errorf("holder is %+v, want this process %d", heldError.Holder, os.Getpid())
	}
	if !strings.Contains(err.Error(), "ovnguard-lab down") {
		t.Errorf("error %q does not say what to do", err)
	}
	holder, held, err := dir.Holder()
	if err != nil || !held || holder != heldError.Holder {
		t.Errorf("Holder gave %+v, %v, %v", holder, held, err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if _, held, err := dir.Holder(); held || err != nil {
		t.Errorf("still held after Release: %v, %v", held, err)
	}
	again, err := dir.Acquire()
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
	// The lock file makes the directory a lab's.
	if _, err := NewDir(string(dir)); err != nil {
		t.Errorf("the lab's own directory is refused: %v", err)
	}
}

func TestInfoRoundTrip(t *testing.T) {
	dir := newTestDir(t)
	if _, err := Load(string(dir)); !errors.Is(err, ErrNotReady) {
		t.Fatalf("got %v, want ErrNotReady", err)
	}
	want := Info{
		ID: dir.ID(), StateDir: string(dir), PID: 42, APIServer: "https://127.0.0.1:20001",
		Kubeconfigs: map[string]string{"admin": dir.Kubeconfig("admin")},
		NB:          "unix:" + dir.Join("ovn", "nb.sock"), SB: "unix:" + dir.Join("ovn", "sb.sock"),
		Nodes:     []Node{{Name: "node1", Netns: "ovnlab-x-node1", OVSDB: "unix:/x", IntegrationBridge: "br-int"}},
		StartedAt: time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC), ReadyIn: Duration(6200 * time.Millisecond),
	}
	if err := dir.Save(want); err != nil {
		t.Fatal(err)
	}
	got, err := Load(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lab.json (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("writing left more than lab.json: %v", entries)
	}
	for range 2 {
		if err := dir.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Load(string(dir)); !errors.Is(err, ErrNotReady) {
		t.Errorf("got %v after Forget, want ErrNotReady", err)
	}
}
