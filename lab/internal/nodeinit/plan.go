// Package nodeinit is process 1 of a node with a real kubelet: it turns the namespaces that it was started in into a
// machine of its own, and keeps containerd, kubelet and kube-proxy running there.
package nodeinit

import (
	"encoding/json"
	"fmt"
	"os"
)

// Plan is what a node consists of.
type Plan struct {
	// Hostname is the node's name.
	Hostname string `json:"hostname"`
	// Cgroup is the name of its control groups.
	Cgroup string `json:"cgroup"`
	// Socket is where the runtime serves. What comes after it waits until it answers.
	Socket string `json:"socket"`
	// Runtime serves the socket, Setup runs to its end once it does, and then Services run. Services that end are started
	// again, the runtime too.
	Runtime  Program   `json:"runtime"`
	Setup    []Program `json:"setup"`
	Services []Program `json:"services"`
}

// Program is a program with its arguments.
type Program struct {
	Name string   `json:"name"`
	Path string   `json:"path"`
	Args []string `json:"args"`
	// Log is the file that its output is appended to.
	Log string `json:"log"`
}

// Read reads a plan from a file.
func Read(path string) (Plan, error) {
	var plan Plan
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &plan)
	}
	if err != nil {
		return plan, fmt.Errorf("plan of the node: %w", err)
	}
	return plan, nil
}
