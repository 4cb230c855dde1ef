package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The journal is a ring of ConfigMaps; writes go to the newest one.
const (
	// Label marks its ConfigMaps.
	Label = "ovnguard.io/journal"
	// prefix and a number are their names.
	prefix = "ovnguard-journal-"
	// key is where the lines are.
	key = "changes"
	// chunkSize is how many bytes one holds before the next is begun, and chunks how many are kept.
	chunkSize = 48 << 10
	chunks    = 32
)

// Journal writes changes down. It is safe for use by several goroutines.
type Journal struct {
	// Client reads and writes ConfigMaps, not from a cache.
	Client client.Client
	// Namespace is the program's own.
	Namespace string
	// By is the replica that makes the changes.
	By string
	// Now returns the time; time.Now outside tests.
	Now func() time.Time

	mu      sync.Mutex
	begun   time.Time
	n       uint64
	current *corev1.ConfigMap
	pending []string // outcomes that are to be written with the next change, or by Flush
}

// Begin writes down what is meant to be done and returns the entries with their IDs. Nothing may be changed where it
// fails.
func (j *Journal) Begin(ctx context.Context, entries []Entry) ([]Entry, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.begun.IsZero() {
		j.begun = j.Now()
	}
	out := slices.Clone(entries)
	lines := slices.Clone(j.pending)
	for i := range out {
		j.n++
		out[i].ID, out[i].Time, out[i].By = newID(j.begun, j.n), j.Now().UTC(), j.By
		line, err := out[i].line()
		if err != nil {
			return nil, fmt.Errorf("write down a change of port %s: %w", out[i].Port, err)
		}
		lines = append(lines, line)
	}
	if err := j.append(ctx, lines); err != nil {
		return nil, err
	}
	j.pending = nil
	return out, nil
}

// End notes what became of changes. It is written with the next Begin, or by Flush.
func (j *Journal) End(entries []Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range entries {
		if line, err := e.outcome().line(); err == nil {
			j.pending = append(j.pending, line)
		}
	}
}

// Flush writes outcomes that wait. They stay where it fails.
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.pending) == 0 {
		return nil
	}
	if err := j.append(ctx, j.pending); err != nil {
		return err
	}
	j.pending = nil
	return nil
}

// attempts is how often a line is tried to be written beside another replica that believes to lead.
const attempts = 5

// append adds lines to the newest ConfigMap, and begins another where it is full.
func (j *Journal) append(ctx context.Context, lines []string) error {
	var err error
	for range attempts {
		if err = j.tryAppend(ctx, strings.Join(lines, "")); err == nil {
			return nil
		}
		j.current = nil // another replica wrote, or somebody deleted it: look again
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) && !apierrors.IsNotFound(err) {
			break
		}
	}
	return fmt.Errorf("write the journal: %w", err)
}

func (j *Journal) tryAppend(ctx context.Context, text string) error {
	if j.current == nil {
		list, err := list(ctx, j.Client, j.Namespace)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return j.start(ctx, 1, text)
		}
		j.current = &list[len(list)-1]
	}
	if len(j.current.Data[key]) > 0 && len(j.current.Data[key])+len(text) > chunkSize {
		return j.start(ctx, number(j.current)+1, text)
	}
	next := j.current.DeepCopy()
	if next.Data == nil {
		next.Data = make(map[string]string)
	}
	next.Data[key] += text
	if err := j.Client.Update(ctx, next); err != nil {
		return err
	}
	j.current = next
	return nil
}

// start begins the n-th ConfigMap and takes away those that are too many.
func (j *Journal) start(ctx context.Context, n int, text string) error {
	next := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: j.Namespace,
			Name:      prefix + strconv.Itoa(n),
			Labels:    map[string]string{Label: "true"},
		},
		Data: map[string]string{key: text},
	}
	if err := j.Client.Create(ctx, next); err != nil {
		return err
	}
	j.current = next
	all, err := list(ctx, j.Client, j.Namespace)
	if err != nil {
		return nil //nolint:nilerr // what is too much is taken away another time
	}
	for i := range max(len(all)-chunks, 0) {
		if err := j.Client.Delete(ctx, &all[i]); err != nil && !apierrors.IsNotFound(err) {
			return nil
		}
	}
	return nil
}

// list returns the ConfigMaps of the journal, the oldest first.
func list(ctx context.Context, c client.Reader, namespace string) ([]corev1.ConfigMap, error) {
	var all corev1.ConfigMapList
	if err := c.List(ctx, &all, client.InNamespace(namespace), client.MatchingLabels{Label: "true"}); err != nil {
		return nil, err
	}
	slices.SortFunc(all.Items, func(a, b corev1.ConfigMap) int { return number(&a) - number(&b) })
	return all.Items, nil
}

// number returns the number of a ConfigMap of the journal; 0 where it has none.
func number(c *corev1.ConfigMap) int {
	n, err := strconv.Atoi(strings.TrimPrefix(c.Name, prefix))
	if err != nil {
		return 0
	}
	return n
}

// ErrUnreadable is wrapped by the error of Read that tells of lines that could not be read.
var ErrUnreadable = errors.New("the journal has lines that cannot be read")

// Read returns all changes that are still kept, the oldest first. Where some lines cannot be read, it gives the others
// with an error.
func Read(ctx context.Context, c client.Reader, namespace string) ([]Entry, error) {
	all, err := list(ctx, c, namespace)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return parseAll(all)
}

// parseAll returns the changes in these ConfigMaps.
func parseAll(all []corev1.ConfigMap) ([]Entry, error) {
	var text strings.Builder
	for i := range all {
		text.WriteString(all[i].Data[key])
		text.WriteByte('\n')
	}
	entries, unreadable := Parse(text.String())
	if unreadable > 0 {
		return entries, fmt.Errorf("%w: %d", ErrUnreadable, unreadable)
	}
	return entries, nil
}
