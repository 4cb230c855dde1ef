#!/bin/bash
# Builds etcd and kube-apiserver of another release of Kubernetes than the lab's into one program, which the tests of
# lab/test/kubernetes start as they start the lab's: kubernetes.sh VERSION OUTPUT. The first build takes many minutes.
set -euo pipefail

version=${1:?usage: kubernetes.sh VERSION OUTPUT, such as v1.31.14}
output=$(realpath -m "${2:?usage: kubernetes.sh VERSION OUTPUT}")
release=${version#v1.}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"net/url"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

// It is called as the lab's program is: component apiserver --etcd-dir DIR -- FLAGS.
func main() {
	dir := os.Args[4]
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "data")
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: filepath.Join(dir, "client.sock")}}
	// It has no peers, and nobody asks it where it is.
	nowhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.AdvertiseClientUrls, config.ListenPeerUrls, config.AdvertisePeerUrls = nowhere, nowhere, nowhere
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	config.UnsafeNoFsync = true
	config.LogLevel, config.LogOutputs = "warn", []string{"stderr"}
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		panic(err)
	}
	<-etcd.Server.ReadyNotify()
	command := app.NewAPIServerCommand()
	command.SetArgs(os.Args[6:])
	code := cli.Run(command)
	etcd.Close()
	os.Exit(code)
}
EOF
go mod init kubernetes 2>/dev/null
# k8s.io/kubernetes names its staging modules without a version: each is pinned to the release that goes with it.
source=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
# etcd is the one that the release is tested with.
etcd=$(sed -n 's|^\tgo.etcd.io/etcd/server/v3 \(v[0-9.]*\).*|\1|p' "$source/go.mod")
sed -n "s|^\tk8s.io/\([a-z-]*\) => ./staging/.*|-replace=k8s.io/\1=k8s.io/\1@v0.$release|p" "$source/go.mod" |
  xargs go mod edit "-require=k8s.io/kubernetes@$version" "-require=go.etcd.io/etcd/server/v3@$etcd"
cp "$source/go.sum" .
chmod u+w go.sum
go mod tidy 2>/dev/null
pkg=k8s.io/component-base/version
go build -ldflags "-X $pkg.gitVersion=$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=${release%%.*}" -o "$output" .
