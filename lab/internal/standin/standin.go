// Package standin does for pods what Kube-OVN's controller does, so that a lab has ports that look and behave like
// those of the real one: it assigns addresses, writes the pods' annotations, the IP resources and the
// Logical_Switch_Ports, reads annotations again exactly when upstream does, and leaves alone what upstream leaves
// alone. The decisions are in package upstream; this package carries them out.
package standin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/ipam"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// Defaults of a Config.
const (
	DefaultInspectInterval = 20 * time.Second
	DefaultGCInterval      = 360 * time.Second
	DefaultProbeInterval   = time.Minute
	DefaultVPC             = "ovn-cluster"
	DefaultSubnet          = "ovn-default"
	DefaultCIDR            = "10.16.0.0/16"
	JoinSubnet             = "join"
	JoinCIDR               = "100.64.0.0/16"
)

// workers is the number of tasks that run at the same time.
const workers = 3

// Config configures the stand-in. The zero value of each optional field is upstream's default.
type Config struct {
	// RESTConfig is for the API server; required.
	RESTConfig *rest.Config
	// NB is the Northbound database, such as "unix:/path"; required.
	NB string
	// Version is the release line of Kube-OVN to behave as; optional, master.
	Version upstream.Version
	// InspectInterval is the time between searches for missing ports; optional, 20 seconds; negative for never.
	InspectInterval time.Duration
	// GCInterval is the time between deletions of ports without an owner, which are deleted when they are found twice;
	// optional, 360 seconds; negative for never.
	GCInterval time.Duration
	// ProbeInterval is the time between corrections of the nodes' port groups; optional, one minute; negative for never.
	ProbeInterval time.Duration
	// IgnorePolicies makes no ACLs of NetworkPolicies.
	IgnorePolicies bool
	// ExternalVPC spares logical switches and ports that Kube-OVN did not make.
	ExternalVPC bool
	// Router is the name of the default VPC, NodeSwitch that of the nodes' subnet; optional, ovn-cluster and join.
	Router, NodeSwitch string
	// NonPrimary leaves the pods' default network to another CNI.
	NonPrimary bool
	// CIDR and JoinCIDR are the prefixes of the default subnet and the join subnet; optional, 10.16.0.0/16 and
	// 100.64.0.0/16.
	CIDR, JoinCIDR string
	// Log receives messages; nil for none.
	Log *slog.Logger
	// Ready is called once, when the stand-in has made the default network and follows changes; optional.
	Ready func()
}

