// Package cni is the plugin by which a container runtime asks the agent of its node for a pod's NICs. The plugin itself
// knows nothing: it hands the request over, as Kube-OVN's does.
package cni

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// timeout is how long the agent may take: Kube-OVN has to allocate addresses first.
const timeout = 90 * time.Second

// Type is the name of the plugin in a network's configuration.
const Type = "ovnguard-lab"

// Request is what the runtime wants for one sandbox of a pod.
type Request struct {
	// Add asks for the NICs; otherwise they are to be removed.
	Add bool `json:"add"`
	// Sandbox is the container's ID. A pod has another one after its node was started again.
	Sandbox string `json:"sandbox"`
	// Netns is the path of the network namespace, as the plugin sees it. It may be empty for a removal.
	Netns string `json:"netns"`
	// Interface is the name of the first NIC.
	Interface string `json:"interface"`
	// Namespace and Pod name the pod.
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
}

// Response says how the first NIC was set up, or what went wrong.
type Response struct {
	MAC       string   `json:"mac,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// call asks the agent at a unix socket.
func call(socket string, request Request) (_ Response, err error) {
	c, err := net.DialTimeout("unix", socket, timeout)
	if err != nil {
		return Response{}, fmt.Errorf("ask the node's agent: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return Response{}, fmt.Errorf("ask the node's agent: %w", err)
	}
	if err := json.NewEncoder(c).Encode(request); err != nil {
		return Response{}, fmt.Errorf("ask the node's agent: %w", err)
	}
	var response Response
	if err := json.NewDecoder(c).Decode(&response); err != nil {
		return Response{}, fmt.Errorf("answer of the node's agent: %w", err)
	}
	if response.Error != "" {
		return response, fmt.Errorf("the node's agent: %s", response.Error)
	}
	return response, nil
}
