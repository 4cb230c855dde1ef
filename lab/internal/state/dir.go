// Package state defines the files of a lab's state directory, its lock, and the description of a running lab.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// DefaultDir is the state directory if none is given.
const DefaultDir = ".lab"

const (
	// maxSocketPath is the greatest length in sockaddr_un on Linux, 108 bytes with the closing zero (unix(7)).
	maxSocketPath = 107
	// longestSocket is the length of the longest path of a socket below the state directory; the number is the greatest
	// process id of Linux.
	longestSocket = len("/ovn/node9/ovn-controller.4194304.ctl")
	// maxDir is the length of the longest state directory in which all sockets can be bound.
	maxDir = maxSocketPath - longestSocket
)

// Dir is the absolute path of a state directory without symbolic links in it. All files of a lab are below it.
type Dir string

// NewDir makes the directory, if need be, and returns its Dir. A path that is too
// long for the sockets inside is an error that says how long it may be.
func NewDir(path string) (Dir, error) {
	dir, err := resolve(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(string(dir), 0o700); err != nil {
		return "", fmt.Errorf("state directory: %w", err)
	}
	// Resolved again: only now every part of it exists.
	if dir, err = resolve(path); err != nil {
		return "", err
	}
	return dir, dir.claim()
}

// claim refuses a directory that holds something else than a lab: a lab removes old data below its state directory.
func (d Dir) claim() error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if len(entries) == 0 {
		return nil
	}
	for _, entry := range entries {
		if d.Join(entry.Name()) == d.lockFile() {
			return nil
		}
	}
	return fmt.Errorf(
		"state directory %s: holds files that are not a lab's: give a new or an empty directory with --state-dir",
		d,
	)
}

// FindDir returns the Dir of a path without making anything. The directory may
// be missing.
func FindDir(path string) (Dir, error) { return resolve(path) }

func resolve(path string) (Dir, error) {
	if path == "" {
		return "", errors.New("state directory: the path is empty, give one with --state-dir")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("state directory %q: %w", path, err)
	}
	if abs == "/" {
		return "", errors.New("state directory: must not be /, give another with --state-dir")
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	if len(abs) > maxDir {
		return "", fmt.Errorf(
			"state directory %s is %d bytes long, but the unix sockets inside leave room for %d: give a shorter one "+
				"with --state-dir, such as /tmp/lab",
			abs,
			len(abs),
			maxDir,
		)
	}
	return Dir(abs), nil
}

// ID distinguishes the labs on one machine: 6 hexadecimal digits made from the path. The network namespaces and links
// of the lab have it in their names.
func (d Dir) ID() string {
	sum := sha256.Sum256([]byte(d))
	return hex.EncodeToString(sum[:3])
}

// Marker returns the environment variable, as "KEY=value", that every process of the lab has.
func (d Dir) Marker() string { return "OVNGUARD_LAB_STATE=" + string(d) }

// Join returns a path below the directory.
func (d Dir) Join(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// PKI returns the directory of the certificate authorities and the service account key.
func (d Dir) PKI() string { return d.Join("pki") }

// Kubeconfigs returns the directory with one NAME.yaml per identity.
func (d Dir) Kubeconfigs() string { return d.Join("kubeconfig") }

// Kubeconfig returns the path of the kubeconfig of one of the lab's identities.
func (d Dir) Kubeconfig(name string) string { return d.Join("kubeconfig", name+".yaml") }

// Etcd returns the directory of etcd's data and sockets.
func (d Dir) Etcd() string { return d.Join("etcd") }

// OVN returns the directory of the databases and sockets of OVN, central and per node.
func (d Dir) OVN() string { return d.Join("ovn") }

// Logs returns the directory with one file per process.
func (d Dir) Logs() string { return d.Join("log") }

// Run returns the directory of the pid files.
func (d Dir) Run() string { return d.Join("run") }

// Egress returns the path of the socket by which kube-apiserver reaches what is on the nodes.
func (d Dir) Egress() string { return d.Join("run", "egress.sock") }

// Images returns the directory of the lab's container images.
func (d Dir) Images() string { return d.Join("images") }

// Log returns the path of the log file of one process.
func (d Dir) Log(process string) string { return d.Join("log", process+".log") }

// Node returns the directory of the Open vSwitch database, sockets and logs of one node.
func (d Dir) Node(name string) string { return d.Join("ovn", name) }

// Prepare makes the directories of a lab that is about to start and, unless data is to be kept, removes the data of an
// earlier run in etcd and in OVN's databases. It always removes logs of earlier runs and the nodes' Open vSwitch
// databases, since their namespaces are gone; certificate authorities and ports stay, so that copied kubeconfigs go on
// working.
func (d Dir) Prepare(keepData bool) error {
	stale, err := filepath.Glob(d.Node("node*"))
	if err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	stale = append(stale, d.Logs(), d.Run(), d.Images(), d.infoFile())
	if !keepData {
		stale = append(stale, d.Etcd(), d.OVN())
	}
	for _, path := range stale {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	for _, path := range []string{d.PKI(), d.Kubeconfigs(), d.Etcd(), d.OVN(), d.Logs(), d.Run(), d.Images()} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return fmt.Errorf("state directory: %w", err)
		}
	}
	return nil
}
