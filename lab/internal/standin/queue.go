package standin

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// kind is the kind of object that a task is about.
type kind string

// Kinds of work.
const (
	kindPod       kind = "pod"
	kindNode      kind = "node"
	kindNamespace kind = "namespace"
	kindSubnet    kind = "subnet"
	kindVPC       kind = "vpc"
	kindVip       kind = "vip"
	kindParents   kind = "virtual parents of vip"
	kindVirtual   kind = "virtual ports of subnet"
	kindIP        kind = "ip"
	kindPool      kind = "ippool"
	kindGroup     kind = "security group"
	kindPolicy    kind = "network policy"
	kindMigration kind = "migration"
	kindVM        kind = "virtual machine"
)

// task is a piece of work: what, and which one. Tasks with the same value never run at the same time.
type task struct {
	kind            kind
	namespace, name string
}

// quickRetries is how often a failing task is tried again before idle no longer waits for it.
const quickRetries = 4

// The pauses before a failing task is tried again. On a busy machine its precondition may come late, and the task
// should not wait much longer than that.
const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = time.Second
)

// queue runs tasks with a few workers, tries failing ones again with growing delays, and knows when it is idle.
type queue struct {
	work workqueue.TypedRateLimitingInterface[task]
	log  *slog.Logger

	mu   sync.Mutex
	busy map[task]uint64 // how often the task was added since it was last idle
}

func newQueue(log *slog.Logger) *queue {
	return &queue{
		work: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[task](firstRetry, lastRetry),
		),
		log:  log,
		busy: make(map[task]uint64),
	}
}

func (q *queue) add(k kind, namespace, name string) {
	t := task{k, namespace, name}
	q.mu.Lock()
	q.busy[t]++
	q.mu.Unlock()
	q.work.Add(t)
}

// idle reports whether no task waits or runs. A task that has failed often and waits for its next try does not count.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.busy) == 0
}

// run runs n workers until ctx ends.
func (q *queue) run(ctx context.Context, n int, do func(context.Context, task) error) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for q.next(ctx, do) {
			}
		})
	}
	<-ctx.Done()
	q.work.ShutDown()
	wg.Wait()
}

func (q *queue) next(ctx context.Context, do func(context.Context, task) error) bool {
	t, shutdown := q.work.Get()
	if shutdown {
		return false
	}
	defer q.work.Done(t)
	q.mu.Lock()
	added := q.busy[t]
	q.mu.Unlock()
	err := do(ctx, t)
	if err != nil {
		q.work.AddRateLimited(t)
		if q.work.NumRequeues(t) <= quickRetries {
			q.log.Debug("try again", "kind", t.kind, "namespace", t.namespace, "name", t.name, "error", err)
			return true
		}
		q.log.Warn("keeps failing", "kind", t.kind, "namespace", t.namespace, "name", t.name, "error", err)
	} else {
		q.work.Forget(t)
	}
	q.mu.Lock()
	if q.busy[t] == added {
		delete(q.busy, t)
	}
	q.mu.Unlock()
	return true
}
