package cni

import (
	"encoding/json"
	"fmt"
	"net"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"
)

// Loopback is the name under which runtimes call the plugin for a pod's loopback interface.
const Loopback = "loopback"

// config is the plugin's part of a network's configuration.
type config struct {
	types.NetConf

	// Socket is where the agent of the node listens.
	Socket string `json:"socket"`
}

// podArgs are the names of the pod, as every Kubernetes runtime gives them.
type podArgs struct {
	types.CommonArgs

	K8S_POD_NAMESPACE types.UnmarshallableString //nolint:revive // the names are Kubernetes'
	K8S_POD_NAME      types.UnmarshallableString //nolint:revive // the names are Kubernetes'
}

// Main runs the plugin under its name, from what the runtime put into environment and input, and ends the program.
func Main(name string) {
	about := "CNI plugin of ovnguard-lab"
	if name == Loopback {
		nothing := func(*skel.CmdArgs) error { return nil }
		skel.PluginMainFuncs(skel.CNIFuncs{Add: addLoopback, Del: nothing, Check: nothing}, version.All, about)
		return
	}
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check}, version.All, about)
}

// addLoopback only answers: the agent sets the interface up.
func addLoopback(args *skel.CmdArgs) error {
	var c config
	if err := json.Unmarshal(args.StdinData, &c); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return types.PrintResult(&current.Result{CNIVersion: c.CNIVersion}, c.CNIVersion)
}

func add(args *skel.CmdArgs) error {
	c, request, err := read(args)
	if err != nil {
		return err
	}
	request.Add = true
	response, err := call(c.Socket, request)
	if err != nil {
		return err
	}
	result, err := resultOf(args, response)
	if err != nil {
		return err
	}
	result.CNIVersion = c.CNIVersion
	return types.PrintResult(result, c.CNIVersion)
}

func del(args *skel.CmdArgs) error {
	c, request, err := read(args)
	if err != nil {
		return err
	}
	_, err = call(c.Socket, request)
	return err
}

// check has nothing to check: the agent of a node does not look at NICs again either.
func check(*skel.CmdArgs) error { return nil }

func read(args *skel.CmdArgs) (config, Request, error) {
	var c config
	if err := json.Unmarshal(args.StdinData, &c); err != nil {
		return c, Request{}, fmt.Errorf("configuration: %w", err)
	}
	var pod podArgs
	if err := types.LoadArgs(args.Args, &pod); err != nil {
		return c, Request{}, fmt.Errorf("CNI_ARGS: %w", err)
	}
	return c, Request{
		Sandbox: args.ContainerID, Netns: args.Netns, Interface: args.IfName,
		Namespace: string(pod.K8S_POD_NAMESPACE), Pod: string(pod.K8S_POD_NAME),
	}, nil
}

func resultOf(args *skel.CmdArgs, response Response) (*current.Result, error) {
	result := &current.Result{
		Interfaces: []*current.Interface{{Name: args.IfName, Mac: response.MAC, Sandbox: args.Netns}},
	}
	for _, text := range response.Addresses {
		ip, prefix, err := net.ParseCIDR(text)
		if err != nil {
			return nil, fmt.Errorf("answer of the node's agent: %w", err)
		}
		result.IPs = append(result.IPs, &current.IPConfig{
			Interface: new(0), Address: net.IPNet{IP: ip, Mask: prefix.Mask},
		})
	}
	return result, nil
}
