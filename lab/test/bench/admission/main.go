// Command admission measures what admission costs: reviews per second beside a bare handler that does no more than decode the
// pod, and pod creations per second through the real API server beside none and beside a bare webhook that writes the same
// patch. It fails where a bar is missed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// Bars, as shares of the peer's rate.
const (
	handlerBar = 0.70
	webhookBar = 0.90
	twinBar    = 0.85
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == bareCommand {
		if err := serveBare(ctx, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bare webhook:", err)
			os.Exit(1)
		}
		return
	}
	ok, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-admission:", err)
		os.Exit(1)
	}
	if !ok {
		fmt.Fprintln(os.Stderr, "bench-admission: a bar is missed")
		os.Exit(1)
	}
}

// bench is what the measurements share.
type bench struct {
	scene  *scene.Scene
	binary string
	bare   *bare
	guard  *scene.Guard
	// store is where the API server's store keeps its data, kept where a copy of that is.
	store, kept string
}

func run(ctx context.Context) (ok bool, err error) {
	binary := os.Getenv("OVNGUARD")
	if binary == "" {
		return false, errors.New("OVNGUARD must name the program; `make bench-admission` does")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	progress("starting a control plane and OVN")
	stateDir := filepath.Join(dir, "lab")
	lab, err := up.Start(ctx, up.Options{StateDir: stateDir, KubeOVN: up.KubeOVN{InspectInterval: time.Hour}})
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, lab.Stop()) }()
	b := &bench{binary: binary, store: filepath.Join(state.Dir(stateDir).Etcd(), "data"), kept: filepath.Join(dir, "kept")}
	if b.scene, err = scene.Open(lab); err != nil {
		return false, err
	}
	if b.bare, err = startBare(ctx); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.bare.stop()) }()
	// Only the API server works from here on: whoever plugs and schedules pods would take the time that is measured.
	if err := b.quiet(lab); err != nil {
		return false, err
	}
	var table []row
	rates, err := b.handlers(ctx)
	if err != nil {
		return false, errors.Join(err, b.stopGuard())
	}
	table = append(table, rates...)
	rates, err = b.creations(ctx)
	if err != nil {
		return false, errors.Join(err, b.stopGuard())
	}
	return write(append(table, rates...))
}

// quiet ends every part of the lab but the API server and the databases.
func (b *bench) quiet(lab *up.Lab) error {
	for _, name := range lab.Components() {
		if name == controlplane.APIServer || name == "ovn-nb" || name == "ovn-sb" {
			continue
		}
		if err := lab.KillComponent(name); err != nil {
			return err
		}
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench-admission: "+format+"\n", args...)
}

// perSecond writes a rate.
func perSecond(rate float64) string { return strconv.FormatFloat(rate, 'f', 0, 64) + "/s" }
