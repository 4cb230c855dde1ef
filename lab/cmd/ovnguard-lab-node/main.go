// Command ovnguard-lab-node is what runs on a lab's nodes with a real kubelet: the node's first process, kubelet,
// kube-proxy and the CNI plugin. It is a program of its own because only `ovnguard-lab up --kubelet` needs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/ovnguard/ovnguard/lab/internal/cni"
	"github.com/ovnguard/ovnguard/lab/internal/nodecmd"
)

func main() {
	if name := filepath.Base(os.Args[0]); name == cni.Type || name == cni.Loopback {
		cni.Main(name)
		return
	}
	if err := nodecmd.New().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "ovnguard-lab-node:", err)
		os.Exit(1)
	}
}