func (c *Config) complete() error {
	var err error
	switch {
	case c.RESTConfig == nil:
		return errors.New("stand-in: RESTConfig is missing, give the API server's")
	case c.NB == "":
		return errors.New("stand-in: NB is missing, give the Northbound database, such as unix:/path")
	}
	if c.Version, err = upstream.ParseVersion(string(c.Version)); err != nil {
		return fmt.Errorf("stand-in: %w", err)
	}
	if c.InspectInterval == 0 {
		c.InspectInterval = DefaultInspectInterval
	}
	if c.GCInterval == 0 {
		c.GCInterval = DefaultGCInterval
	}
	if c.ProbeInterval == 0 {
		c.ProbeInterval = DefaultProbeInterval
	}
	if c.Router == "" {
		c.Router = DefaultVPC
	}
	if c.NodeSwitch == "" {
		c.NodeSwitch = JoinSubnet
	}
	if c.CIDR == "" {
		c.CIDR = DefaultCIDR
	}
	if c.JoinCIDR == "" {
		c.JoinCIDR = JoinCIDR
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Run runs the stand-in until ctx ends. It returns early with an error if it cannot start.
func Run(ctx context.Context, cfg Config) error {
	c, err := start(ctx, cfg)
	if err != nil {
		return err
	}
	if cfg.Ready != nil {
		cfg.Ready()
	}
	<-ctx.Done()
	c.stop()
	return nil
}

// controller is a running stand-in.
type controller struct {
	cfg   Config
	log   *slog.Logger
	kube  kubernetes.Interface
	dyn   dynamic.Interface
	nb    *nb.Client
	ipam  *ipam.IPAM
	event *events

	*informers
	virt  *kubeVirt
	queue *queue
	pods  *podBook
	locks keyedLock
	gc    gcMarks

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// start makes the default network, fills the address manager from the cluster's objects, and begins to follow changes.
func start(ctx context.Context, cfg Config) (_ *controller, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	rc := rest.CopyConfig(cfg.RESTConfig)
	rc.QPS = -1 // the API server's own limits are enough
	c := &controller{cfg: cfg, log: cfg.Log, ipam: ipam.New(), queue: newQueue(cfg.Log), pods: newPodBook()}
	if c.kube, err = kubernetes.NewForConfig(rc); err != nil {
		return nil, fmt.Errorf("stand-in: API server: %w", err)
	}
	if c.dyn, err = dynamic.NewForConfig(rc); err != nil {
		return nil, fmt.Errorf("stand-in: API server: %w", err)
	}
	if c.nb, err = nb.Dial(ctx, cfg.NB, cfg.Log); err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	ctx, c.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			c.stop()
		}
	}()
	if err := crd.Install(ctx, c.dyn); err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	if err := c.ensureDefaults(ctx); err != nil {
		return nil, fmt.Errorf("stand-in: default network: %w", err)
	}
	c.event = newEvents(c.kube)
	if c.informers, err = newInformers(ctx, c.kube, c.dyn); err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	if err := c.bringUp(ctx); err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	c.wg.Go(func() { c.queue.run(ctx, workers, c.do) })
	c.wg.Go(func() { c.every(ctx, cfg.InspectInterval, c.inspect) })
	c.wg.Go(func() { c.every(ctx, cfg.GCInterval, c.collect) })
	c.wg.Go(func() { c.every(ctx, cfg.ProbeInterval, c.probeNodes) })
	if err := errors.Join(c.listen(), c.listenKubeVirt(ctx)); err != nil {
		return nil, fmt.Errorf("stand-in: %w", err)
	}
	return c, nil
}

// stop ends the stand-in and waits until all of it has ended.
func (c *controller) stop() {
	c.cancel()
	c.wg.Wait()
	if c.informers != nil {
		c.wait()
	}
	if c.virt != nil {
		c.virt.factory.Shutdown()
	}
	if c.event != nil {
		c.event.stop()
	}
	c.nb.Close()
}

// do runs one task.
func (c *controller) do(ctx context.Context, t task) error {
	switch t.kind {
	case kindPod:
		return c.syncPod(ctx, t.namespace, t.name)
	case kindNode:
		return c.syncNode(ctx, t.name)
	case kindNamespace:
		return c.syncNamespace(ctx, t.name)
	case kindPolicy:
		return c.syncPolicy(ctx, t.namespace, t.name)
	case kindSubnet:
		return c.syncSubnet(ctx, t.name)
	case kindVPC:
		return c.syncVPC(ctx, t.name)
	case kindVip:
		return c.syncVip(ctx, t.name)
	case kindParents:
		return c.syncParents(ctx, t.name)
	case kindVirtual:
		return c.syncVirtual(ctx, t.name)
	case kindIP:
		return c.syncIP(ctx, t.name)
	case kindPool:
		return c.syncPool(t.name)
	case kindGroup:
		return c.syncGroup(ctx, t.name)
	case kindMigration:
		return c.syncMigration(ctx, t.namespace, t.name)
	case kindVM:
		return c.syncVM(ctx, t.namespace, t.name)
	}
	return fmt.Errorf("no handler for %q", t.kind)
}

// every calls f at each interval until ctx ends; never if the interval is negative.
func (c *controller) every(ctx context.Context, interval time.Duration, f func(context.Context) error) {
	if interval < 0 {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := f(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("periodic work failed", "error", err)
			}
		}
	}
}
