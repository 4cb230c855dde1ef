// Package leader lets one replica at a time do some of the work: the replicas agree through a Lease. Its input are
// tasks; they run while this replica leads.
package leader

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// LeaseName is the name of the Lease in the program's own namespace.
const LeaseName = "ovnguard"

// Times of the election. A leader that cannot renew stops leaseDuration-renewDeadline before another one may begin.
const (
	leaseDuration = 8 * time.Second
	renewDeadline = 5 * time.Second
	retryPeriod   = time.Second
)

// Candidate runs the work that only one replica at a time may do: writing reports, statuses and Events, and repair.
// Webhook and audit run on every replica, and go on when the lead is lost.
//
// Two replicas may believe for a moment that they lead, when the clock of one stood still. Their tasks must be harmless
// then.
type Candidate struct {
	lock resourcelock.Interface
	log  logr.Logger
	// tasks run while this replica leads.
	tasks []func(context.Context)

	leading atomic.Bool
}

// Identity returns a name for this replica in the Lease that no other replica has.
func Identity() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("tell this replica from others: %w", err)
	}
	return host + "_" + string(uuid.NewUUID()), nil
}

// New returns a candidate for the Lease in the namespace, which names the build of the replica that leads. Its tasks
// run whenever it leads, and must end soon after their context does.
func New(
	config *rest.Config,
	namespace, identity string,
	build Build,
	log logr.Logger,
	tasks ...func(context.Context),
) (*Candidate, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	return &Candidate{
		lock: &toldOnce{
			Interface: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: LeaseName},
				Client:     clients.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
				Labels:     build.labels(),
			},
			log: log,
		},
		log:   log,
		tasks: tasks,
	}, nil
}

// Start implements manager.Runnable: it stands for election, again after each loss of the lead, until ctx ends. It
// gives up the lead after the tasks have ended, so that another replica need not wait.
func (c *Candidate) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := c.stand(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stand waits for the lead and keeps it until it is lost or ctx ends.
func (c *Candidate) stand(ctx context.Context) error {
	electing, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	defer stop()
	var begin sync.Mutex
	var work sync.WaitGroup
	forget := context.AfterFunc(ctx, func() {
		begin.Lock() // no work begins after this
		defer begin.Unlock()
		work.Wait()
		stop()
	})
	defer forget()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: c.lock, Name: LeaseName,
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				begin.Lock()
				defer begin.Unlock()
				if ctx.Err() == nil && term.Err() == nil {
					c.lead(ctx, term, &work)
				}
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				c.log.Info("a replica leads", "identity", identity, "itself", identity == c.lock.Identity())
			},
		},
	})
	if err != nil {
		return fmt.Errorf("set up the election of a leader: %w", err)
	}
	elector.Run(electing)
	begin.Lock()
	defer begin.Unlock()
	stop()
	work.Wait()
	if ctx.Err() != nil {
		c.release()
	}
	return nil
}

// lead starts the tasks. They end with the service or with the term, whichever ends first.
func (c *Candidate) lead(ctx, term context.Context, work *sync.WaitGroup) {
	c.leading.Store(true)
	doing, cancel := context.WithCancel(term)
	forget := context.AfterFunc(ctx, cancel)
	var tasks sync.WaitGroup
	for _, task := range c.tasks {
		tasks.Go(func() { task(doing) })
	}
	work.Go(func() {
		<-doing.Done()
		forget()
		tasks.Wait()
		cancel()
		c.leading.Store(false)
		c.log.Info("this replica leads no longer")
	})
}

// release gives up the Lease if this replica still holds it. Without it, others would wait until it expires.
func (c *Candidate) release() {
	ctx, cancel := context.WithTimeout(context.Background(), retryPeriod)
	defer cancel()
	held, _, err := c.lock.Get(ctx)
	if err != nil || held.HolderIdentity != c.lock.Identity() {
		return
	}
	now := metav1.Now()
	free := resourcelock.LeaderElectionRecord{
		LeaseDurationSeconds: 1,
		AcquireTime:          now,
		RenewTime:            now,
		LeaderTransitions:    held.LeaderTransitions,
	}
	if err := c.lock.Update(ctx, free); err != nil {
		c.log.Info("the lead could not be given up; another replica waits until it ends", "reason", err.Error())
	}
}

// Metric returns a metric that says whether this replica leads.
func (c *Candidate) Metric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_leader", Help: "1 while this replica is the one that repairs and reports, else 0.",
	}, func() float64 {
		if c.leading.Load() {
			return 1
		}
		return 0
	})
}

// toldOnce logs why the Lease cannot be read or written, once for each reason, because the Lease is tried every few
// seconds.
type toldOnce struct {
	resourcelock.Interface
	log logr.Logger

	mu   sync.Mutex
	told string
}

// Get implements resourcelock.Interface.
func (t *toldOnce) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := t.Interface.Get(ctx)
	if !apierrors.IsNotFound(err) { // the first replica creates it
		t.tell(err)
	}
	return record, raw, err
}

// Create implements resourcelock.Interface.
func (t *toldOnce) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	err := t.Interface.Create(ctx, r)
	t.tell(err)
	return err
}

func (t *toldOnce) tell(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case err == nil:
		t.told = ""
	case t.told != err.Error() && !errors.Is(err, context.Canceled):
		t.told = err.Error()
		t.log.Info(
			"this replica cannot stand for election; only a leader repairs and reports",
			"lease",
			t.Describe(),
			"reason",
			t.told,
		)
	}
}
