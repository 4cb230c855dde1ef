package cni

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/google/go-cmp/cmp"
)

// serving serves handle until the test has ended, and returns the socket.
func serving(t *testing.T, handle Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cni")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- Serve(ctx, socket, handle, func() { close(ready) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return socket
}

// What the runtime gives the plugin reaches the agent, and the agent's answer the runtime.
func TestPluginAsksTheAgent(t *testing.T) {
	var got Request
	var root string
	socket := serving(t, func(_ context.Context, dir string, r Request) (Response, error) {
		got, root = r, dir
		return Response{MAC: "0a:00:00:00:00:01", Addresses: []string{"10.16.0.2/16", "fd00::2/112"}}, nil
	})
	args := &skel.CmdArgs{
		ContainerID: "c1", Netns: "/var/run/netns/x", IfName: "eth0",
		Args:      "IgnoreUnknown=1;K8S_POD_NAMESPACE=ns;K8S_POD_NAME=web-0;K8S_POD_UID=1",
		StdinData: fmt.Appendf(nil, `{"cniVersion":"1.0.0","name":"n","type":"ovnguard-lab","socket":%q}`, socket),
	}
	c, request, err := read(args)
	if err != nil {
		t.Fatal(err)
	}
	request.Add = true
	response, err := call(c.Socket, request)
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Add: true, Sandbox: "c1", Netns: "/var/run/netns/x", Interface: "eth0", Namespace: "ns", Pod: "web-0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the agent was asked for\n%s", diff)
	}
	if want := fmt.Sprintf("/proc/%d/root", os.Getpid()); root != want {
		t.Errorf("the plugin's file system is %s, want %s", root, want)
	}
	result, err := resultOf(args, response)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.IPs) != 2 || result.IPs[1].Address.String() != "fd00::2/112" ||
		result.Interfaces[0].Mac != "0a:00:00:00:00:01" || result.Interfaces[0].Sandbox != args.Netns {
		t.Errorf("the runtime gets %v", result)
	}
}

func TestAgentSaysWhatIsWrong(t *testing.T) {
	socket := serving(t, func(context.Context, string, Request) (Response, error) {
		return Response{MAC: "ignored"}, errors.New("pod ns/web-0 has no addresses yet")
	})
	if _, err := call(socket, Request{}); err == nil || !strings.Contains(err.Error(), "no addresses yet") {
		t.Errorf("got %v", err)
	}
	if _, err := call(socket+".missing", Request{}); err == nil || !strings.Contains(err.Error(), "agent") {
		t.Errorf("without an agent: %v", err)
	}
}
