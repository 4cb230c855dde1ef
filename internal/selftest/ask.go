package selftest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Answer is what the API server makes of a new pod that asks to be open.
type Answer struct {
	// Annotation is what Kube-OVN would read on the pod.
	Annotation string
	Warnings   []string
}

// Ask asks the API server as a user does, with a dry run: no pod is made. It needs no more than the right to create
// pods in the namespace.
func Ask(ctx context.Context, config *rest.Config, namespace string) (Answer, error) {
	warned := &warnings{}
	config = rest.CopyConfig(config)
	config.WarningHandler = warned
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Answer{}, fmt.Errorf("connect to the API server: %w", err)
	}
	p := &prober{namespace: namespace}
	pod := p.pod(map[string]string{decides: loosely})
	got, err := client.CoreV1().
		Pods(namespace).
		Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return Answer{}, fmt.Errorf("make a pod in namespace %s with a dry run: %w", namespace, err)
	}
	return Answer{Annotation: got.Annotations[decides], Warnings: warned.take()}, nil
}

// Shows reports whether the answer is that of a cluster with the mode, where the pod must be strict; why says in words
// what the answer was.
func (a Answer) Shows(m policy.Mode) (ok bool, why string) {
	warns := slices.ContainsFunc(a.Warnings, func(w string) bool { return strings.Contains(w, decides) })
	switch {
	case a.Annotation == kubeovn.True:
		return m == policy.Enforce, "a pod that asks to be open is made strict"
	case a.Annotation != loosely:
		return false, fmt.Sprintf("somebody else wrote %s: %q on the pod", decides, a.Annotation)
	case warns:
		return m == policy.Warn, "a pod that asks to be open stays open, and its author is warned"
	}
	return m == policy.Audit, "a pod that asks to be open stays open, and its author is told nothing"
}
