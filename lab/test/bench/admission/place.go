package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/leftover"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/state"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// place is an API server with a store of its own and no other load, and the setting in front of the store.
type place struct {
	dir   string
	lab   *up.Lab
	scene *scene.Scene
	// bare, guard and maker are set when they have been started: the bare webhook, ovnguard, and the maker of pods.
	bare  *bare
	guard *scene.Guard
	maker *maker
}

// open starts a place.
func open(ctx context.Context) (p *place, err error) {
	p = &place{}
	if p.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err, p = errors.Join(err, p.close()), nil
		}
	}()
	if p.lab, err = up.Start(
		ctx,
		up.Options{StateDir: p.stateDir(), KubeOVN: up.KubeOVN{InspectInterval: time.Hour}},
	); err != nil {
		return p, err
	}
	if p.scene, err = scene.Open(p.lab); err != nil {
		return p, err
	}
	return p, p.quiet()
}

// stateDir returns the lab's state directory.
func (p *place) stateDir() string { return filepath.Join(p.dir, "lab") }

// quiet stops every part except the API server and the databases: plugging and scheduling pods would take measured
// time.
func (p *place) quiet() error {
	for _, name := range p.lab.Components() {
		if name == controlplane.APIServer || name == "ovn-nb" || name == "ovn-sb" {
			continue
		}
		if err := p.lab.KillComponent(name); err != nil {
			return err
		}
	}
	return nil
}

// close stops everything that runs there.
func (p *place) close() error {
	var errs []error
	if p.maker != nil {
		errs = append(errs, p.maker.Stop())
	}
	errs = append(errs, p.stopGuard())
	if p.bare != nil {
		errs = append(errs, p.bare.Stop())
	}
	if p.lab != nil {
		errs = append(errs, p.lab.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}

// processes returns the processes of the place.
func (p *place) processes() ([]int, error) {
	pids, err := leftover.PIDs(state.Dir(p.stateDir()).Marker())
	pids = append(pids, p.maker.PID())
	if p.bare != nil {
		pids = append(pids, p.bare.PID())
	}
	return pids, err
}

// keepTo keeps processes to a core.
func keepTo(pids []int, core int) error {
	var set unix.CPUSet
	set.Set(core)
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		if err != nil {
			return err
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("keeping %s to core %d: %w", task, core, err)
			}
		}
	}
	return nil
}

// cores returns two cores that this program may use.
func cores() ([2]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return [2]int{}, err
	}
	var found []int
	for i := range 8 * len(set) * int(unsafe.Sizeof(set[0])) {
		if set.IsSet(i) {
			found = append(found, i)
		}
	}
	if len(found) < 2 {
		return [2]int{}, errors.New("two cores are needed, one for each side")
	}
	return [2]int(found), nil
}
