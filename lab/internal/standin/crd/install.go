package crd

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

//go:embed definitions.yaml
var definitions []byte

// Install creates the definitions that are missing and waits until the API server serves all of them. It does not
// change an existing definition of the same name: the cluster may have Kube-OVN's own.
func Install(ctx context.Context, c dynamic.Interface) error {
	list, err := decode(definitions)
	if err != nil {
		return err
	}
	for _, d := range list {
		if _, err := c.Resource(Definitions).
			Create(ctx, d, metav1.CreateOptions{}); err != nil &&
			!apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create definition %s: %w", d.GetName(), err)
		}
	}
	for _, d := range list {
		if err := waitEstablished(ctx, c, d.GetName()); err != nil {
			return err
		}
	}
	return nil
}

func decode(text []byte) ([]*unstructured.Unstructured, error) {
	var list []*unstructured.Unstructured
	for dec := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096); ; {
		var d unstructured.Unstructured
		err := dec.Decode(&d)
		switch {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("definition %d: %w", len(list)+1, err)
		}
		list = append(list, &d)
	}
}

// waitEstablished polls every 20 ms, since the API server takes that long to serve a new definition.
func waitEstablished(ctx context.Context, c dynamic.Interface, name string) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		d, err := c.Resource(Definitions).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("definition %s: %w", name, err)
		}
		if IsEstablished(d) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("definition %s is not served: %w", name, ctx.Err())
		case <-tick.C:
		}
	}
}

// IsEstablished reports whether the API server serves the resource of a definition.
func IsEstablished(d *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(d.Object, "status", "conditions")
	for _, c := range conditions {
		m, ok := c.(map[string]any)
		if ok && m["type"] == "Established" && m["status"] == "True" {
			return true
		}
	}
	return false
}
