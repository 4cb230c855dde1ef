package node

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netns"

	labnetns "github.com/ovnguard/ovnguard/lab/internal/netns"
)

// offloads are features of a pod's NIC that software must do: a checksum that a real card would fill in stays wrong on
// the userspace datapath, and the receiver drops the packet.
var offloads = map[string]bool{"tx-checksum-ip-generic": false}

// withoutOffload turns checksum offload off on a link inside a namespace.
func withoutOffload(namespace, link string) error {
	done := make(chan error, 1)
	// The goroutine's thread changes its namespace and is never unlocked, so it ends with the goroutine.
	go func() {
		runtime.LockOSThread()
		done <- offloadHere(namespace, link)
	}()
	return <-done
}

func offloadHere(namespace, link string) (err error) {
	ns, err := netns.GetFromPath(labnetns.Path(namespace))
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", namespace, err)
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	if err := netns.Set(ns); err != nil {
		return fmt.Errorf("enter network namespace %s: %w", namespace, err)
	}
	e, err := ethtool.NewEthtool()
	if err != nil {
		return fmt.Errorf("ethtool: %w", err)
	}
	defer e.Close()
	if err := e.Change(link, offloads); err != nil {
		return fmt.Errorf("turn checksum offload off on %s in %s: %w", link, namespace, err)
	}
	return nil
}
