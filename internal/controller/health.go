package controller

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// checked is a manager whose checks give their reasons: what controller-runtime serves withholds them.
type checked struct {
	manager.Manager
	ready, alive *checks
}

// AddReadyzCheck implements manager.Manager.
func (c checked) AddReadyzCheck(name string, check healthz.Checker) error {
	return c.ready.add(name, check)
}

// AddHealthzCheck implements manager.Manager.
func (c checked) AddHealthzCheck(name string, check healthz.Checker) error {
	return c.alive.add(name, check)
}

// withChecks has the manager serve its checks at an address, and returns it as one that they are added to.
func withChecks(ctx context.Context, mgr manager.Manager, address string) (checked, error) {
	c := checked{mgr, &checks{}, &checks{}}
	if address == "" || address == "0" {
		return c, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return checked{}, fmt.Errorf("serve readiness: %w", err)
	}
	mux := http.NewServeMux()
	for path, served := range map[string]*checks{"/readyz": c.ready, "/healthz": c.alive} {
		mux.Handle(path, served)
		mux.Handle(path+"/", http.StripPrefix(path+"/", served))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := mgr.Add(&manager.Server{Name: "health probe", Server: server, Listener: listener}); err != nil {
		return checked{}, fmt.Errorf("serve readiness: %w", err)
	}
	return c, nil
}

// checks are served as one and by their names, each with its reason.
type checks struct {
	mu    sync.Mutex
	named map[string]healthz.Checker
	// notes say what should be known and lets no check fail; "" where there is nothing.
	notes []func() string
}

func (c *checks) add(name string, check healthz.Checker) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.named == nil {
		c.named = make(map[string]healthz.Checker)
	}
	c.named[name] = check
	return nil
}

// addNote has the checks show what the function returns.
func (c *checks) addNote(note func() string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes = append(c.notes, note)
}

// ServeHTTP implements http.Handler. The path is the name of one check, or that of all.
func (c *checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	named, notes := maps.Clone(c.named), slices.Clone(c.notes)
	c.mu.Unlock()
	if one := strings.Trim(r.URL.Path, "/"); !strings.HasPrefix(r.URL.Path, "/") && one != "" {
		check, known := named[one]
		if !known {
			http.NotFound(w, r)
			return
		}
		named, notes = map[string]healthz.Checker{one: check}, nil
	}
	var lines []string
	failed := false
	for _, name := range slices.Sorted(maps.Keys(named)) {
		line := "[+]" + name + " ok"
		if err := named[name](r); err != nil {
			failed = true
			line = "[-]" + name + " failed: " + strings.Join(strings.Fields(err.Error()), " ")
		}
		lines = append(lines, line)
	}
	for _, note := range notes {
		if text := note(); text != "" {
			lines = append(lines, "[!]"+text)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if failed {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprintln(w, strings.Join(lines, "\n")) //nolint:errcheck // whoever asks has gone then
}
