// Package component runs one server of the control plane in the calling
// process. Each takes over the process: its signals, its logging, its flags.
package component

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	// etcd elects itself after an election timeout; with one member these two have no other effect.
	etcdTickMs     = 20
	etcdElectionMs = 200
	// etcdMaxRequest is the biggest request in bytes; kube-apiserver allows
	// objects of 3 MiB.
	etcdMaxRequest = 8 << 20
)

// startEtcd starts a single etcd with its data in dir/data, serving clients on the unix socket, and peers on another
// one in dir, although there are none.
func startEtcd(ctx context.Context, dir, socket string) (*embed.Etcd, error) {
	config := embed.NewConfig()
	config.Name = "lab"
	config.Dir = filepath.Join(dir, "data")
	clients := []url.URL{{Scheme: "unix", Path: socket}}
	peers := []url.URL{{Scheme: "unix", Path: filepath.Join(dir, "peer.sock")}}
	config.ListenClientUrls, config.AdvertiseClientUrls = clients, clients
	config.ListenPeerUrls, config.AdvertisePeerUrls = peers, peers
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.TickMs, config.ElectionMs = etcdTickMs, etcdElectionMs
	config.MaxRequestBytes = etcdMaxRequest
	// The data need not survive a crash of the machine.
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.LogOutputs = []string{"stderr"}

	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd, nil
	case err = <-etcd.Err():
	case <-etcd.Server.StopNotify():
		err = errors.New("it stopped")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	etcd.Close()
	return nil, fmt.Errorf("start etcd in %s: %w", dir, err)
}
