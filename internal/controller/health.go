package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// checks are served as one and by their names, each with its reason: what controller-runtime serves withholds them.
type checks struct {
	named map[string]healthz.Checker
	// notes say what should be known and lets no check fail; "" where there is nothing.
	notes []func() string
}

// addHealth has the manager serve its checks at an address.
func addHealth(ctx context.Context, mgr manager.Manager, address string, alive, ready checks) error {
	if address == nowhere {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve readiness: %w", err)
	}
	mux := http.NewServeMux()
	for path, served := range map[string]checks{"/readyz": ready, "/healthz": alive} {
		mux.Handle(path, served)
		mux.Handle(path+"/", http.StripPrefix(path+"/", served))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	if err := mgr.Add(&manager.Server{Name: "health probe", Server: server, Listener: listener}); err != nil {
		return fmt.Errorf("serve readiness: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler. The path is the name of one check, or that of all.
func (c checks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	named, notes := c.named, c.notes
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

// serveWaiting serves the health checks while nothing else runs, until stop is called: alive, and not ready for a
// reason.
func serveWaiting(address string, ready healthz.Checker, log logr.Logger) (stop func()) {
	if address == nowhere {
		return func() {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, ready(r).Error(), http.StatusServiceUnavailable)
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: requestTimeout}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Error(err, "health checks are not served while Kube-OVN's layout is not known", "address", address)
		}
	}()
	return func() { _ = server.Close() } // its address is needed for the checks of all the rest
}
