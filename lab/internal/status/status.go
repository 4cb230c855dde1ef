// Package status reports the state of a lab, which may run in another process.
package status

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// nodesTimeout bounds the request for the nodes.
const nodesTimeout = 3 * time.Second

// Phase is the phase of a lab's life.
type Phase string

// Phases of a lab.
const (
	// Stopped: no process holds the state directory.
	Stopped Phase = "stopped"
	// Changing: a process holds it, but has not written lab.json yet or has removed it: the lab starts or stops.
	Changing Phase = "starting or stopping"
	// Ready: the lab has been started completely.
	Ready Phase = "ready"
)

// Health is the state of one part.
type Health string

// States of a part.
const (
	// Healthy: it runs and answers.
	Healthy Health = "healthy"
	// Unhealthy: it runs but does not answer as it should; the detail says how.
	Unhealthy Health = "unhealthy"
	// Dead: it ended although nobody asked it to.
	Dead Health = "dead"
)

// Component is one process of the lab.
type Component struct {
	Name   string `json:"name"`
	PID    int    `json:"pid"`
	Health Health `json:"health"`
	Detail string `json:"detail,omitempty"`
}

// Node is a node in Kubernetes.
type Node struct {
	Name   string `json:"name"`
	Health Health `json:"health"`
	Detail string `json:"detail,omitempty"`
}

// Report is the whole lab.
type Report struct {
	StateDir string `json:"stateDir"`
	Phase    Phase  `json:"phase"`
	// Holder is the process id of the program that runs the lab.
	Holder int `json:"holder,omitempty"`
	// Lab is the lab's own description; nil unless it is ready.
	Lab        *state.Info `json:"lab,omitempty"`
	Components []Component `json:"components,omitempty"`
	Nodes      []Node      `json:"nodes,omitempty"`
}

// Running reports whether the lab is ready and every part of it is healthy.
func (r Report) Running() bool {
	if r.Phase != Ready {
		return false
	}
	for _, c := range r.Components {
		if c.Health != Healthy {
			return false
		}
	}
	for _, n := range r.Nodes {
		if n.Health != Healthy {
			return false
		}
	}
	return true
}

// Check looks at the lab in a state directory. An error means that it could not look; a lab that does not run is a
// Report.
func Check(ctx context.Context, dir state.Dir) (Report, error) {
	report := Report{StateDir: string(dir), Phase: Stopped}
	holder, held, err := dir.Holder()
	if err != nil || !held {
		return report, err
	}
	report.Phase, report.Holder = Changing, holder.PID

	records, err := process.List(dir.Run())
	if err != nil {
		return report, err
	}
	roots, err := trusted(dir)
	if err != nil {
		return report, err
	}
	report.Components = checkComponents(ctx, records, roots)

	info, err := state.Load(string(dir))
	if errors.Is(err, state.ErrNotReady) {
		return report, nil
	}
	if err != nil {
		return report, err
	}
	report.Phase, report.Lab = Ready, &info
	report.Nodes = checkNodes(ctx, info)
	return report, nil
}

// trusted returns the authority that signed the certificates of the lab's servers. A lab that has just begun has none,
// and no servers either.
func trusted(dir state.Dir) (*x509.CertPool, error) {
	ca, err := pki.LoadAuthority(dir.PKI(), controlplane.Authority)
	if errors.Is(err, fs.ErrNotExist) {
		return x509.NewCertPool(), nil
	}
	if err != nil {
		return nil, err
	}
	return ca.Pool(), nil
}

func checkComponents(ctx context.Context, records []process.Record, roots *x509.CertPool) []Component {
	components := make([]Component, len(records))
	var checks sync.WaitGroup
	for i, record := range records {
		checks.Go(func() { components[i] = checkComponent(ctx, record, roots) })
	}
	checks.Wait()
	return components
}

func checkComponent(ctx context.Context, record process.Record, roots *x509.CertPool) Component {
	c := Component{Name: record.Name, PID: record.PID, Health: Healthy}
	if !record.Alive() {
		c.Health, c.Detail = Dead, "its log says why"
		return c
	}
	if err := process.CheckHealth(ctx, record.Health, roots); err != nil {
		c.Health, c.Detail = Unhealthy, err.Error()
	}
	return c
}

// checkNodes asks Kubernetes for the condition Ready of each node of the lab.
func checkNodes(ctx context.Context, info state.Info) []Node {
	found, err := readNodes(ctx, info.Kubeconfigs[controlplane.AdminIdentity])
	var nodes []Node
	for _, node := range info.Nodes {
		n := Node{Name: node.Name, Health: Unhealthy}
		switch condition, exists := found[node.Name]; {
		case err != nil:
			n.Detail = err.Error()
		case !exists:
			n.Detail = "Kubernetes has no node of that name"
		case condition.Status == corev1.ConditionTrue:
			n.Health = Healthy
		default:
			n.Detail = fmt.Sprintf("Ready is %s: %s", condition.Status, condition.Message)
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func readNodes(ctx context.Context, kubeconfig string) (map[string]corev1.NodeCondition, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.Timeout = nodesTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	found := map[string]corev1.NodeCondition{}
	for _, node := range list.Items {
		ready := corev1.NodeCondition{Status: corev1.ConditionUnknown, Message: "not reported yet"}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				ready = condition
			}
		}
		found[node.Name] = ready
	}
	return found, nil
}
