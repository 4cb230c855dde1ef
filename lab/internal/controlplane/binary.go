package controlplane

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// BinaryVariable is the environment variable that names the lab's binary for
// programs that are not the lab's binary themselves.
const BinaryVariable = "OVNGUARD_LAB"

// FindBinary returns the path of the lab's binary for another program, such as a test: the value of OVNGUARD_LAB, or
// else bin/ovnguard-lab in the working directory or the nearest directory above it.
func FindBinary() (string, error) {
	if path := os.Getenv(BinaryVariable); path != "" {
		found, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("%s: %w", BinaryVariable, err)
		}
		return filepath.Abs(found)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the lab's binary: %w", err)
	}
	for {
		path := filepath.Join(dir, "bin", "ovnguard-lab")
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the lab's binary is not built: run `make build`, or name one with " + BinaryVariable)
		}
		dir = parent
	}
}
