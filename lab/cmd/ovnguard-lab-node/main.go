package main

import (
	_ "k8s.io/kubernetes/cmd/kube-proxy/app"
	_ "k8s.io/kubernetes/cmd/kubelet/app"
	_ "github.com/google/go-containerregistry/pkg/v1/layout"
)

func main() {}
