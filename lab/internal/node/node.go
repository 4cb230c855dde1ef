// Package node is the agent of one node of a lab. It does the work of a kubelet and of Kube-OVN's daemon, as far as a
// pod is only a network namespace: it registers the node, renews its lease, plugs the NICs of its pods into the
// integration bridge, reports the pods as running, and removes them again.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/keymutex"
)

// workers is the number of pods that are handled at the same time: each waits for its ports now and then.
const workers = 8

// sandboxLocks is the number of locks for sandboxes: so many that two rarely share one.
const sandboxLocks = 64

// Config configures the agent of a node.
type Config struct {
	// RESTConfig is for the API server, with the node's user; required.
	RESTConfig *rest.Config
	// LabID is the lab's id; names of namespaces begin with it.
	LabID string
	// Name is the node's name, Netns its network namespace, IP its address.
	Name  string
	Netns string
	IP    string
	// OVSDB is the endpoint of its Open vSwitch database, Bridge the integration bridge.
	OVSDB  string
	Bridge string
	// PluginSocket is where a container runtime's CNI plugin asks for NICs. If it is set, the node has a kubelet: the
	// agent serves the plugin and leaves the rest of a kubelet's work.
	PluginSocket string
	// Router, NodeSwitch and ServiceCIDR are the cluster's router, the nodes' subnet on it and the range of Services: a
	// node with a kubelet has routes to them.
	Router, NodeSwitch, ServiceCIDR string
	// Tainted keeps pods that do not ask for this node away from it: other nodes run their containers.
	Tainted bool
	// NonPrimary means that another CNI makes the pods' default network; the lab has no such CNI.
	NonPrimary bool
	// Log receives messages; nil for none.
	Log *slog.Logger
	// Ready is called once, when the node is registered and handles its pods; optional.
	Ready func()
}

func (c *Config) complete() error {
	if c.RESTConfig == nil {
		return errors.New("node agent: RESTConfig is missing, give the API server's")
	}
	for field, value := range map[string]string{
		"LabID": c.LabID, "Name": c.Name, "Netns": c.Netns, "IP": c.IP, "OVSDB": c.OVSDB, "Bridge": c.Bridge,
	} {
		if value == "" {
			return fmt.Errorf("node agent: %s is missing", field)
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// agent is a running node agent.
type agent struct {
	Config
	kube    kubernetes.Interface
	dynamic dynamic.Interface
	pods    listers.PodLister
	queue   workqueue.TypedRateLimitingInterface[string]
	bridge  bridge

	// gateways are the router's addresses on the nodes' subnet, on a node with a kubelet.
	gateways []netip.Addr
	// kubeletTurn is held while the NICs of one sandbox change.
	kubeletTurn keymutex.KeyMutex

	mu sync.Mutex
	// plugged has, by "namespace/name", the UID of the pod with plugged NICs.
	plugged map[string]string
}

// Run runs the node's agent until ctx ends. The plugged NICs stay, so that the agent takes them over when it starts
// again.
func Run(ctx context.Context, c Config) error {
	if err := c.complete(); err != nil {
		return err
	}
	rc := rest.CopyConfig(c.RESTConfig)
	rc.QPS = -1 // the API server's own limits are enough
	kube, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return fmt.Errorf("node agent: API server: %w", err)
	}
	dyn, err := dynamic.NewForConfig(rc)
	if err != nil {
		return fmt.Errorf("node agent: API server: %w", err)
	}
	if c.PluginSocket != "" {
		return newAgent(c, kube, dyn).serveKubelet(ctx)
	}
	return newAgent(c, kube, dyn).run(ctx)
}

func newAgent(c Config, kube kubernetes.Interface, dyn dynamic.Interface) *agent {
	return &agent{
		Config:  c,
		kube:    kube,
		dynamic: dyn,
		bridge:  bridge{ovsdb: c.OVSDB, name: c.Bridge},
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](20*time.Millisecond, 2*time.Second),
		),
		kubeletTurn: keymutex.NewHashed(sandboxLocks),
		plugged:     make(map[string]string),
	}
}

func (a *agent) run(ctx context.Context) error {
	if err := a.register(ctx); err != nil {
		return fmt.Errorf("node agent: register %s: %w", a.Name, err)
	}
	return a.work(ctx)
}

// podInformer returns an informer of the node's pods, with the factory that starts it.
func (a *agent) podInformer() (informers.SharedInformerFactory, coreinformers.PodInformer) {
	factory := informers.NewSharedInformerFactoryWithOptions(
		a.kube,
		0,
		informers.WithTweakListOptions(fieldSelector(a.Name)),
	)
	return factory, factory.Core().V1().Pods()
}

// work follows the node's pods until ctx ends.
func (a *agent) work(ctx context.Context) error {
	factory, informer := a.podInformer()
	a.pods = informer.Lister()
	enqueue := func(o any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(o); err == nil {
			a.queue.Add(key)
		}
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, o any) { enqueue(o) }, DeleteFunc: enqueue,
	})
	if err != nil {
		return fmt.Errorf("node agent: follow pods: %w", err)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		return ctx.Err()
	}
	if err := a.adopt(ctx); err != nil {
		return fmt.Errorf("node agent: take over what an earlier one plugged: %w", err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { a.keepAlive(ctx) })
	for range workers {
		wg.Go(func() { a.next(ctx) })
	}
	if a.Ready != nil {
		a.Ready()
	}
	<-ctx.Done()
	a.queue.ShutDown()
	wg.Wait()
	return nil
}

// next handles one pod after the other until the queue is shut down.
func (a *agent) next(ctx context.Context) {
	for {
		key, shutdown := a.queue.Get()
		if shutdown {
			return
		}
		err := a.sync(ctx, key)
		switch {
		case err == nil || ctx.Err() != nil:
			a.queue.Forget(key)
		default:
			a.Log.Warn("pod is tried again", "pod", key, "error", err)
			a.queue.AddRateLimited(key)
		}
		a.queue.Done(key)
	}
}

// podOf returns the pod of a key, nil if it is gone.
func (a *agent) podOf(key string) (*corev1.Pod, error) {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return nil, err
	}
	p, err := a.pods.Pods(namespace).Get(name)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // a lister's only error is that the pod is not there
	}
	return p, nil
}

func nodeSelector(name string) string {
	return fields.OneTermEqualSelector("spec.nodeName", name).String()
}
