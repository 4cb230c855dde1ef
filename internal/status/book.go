// Package status says on policies and exceptions what became of them: which ports they decide, whether they count now,
// and why not.
package status

import (
	"maps"
	"slices"
	"sync"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/monitor"
)

// Key names an exception.
type Key struct{ Namespace, Name string }

// Matched is which ports an exception changes.
type Matched struct {
	Count int
	// First are the names of the first of them, sorted.
	First []string
}

// Decided is which ports a policy decides.
type Decided struct {
	// Ports is how many, Violations how many of them are not what they must be, and Namespaces in how many namespaces
	// they are.
	Ports, Violations, Namespaces int
}

// Book keeps which ports fall under each policy and each exception. It is a monitor.Observer and safe for use by
// several goroutines.
type Book struct {
	mu         sync.Mutex
	policies   map[string]*share
	exceptions map[Key]map[string]bool // to names of ports
}

// share is what a policy decides.
type share struct {
	ports, violations int
	namespaces        map[string]int // to the number of ports
}

// NewBook returns an empty Book.
func NewBook() *Book {
	return &Book{policies: make(map[string]*share), exceptions: make(map[Key]map[string]bool)}
}

// Judged implements monitor.Observer.
func (b *Book) Judged(before, after monitor.Verdict) {
	was, is := governed(before), governed(after)
	if was == is && before.Policy == after.Policy && before.State == after.State &&
		before.Pod.Namespace == after.Pod.Namespace &&
		slices.Equal(before.Exceptions, after.Exceptions) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if was {
		b.remove(before)
	}
	if is {
		b.add(after)
	}
}

// governed reports whether somebody decides about the port: a pod claims it, and it is in use.
func governed(v monitor.Verdict) bool { return v.Counts() && v.Pod.Name != "" }

func (b *Book) add(v monitor.Verdict) {
	s := b.policies[v.Policy]
	if s == nil {
		s = &share{namespaces: make(map[string]int)}
		b.policies[v.Policy] = s
	}
	s.ports++
	s.namespaces[v.Pod.Namespace]++
	if v.State == audit.Violation {
		s.violations++
	}
	for _, name := range v.Exceptions {
		key := Key{v.Pod.Namespace, name}
		if b.exceptions[key] == nil {
			b.exceptions[key] = make(map[string]bool)
		}
		b.exceptions[key][v.Port] = true
	}
}

func (b *Book) remove(v monitor.Verdict) {
	s := b.policies[v.Policy]
	s.ports--
	if s.namespaces[v.Pod.Namespace]--; s.namespaces[v.Pod.Namespace] == 0 {
		delete(s.namespaces, v.Pod.Namespace)
	}
	if v.State == audit.Violation {
		s.violations--
	}
	if s.ports == 0 {
		delete(b.policies, v.Policy)
	}
	for _, name := range v.Exceptions {
		key := Key{v.Pod.Namespace, name}
		delete(b.exceptions[key], v.Port)
		if len(b.exceptions[key]) == 0 {
			delete(b.exceptions, key)
		}
	}
}

// Policy returns what a policy decides.
func (b *Book) Policy(name string) Decided {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.policies[name]
	if s == nil {
		return Decided{}
	}
	return Decided{Ports: s.ports, Violations: s.violations, Namespaces: len(s.namespaces)}
}

// maxPorts is how many names of ports the status of an exception holds, as its definition says.
const maxPorts = 16

// Exception returns which ports an exception changes.
func (b *Book) Exception(key Key) Matched {
	b.mu.Lock()
	defer b.mu.Unlock()
	ports := b.exceptions[key]
	first := slices.Sorted(maps.Keys(ports))
	return Matched{Count: len(ports), First: first[:min(len(first), maxPorts)]}
}

// Used reports whether an exception changes some port.
func (b *Book) Used(key Key) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.exceptions[key]) > 0
}
