//go:build integration

// Package layout tries ovnguard on each layout of Kube-OVN: installed without a flag about Kube-OVN, it cuts nobody
// off.
package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

const (
	tenant = controlplane.TenantNamespace
	// waitTime bounds each wait for something that must come.
	waitTime = time.Minute
	// saidWithin is how soon the program must report that a layout is not clear.
	saidWithin = 5 * time.Second
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// cluster is a lab with a layout of Kube-OVN, and ovnguard in it.
type cluster struct {
	*scene.Scene

	guard *scene.Guard
	n     int
}

// open starts a lab, and installs ovnguard without starting it.
func open(t *testing.T, layout controlplane.KubeOVN) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "layout")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("logs are kept in", dir)
		} else if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	lab, err := up.Start(
		ctx,
		up.Options{StateDir: dir, KubeOVN: up.KubeOVN{InspectInterval: time.Hour, Layout: layout}},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Stop(); err != nil {
			t.Error(err)
		}
	})
	s, err := scene.Open(lab)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := s.InstallGuard(ctx, program(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &cluster{Scene: s, guard: guard}
}

// program returns the path of ovnguard.
func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("OVNGUARD"); path != "" {
		return path
	}
	lab, err := controlplane.FindBinary()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(filepath.Dir(lab), "ovnguard")
}

// as returns a client with the rights of a user.
func (w *cluster) as(t *testing.T, user string, groups ...string) kubernetes.Interface {
	t.Helper()
	config, err := w.Lab.RESTConfig(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	c, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually waits until ask is true, and returns how long that took.
func eventually(t *testing.T, what string, ask func() (bool, error)) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), waitTime)
	defer cancel()
	if err := scene.Wait(ctx, what, ask); err != nil {
		t.Fatal(err)
	}
	return time.Since(begin)
}

// pod makes a pod as the tenant and returns it when it runs and has a port on each of these networks.
func (w *cluster) pod(
	ctx context.Context,
	tenants kubernetes.Interface,
	name string,
	networks ...string,
) (*corev1.Pod, error) {
	now := int64(0)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &now,
			Containers:                    []corev1.Container{{Name: "main", Image: "none"}},
		},
	}
	if len(networks) > 0 {
		p.Annotations = map[string]string{kubeovn.Networks: strings.Join(networks, ",")}
	}
	p, err := tenants.CoreV1().Pods(tenant).Create(ctx, p, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, waitTime)
	defer cancel()
	err = scene.Wait(ctx, "pod "+name+" to run", func() (bool, error) {
		now, err := tenants.CoreV1().Pods(tenant).Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			p = now
		}
		return err == nil && now.Status.Phase == corev1.PodRunning, nil
	})
	return p, err
}

// podStream makes pods one after the other until end is called; end returns how many there were. Each must get its
// network.
func (w *cluster) podStream(t *testing.T, networks ...string) (end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	tenants := w.as(t, "tenant")
	var made int
	var failed error
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			// A pod that was begun is completed: only a pod that did not get its network is an error.
			if _, err := w.pod(
				context.WithoutCancel(ctx),
				tenants,
				fmt.Sprintf("flow-%d-%d", w.n, made),
				networks...); err != nil {
				failed = errors.Join(failed, err)
				return
			}
			made++
		}
	})
	return func() int {
		cancel()
		done.Wait()
		w.n++
		if failed != nil {
			t.Errorf("after %d pods: %v", made, failed)
		}
		return made
	}
}

// layouts returns the layouts of the stand-in. They follow Kube-OVN's charts.
func layouts(t *testing.T) map[string]controlplane.KubeOVN {
	t.Helper()
	return map[string]controlplane.KubeOVN{
		"chart v1":                               {},
		"chart v2 in another namespace":          {Namespace: "networking", V2: true},
		"Cozystack":                              {Namespace: "cozy-kubeovn"},
		"second CNI":                             {NonPrimary: true},
		"renamed router and subnet of the nodes": {Router: "core", NodeSwitch: "nodes"},
	}
}

const attachment = `
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata: {name: blue, namespace: tenant}
spec: {config: '{"cniVersion":"0.3.1","type":"kube-ovn","provider":"blue.tenant.ovn"}'}
---
apiVersion: kubeovn.io/v1
kind: Subnet
metadata: {name: blue}
spec: {cidrBlock: 10.50.0.0/16, provider: blue.tenant.ovn, protocol: IPv4}
`

// Installed without a flag, ovnguard cuts nobody off on any layout: pods get their network before, while and after it
// starts, it finds the real layout, and every port is strict.
func TestLayouts(t *testing.T) {
	for name, layout := range layouts(t) {
		t.Run(name, func(t *testing.T) { try(t, layout, nil) })
	}
}

// A hosted control plane has the database behind a load balancer, at an address that no node has.
func TestHostedControlPlane(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	balancer := &balancer{listener: listener}
	defer balancer.close(t)
	layout := controlplane.KubeOVN{Namespace: "tenant-kube-ovn", Northbound: "tcp:" + listener.Addr().String()}
	try(t, layout, func(w *cluster) { balancer.start(strings.TrimPrefix(w.Lab.Info().NB, "unix:")) })
	if balancer.served() == 0 {
		t.Error("the database was not reached by way of the load balancer")
	}
}

