package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/bundle"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// Bounds of a container's log in an archive.
const (
	logLines = 5000
	logBytes = 2 << 20
)

// collector adds to an archive what the API server says.
type collector struct {
	o       *bundleOptions
	archive *bundle.Archive
	api     client.Client
	typed   corev1client.CoreV1Interface
}

// open sets the clients.
func (c *collector) open(config *rest.Config) (err error) {
	if c.api, err = newClient(config); err != nil {
		return err
	}
	if c.typed, err = corev1client.NewForConfig(config); err != nil {
		return unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	return nil
}

// collected is a kind of objects in an archive.
type collected struct {
	kind    schema.GroupVersionKind
	options []client.ListOption
}

func (c *collector) collect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.o.timeout)
	defer cancel()
	stage(ctx, "reading what ovnguard has in the cluster")
	const registered = "admissionregistration.k8s.io"
	own := client.InNamespace(c.o.program)
	label := client.MatchingLabels{admissionpolicy.Label: admissionpolicy.LabelValue}
	for _, k := range []collected{
		{kube.PolicyKind, nil},
		{kube.ExceptionKind, nil},
		{schema.GroupVersionKind{Group: registered, Version: "v1", Kind: "MutatingWebhookConfiguration"}, nil},
		{schema.GroupVersionKind{Group: registered, Version: "v1", Kind: "ValidatingWebhookConfiguration"}, nil},
		{
			schema.GroupVersionKind{Group: registered, Version: "v1", Kind: "MutatingAdmissionPolicy"},
			[]client.ListOption{label},
		},
		{
			schema.GroupVersionKind{Group: registered, Version: "v1", Kind: "ValidatingAdmissionPolicy"},
			[]client.ListOption{label},
		},
		{schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}, []client.ListOption{own}},
		{schema.GroupVersionKind{Version: "v1", Kind: "Service"}, []client.ListOption{own}},
		{schema.GroupVersionKind{Version: "v1", Kind: "Event"}, []client.ListOption{own}},
		{schema.GroupVersionKind{Group: "coordination.k8s.io", Version: "v1", Kind: "Lease"}, []client.ListOption{own}},
	} {
		c.list(ctx, k)
	}
	for _, pod := range c.list(ctx, collected{
		schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, []client.ListOption{own},
	}) {
		var p corev1.Pod
		raw, err := pod.MarshalJSON()
		if err == nil {
			err = json.Unmarshal(raw, &p)
		}
		if err != nil {
			c.archive.Leave("logs/"+pod.GetName(), err.Error())
			continue
		}
		c.logs(ctx, &p)
		c.metrics(ctx, &p)
	}
}

// list adds the objects of a kind, and returns them. Of webhooks, only this program's are added.
func (c *collector) list(ctx context.Context, k collected) []unstructured.Unstructured {
	name := "resources/" + strings.ToLower(k.kind.Kind) + ".json"
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(k.kind.GroupVersion().WithKind(k.kind.Kind + "List"))
	err := c.api.List(ctx, list, k.options...)
	switch {
	case meta.IsNoMatchError(err), apierrors.IsNotFound(err):
		c.archive.Leave(name, "the cluster does not serve "+k.kind.Kind)
		return nil
	case err != nil:
		c.archive.Leave(name, err.Error())
		return nil
	}
	var objects []map[string]any
	for i := range list.Items {
		o := &list.Items[i]
		if strings.HasSuffix(k.kind.Kind, "WebhookConfiguration") && !strings.HasPrefix(o.GetName(), reporter) {
			continue
		}
		objects = append(objects, bundle.Object(o.Object))
	}
	note := ""
	if len(objects) == 0 {
		objects, note = []map[string]any{}, "there is none"
	}
	c.archive.AddJSON(name, "objects of kind "+k.kind.Kind, note, map[string]any{
		"apiVersion": "v1", "kind": "List", "items": objects,
	})
	return list.Items
}

// logs adds the last lines that each container of a pod wrote, also before it was started again.
func (c *collector) logs(ctx context.Context, p *corev1.Pod) {
	for i := range p.Status.ContainerStatuses {
		s := &p.Status.ContainerStatuses[i]
		c.log(ctx, p, s.Name, false)
		if s.RestartCount > 0 {
			c.log(ctx, p, s.Name, true)
		}
	}
}

func (c *collector) log(ctx context.Context, p *corev1.Pod, container string, previous bool) {
	name, lines, limit := fmt.Sprintf("logs/%s/%s.log", p.Name, container), int64(logLines), int64(logBytes)
	if previous {
		name = fmt.Sprintf("logs/%s/%s.previous.log", p.Name, container)
	}
	stream, err := c.typed.Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, TailLines: &lines, LimitBytes: &limit,
	}).Stream(ctx)
	if err != nil {
		c.archive.Leave(name, err.Error())
		return
	}
	defer func() { _ = stream.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(stream, logBytes))
	if err != nil {
		c.archive.Leave(name, err.Error())
		return
	}
	c.archive.Add(name, fmt.Sprintf("the last %d lines at most", logLines), "", data)
}

// metricsPort is where the controller serves metrics, unless its arguments say something else.
const metricsPort = "8080"

// metrics adds the metrics of a pod, by way of the API server.
func (c *collector) metrics(ctx context.Context, p *corev1.Pod) {
	port := metricsPort
	for i := range p.Spec.Containers {
		for _, arg := range p.Spec.Containers[i].Args {
			if address, ok := strings.CutPrefix(arg, "--metrics-address="); ok {
				port = address[strings.LastIndexByte(address, ':')+1:]
			}
		}
	}
	name := "metrics/" + p.Name + ".txt"
	if n, err := strconv.Atoi(port); err != nil || n == 0 {
		c.archive.Leave(name, "the pod serves none")
		return
	}
	data, err := c.typed.Pods(p.Namespace).ProxyGet("http", p.Name, port, "metrics", nil).DoRaw(ctx)
	if err != nil {
		c.archive.Leave(name, err.Error())
		return
	}
	c.archive.Add(name, "the metrics of the pod", "", data)
}
