package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Info is the description of a ready lab in lab.json. Readers may rely on the fields; more may come.
type Info struct {
	// ID is Dir.ID.
	ID string `json:"id"`
	// StateDir is the absolute path of the state directory.
	StateDir string `json:"stateDir"`
	// PID is the process that holds the lab.
	PID int `json:"pid"`
	// APIServer is the URL of kube-apiserver.
	APIServer string `json:"apiServer"`
	// Kubeconfigs are the paths of the kubeconfigs by identity: "admin",
	// "tenant", "kube-ovn", and the node's name for a node.
	Kubeconfigs map[string]string `json:"kubeconfigs"`
	// NB and SB are OVSDB endpoints of OVN's databases, "unix:/PATH".
	NB string `json:"nb"`
	SB string `json:"sb"`
	// Nodes are in the order of their names.
	Nodes []Node `json:"nodes"`
	// StartedAt is the time at which the start began.
	StartedAt time.Time `json:"startedAt"`
	// ReadyIn is how long the start took.
	ReadyIn Duration `json:"readyIn"`
}

// Node is one node of the lab.
type Node struct {
	// Name is the name of the Kubernetes Node and of the OVN chassis.
	Name string `json:"name"`
	// Netns is the name of the node's network namespace.
	Netns string `json:"netns"`
	// OVSDB is the endpoint of the node's Open vSwitch database, "unix:/PATH".
	OVSDB string `json:"ovsdb"`
	// IntegrationBridge is the bridge that the pods are plugged into.
	IntegrationBridge string `json:"integrationBridge"`
	// Containerd is the socket of the node's container runtime, for `ctr --address`; empty on a node without a kubelet.
	Containerd string `json:"containerd,omitempty"`
}

// Duration is a time.Duration that is written as "3.2s".
type Duration time.Duration

// MarshalText writes the duration as time.Duration.String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// String returns the duration in seconds with one decimal.
func (d Duration) String() string { return time.Duration(d).Round(100 * time.Millisecond).String() }

// ErrNotReady means that no lab is ready in the directory.
var ErrNotReady = errors.New("no lab is ready there")

// Load reads the description of the lab in a state directory. Without a ready lab the error wraps ErrNotReady. It does
// not check that the lab still runs: see Holder.
func Load(dir string) (Info, error) {
	d, err := FindDir(dir)
	if err != nil {
		return Info{}, err
	}
	data, err := os.ReadFile(d.infoFile())
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf(
			"state directory %s: %w: start one with `ovnguard-lab up --state-dir %s`",
			d,
			ErrNotReady,
			dir,
		)
	}
	if err != nil {
		return Info{}, fmt.Errorf("state directory: %w", err)
	}
	var info Info
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, fmt.Errorf("%s: %w", d.infoFile(), err)
	}
	return info, nil
}

// Save writes lab.json in one step.
func (d Dir) Save(info Info) error {
	data, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encode lab.json: %w", err)
	}
	return WriteFile(d.infoFile(), append(data, '\n'), 0o600)
}

// Forget removes lab.json. A missing file is no error.
func (d Dir) Forget() error {
	if err := os.Remove(d.infoFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("state directory: %w", err)
	}
	return nil
}

func (d Dir) infoFile() string { return d.Join("lab.json") }

// WriteFile writes a file so that a reader sees the old or the new content and nothing in between.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Chmod(mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}