func try(t *testing.T, layout controlplane.KubeOVN, prepare func(*cluster)) {
	w := open(t, layout)
	if prepare != nil {
		prepare(w)
	}
	layout = layout.Completed()
	provider, networks := kubeovn.DefaultProvider, []string(nil)
	if layout.NonPrimary {
		if err := w.Apply(t.Context(), []byte(attachment)); err != nil {
			t.Fatal(err)
		}
		provider, networks = kubeovn.AttachmentProvider(tenant, "blue"), []string{tenant + "/blue"}
	}
	end := w.podStream(t, networks...)
	begin := time.Now()
	if err := w.guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	time.Sleep(3 * time.Second) // pods are still made after the registration
	t.Logf("%d pods got their network meanwhile", end())

	kept, err := w.Kube.CoreV1().
		ConfigMaps("ovnguard-system").
		Get(t.Context(), "ovnguard-kube-ovn", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	validating, err := w.Kube.AdmissionregistrationV1().
		ValidatingWebhookConfigurations().
		Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"system:serviceaccount:" + layout.Namespace + ":ovn",
		"system:serviceaccount:" + layout.Namespace + ":kube-ovn-cni",
	} {
		if !strings.Contains(validating.String(), "'"+want+"'") || !strings.Contains(kept.Data["layout.yaml"], want) {
			t.Errorf("account %s is not registered, or not noted:\n%s", want, kept.Data["layout.yaml"])
		}
	}
	out, code, err := w.Doctor(t.Context(), program(t))
	if err != nil || code != 0 {
		t.Fatalf("ovnguard doctor: exit code %d, %v\n%s", code, err, out)
	}
	for _, want := range []string{
		layout.Namespace, layout.Router, layout.NodeSwitch, strconv.FormatBool(layout.NonPrimary),
		"argument --cluster-router",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("ovnguard doctor does not say %q:\n%s", want, out)
		}
	}
	// A new pod is strict, and Kube-OVN wrote its row from admission's decision.
	p, err := w.pod(t.Context(), w.as(t, "tenant"), "strict", networks...)
	if err != nil {
		t.Fatal(err)
	}
	row, err := w.Nbctl(t.Context(), "lsp-get-port-security", kubeovn.PortName(p.Name, tenant, provider))
	mac := p.Annotations[provider.Key(kubeovn.MACAddress)]
	if err != nil || mac == "" || !strings.HasPrefix(row, mac) ||
		p.Annotations[provider.Key(kubeovn.PortSecurity)] != kubeovn.True {
		t.Errorf("the row's port security is %q, %v; want that of %s", row, err, mac)
	}
	if err := w.Kube.CoreV1().
		Pods(tenant).
		DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err = w.pod(t.Context(), w.as(t, "tenant"), "clean", networks...); err != nil {
		t.Fatal(err)
	}
	if layout.NonPrimary { // a pod without anything of Kube-OVN's
		if _, err := w.pod(t.Context(), w.as(t, "tenant"), "plain"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "an audit without a flag to end with 0", func() (bool, error) {
		out, code, err = w.Audit(t.Context(), program(t))
		return code == 0, err
	})
	t.Log(out)
	if out, code, err = w.Status(t.Context(), program(t)); err != nil || code != 0 ||
		!strings.Contains(out, "needs action now:\n  nothing") || !strings.Contains(out, "failurePolicy Fail") {
		t.Errorf("ovnguard status: exit code %d, %v\n%s", code, err, out)
	}
	w.gateways(t, layout, provider, networks)
	metrics, err := scene.Get(t.Context(), w.guard.Metrics)
	if err != nil || !strings.Contains(metrics, "ovnguard_kube_ovn_unclear 0") ||
		strings.Contains(metrics, "ovnguard_kube_ovn_refused_total{") {
		t.Errorf("metrics say that something is unclear, or was refused: %v", err)
	}
}

// gateways asks, as the StatefulSet's controller does, for the pod of a NAT gateway: in Kube-OVN's namespace it would
// go on forwarding, and a tenant's imitation of one would be strict.
func (w *cluster) gateways(t *testing.T, layout controlplane.KubeOVN, provider kubeovn.Provider, networks []string) {
	t.Helper()
	const name = "vpc-nat-gw-east"
	yes := true
	controller := w.as(t, "system:serviceaccount:kube-system:statefulset-controller", "system:masters")
	for namespace, want := range map[string]string{layout.Namespace: "false", tenant: kubeovn.True} {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:        name + "-0",
				Labels:      map[string]string{kubeovn.AppLabel: name, kubeovn.NATGatewayLabel: kubeovn.True},
				Annotations: map[string]string{kubeovn.NATGateway: "east"},
				OwnerReferences: []metav1.OwnerReference{
					{APIVersion: "apps/v1", Kind: "StatefulSet", Name: name, UID: "uid", Controller: &yes},
				},
			},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
		}
		if len(networks) > 0 {
			p.Annotations[kubeovn.Networks] = strings.Join(networks, ",")
		}
		got, err := controller.CoreV1().
			Pods(namespace).
			Create(t.Context(), p, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil || got.Annotations[provider.Key(kubeovn.PortSecurity)] != want {
			t.Errorf(
				"in %s, a pod of a NAT gateway: %v, %v; want port_security=%s",
				namespace,
				got.Annotations,
				err,
				want,
			)
		}
	}
}

// balancer is a load balancer for a database that listens at a unix socket.
type balancer struct {
	listener net.Listener
	running  sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

func (b *balancer) start(socket string) {
	b.running.Go(func() {
		for {
			in, err := b.listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			b.mu.Lock()
			b.conns = append(b.conns, in, out)
			b.mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				b.running.Go(func() {
					_, _ = io.Copy(way[0], way[1])
					_ = way[0].Close()
				})
			}
		}
	})
}

func (b *balancer) served() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns) / 2
}

func (b *balancer) close(t *testing.T) {
	t.Helper()
	if err := b.listener.Close(); err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	for _, c := range b.conns {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.running.Wait()
}
