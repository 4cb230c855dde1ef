package standin

import (
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// podBook remembers about each pod what its next task has to do.
type podBook struct {
	mu      sync.Mutex
	notes   map[string]podNotes // by namespace/name
	written map[string]uint64   // resource version of the last annotation written, by namespace/name
	seen    uint64              // highest resource version of any pod event
	highest uint64              // highest resource version written
}

// podNotes is the work of the next task for a pod in addition to what the pod itself asks for.
type podNotes struct {
	// secure asks for the security update.
	secure bool
	// gone are deleted pods of that name with ports that must go.
	gone []*corev1.Pod
}

func newPodBook() *podBook {
	return &podBook{notes: map[string]podNotes{}, written: map[string]uint64{}}
}

func (b *podBook) secure(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.notes[key]
	n.secure = true
	b.notes[key] = n
}

func (b *podBook) gone(key string, pod *corev1.Pod) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.notes[key]
	n.gone = append(n.gone, pod)
	b.notes[key] = n
}

// take returns the notes for a pod and forgets them.
func (b *podBook) take(key string) podNotes {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.notes[key]
	delete(b.notes, key)
	return n
}

// putBack adds notes that could not be handled yet.
func (b *podBook) putBack(key string, n podNotes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.notes[key]
	now.secure = now.secure || n.secure
	now.gone = append(n.gone, now.gone...)
	b.notes[key] = now
}

// wrote remembers a write to a pod, so that an older copy of it is not acted upon.
func (b *podBook) wrote(pod *corev1.Pod) {
	rv := version(pod)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.written[pod.Namespace+"/"+pod.Name] = rv
	b.highest = max(b.highest, rv)
}

// isStale reports whether the pod was written after this copy of it; an event with the newer one is on its way.
func (b *podBook) isStale(pod *corev1.Pod) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return version(pod) < b.written[pod.Namespace+"/"+pod.Name]
}

// saw records that an event was handled.
func (b *podBook) saw(pod *corev1.Pod) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = max(b.seen, version(pod))
}

// forget drops what is remembered about the writes to a pod that no longer exists.
func (b *podBook) forget(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.written, key)
}

// caughtUp reports whether every event up to a resource version, and every event of a write, was handled.
func (b *podBook) caughtUp(rv uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen >= rv && b.seen >= b.highest
}

// version returns the pod's resource version as a number; zero if it is not one.
func version(pod *corev1.Pod) uint64 {
	n, err := strconv.ParseUint(pod.ResourceVersion, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// keyedLock serialises work on the same key.
type keyedLock struct {
	mu    sync.Mutex
	locks map[string]*heldLock
}

type heldLock struct {
	sync.Mutex
	users int
}

// lock takes the lock of key and returns the function that releases it.
func (k *keyedLock) lock(key string) func() {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]*heldLock{}
	}
	l := k.locks[key]
	if l == nil {
		l = &heldLock{}
		k.locks[key] = l
	}
	l.users++
	k.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.locks, key)
		}
	}
}
