package controller

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
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// leaseName is the name of the Lease in the program's own namespace by which replicas agree on a leader.
const leaseName = "ovnguard"

// Times of the election. A leader that cannot renew stops leaseDuration-renewDeadline before another one may begin.
const (
	leaseDuration = 8 * time.Second
	renewDeadline = 5 * time.Second
	retryPeriod   = time.Second
)

// leader does what one replica alone does at a time: to write reports, statuses and Events, and to repair. Webhook and
// audit run on every replica, and go on when the lead is lost.
//
// Two replicas may believe for a moment that they lead, when the clock of one stood still. What they do must be
// harmless then.
type leader struct {
	lock resourcelock.Interface
	log  logr.Logger
	// tasks run while this replica leads. They must end soon after their context does.
	tasks []func(context.Context)

	leading atomic.Bool
}

// newLeader returns a candidate for the Lease in the namespace.
func newLeader(config *rest.Config, namespace string, log logr.Logger) (*leader, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("tell this replica from others: %w", err)
	}
	return &leader{
		lock: &toldOnce{
			Interface: &resourcelock.LeaseLock{
				LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: leaseName},
				Client:     clients.CoordinationV1(),
				LockConfig: resourcelock.ResourceLockConfig{Identity: host + "_" + string(uuid.NewUUID())},
			},
			log: log,
		},
		log: log,
	}, nil
}

// addLeader has the manager run a candidate for the lead.
func addLeader(mgr ctrl.Manager, o Options, log logr.Logger) (*leader, error) {
	l, err := newLeader(mgr.GetConfig(), o.Namespace, log.WithName("leader"))
	if err != nil {
		return nil, err
	}
	if err := metrics.Registry.Register(l.metric()); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if err := mgr.Add(l); err != nil {
		return nil, fmt.Errorf("add the election of a leader: %w", err)
	}
	return l, nil
}

// do has task run whenever this replica leads. It must be called before Start.
func (l *leader) do(task func(context.Context)) { l.tasks = append(l.tasks, task) }

// Start implements manager.Runnable: it stands for election, again after each time that the lead is lost, until ctx
// ends. The lead is given up then, when everything has ended that needed it, so that another replica need not wait.
func (l *leader) Start(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := l.stand(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stand waits for the lead and keeps it until it is lost or ctx ends.
func (l *leader) stand(ctx context.Context) error {
	electing, stop := context.WithCancel(klog.NewContext(context.WithoutCancel(ctx), logr.Discard()))
	defer stop()
	var begin sync.Mutex
	var work sync.WaitGroup
	forget := context.AfterFunc(ctx, func() {
		begin.Lock() // from here on no work begins any more
		defer begin.Unlock()
		work.Wait()
		stop()
	})
	defer forget()
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l.lock, Name: leaseName,
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(term context.Context) {
				begin.Lock()
				defer begin.Unlock()
				if ctx.Err() == nil && term.Err() == nil {
					l.lead(ctx, term, &work)
				}
			},
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				l.log.Info("a replica leads", "identity", identity, "itself", identity == l.lock.Identity())
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
		l.release()
	}
	return nil
}

// lead starts the tasks, which end with the service or with the term, whichever is first.
func (l *leader) lead(ctx, term context.Context, work *sync.WaitGroup) {
	l.leading.Store(true)
	doing, cancel := context.WithCancel(term)
	forget := context.AfterFunc(ctx, cancel)
	var tasks sync.WaitGroup
	for _, task := range l.tasks {
		tasks.Go(func() { task(doing) })
	}
	work.Go(func() {
		<-doing.Done()
		forget()
		tasks.Wait()
		cancel()
		l.leading.Store(false)
		l.log.Info("this replica leads no longer")
	})
}

// release gives up the Lease if this replica still holds it. Without it, others would wait until it ends.
func (l *leader) release() {
	ctx, cancel := context.WithTimeout(context.Background(), retryPeriod)
	defer cancel()
	held, _, err := l.lock.Get(ctx)
	if err != nil || held.HolderIdentity != l.lock.Identity() {
		return
	}
	now := metav1.Now()
	free := resourcelock.LeaderElectionRecord{
		LeaseDurationSeconds: 1,
		AcquireTime:          now,
		RenewTime:            now,
		LeaderTransitions:    held.LeaderTransitions,
	}
	if err := l.lock.Update(ctx, free); err != nil {
		l.log.Info("the lead could not be given up; another replica waits until it ends", "reason", err.Error())
	}
}

// metric says whether this replica leads.
func (l *leader) metric() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ovnguard_leader", Help: "1 while this replica is the one that repairs and reports, else 0.",
	}, func() float64 {
		if l.leading.Load() {
			return 1
		}
		return 0
	})
}

// toldOnce logs why the Lease cannot be read or written, once for each reason: it is tried every few seconds.
type toldOnce struct {
	resourcelock.Interface
	log logr.Logger

	mu   sync.Mutex
	told string
}

// Get implements resourcelock.Interface.
func (t *toldOnce) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	record, raw, err := t.Interface.Get(ctx)
	if !apierrors.IsNotFound(err) { // the first replica makes it
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
