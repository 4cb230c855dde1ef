// Package up puts a lab together: it checks the machine, takes the state
// directory, sweeps what a killed lab left there, starts every part, and stops
// them again.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/ovn"
	"github.com/ovnguard/ovnguard/lab/internal/process"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// maxNodes is how many nodes a lab may have; their addresses on the fabric and
// the machine are what sets an end.
const maxNodes = 9

// Options say what lab to start. The zero value is a lab of one node in .lab.
type Options struct {
	// StateDir is the state directory; empty means state.DefaultDir.
	StateDir string
	// Nodes is how many nodes there are; zero means one.
	Nodes int
	// KeepData starts with what etcd and OVN's databases held when the last
	// lab in the directory ended, instead of empty.
	KeepData bool
	// Log gets progress lines, and a message when a part ends by itself; nil
	// means nobody listens.
	Log io.Writer
	// Binary is the path of the lab's own binary, which the parts are started
	// from. Empty means OVNGUARD_LAB, or this program if it is ovnguard-lab, or
	// bin/ovnguard-lab in or above the working directory.
	Binary string
	// KubeOVN sets Kube-OVN's stand-in.
	KubeOVN KubeOVN
	// Audit has kube-apiserver keep an audit log of what is changed, in
	// log/audit.log of the state directory. It costs every request a little.
	Audit bool
}

func (o Options) complete() (Options, error) {
	if o.StateDir == "" {
		o.StateDir = state.DefaultDir
	}
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Nodes < 1 || o.Nodes > maxNodes {
		return o, fmt.Errorf("%d nodes: a lab has 1 to %d, give another number with --nodes", o.Nodes, maxNodes)
	}
	binary, err := findBinary(o.Binary)
	if err != nil {
		return o, err
	}
	o.Binary = binary
	return o, nil
}

// Lab is a running lab. Its methods may be called from several goroutines.
type Lab struct {
	options  Options
	dir      state.Dir
	lock     *state.Lock
	group    *process.Group
	progress *progress

	control *controlplane.ControlPlane
	nodes   []*ovn.Node
	info    state.Info

	stopOnce sync.Once
	stopErr  error
}

// Start starts a lab and returns when it is ready. When ctx ends during the
// start, or a part fails, what was started is stopped again. After the start
// ctx has no meaning: Stop must be called. A directory where another lab runs
// gives an error that wraps *state.HeldError.
func Start(ctx context.Context, options Options) (*Lab, error) {
	begin := time.Now()
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	if err := checkMachine(); err != nil {
		return nil, err
	}
	dir, err := state.NewDir(options.StateDir)
	if err != nil {
		return nil, err
	}
	lock, err := dir.Acquire()
	if err != nil {
		return nil, err
	}
	l := &Lab{options: options, dir: dir, lock: lock, progress: newProgress(options.Log, begin)}
	l.group = process.NewGroup(process.Options{
		Env:    []string{dir.Marker()},
		PIDDir: dir.Run(),
		OnExit: func(e *process.ExitError) { l.progress.say("%v", e) },
	})
	if err := l.start(ctx, begin); err != nil {
		l.progress.say("stopping what was started")
		return nil, errors.Join(err, l.Stop())
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context, begin time.Time) error {
	if err := Sweep(ctx, l.dir, l.progress.say); err != nil {
		return err
	}
	if err := l.dir.Prepare(l.options.KeepData); err != nil {
		return err
	}
	if err := l.assemble(ctx); err != nil {
		return err
	}
	l.info.ID = l.dir.ID()
	l.info.StateDir = string(l.dir)
	l.info.PID = os.Getpid()
	l.info.APIServer = l.control.URL()
	l.info.StartedAt = begin.UTC().Truncate(time.Second)
	l.info.ReadyIn = state.Duration(time.Since(begin))
	return l.dir.Save(l.info)
}

// Info is what the lab says about itself, the same as in lab.json.
func (l *Lab) Info() state.Info { return l.info }

// RESTConfig is a client's configuration with a fresh certificate of a user in
// groups.
func (l *Lab) RESTConfig(user string, groups ...string) (*rest.Config, error) {
	return l.control.RESTConfig(user, groups...)
}

// Admin is RESTConfig for a member of system:masters.
func (l *Lab) Admin() (*rest.Config, error) { return l.control.Admin() }

// AuditLog is the file with kube-apiserver's audit log, one JSON document a
// line, where Options.Audit asked for it.
func (l *Lab) AuditLog() string { return l.control.AuditLog() }

// Components are the names of the lab's processes in the order of their start.
func (l *Lab) Components() []string {
	var names []string
	for _, p := range l.group.Processes() {
		names = append(names, p.Name())
	}
	return names
}

// RestartComponent stops one of the lab's processes, if it still runs, starts
// it again and waits until it is ready.
func (l *Lab) RestartComponent(ctx context.Context, name string) error {
	p, err := l.component(name)
	if err != nil {
		return err
	}
	return p.Restart(ctx)
}

// KillComponent ends one of the lab's processes with SIGKILL and leaves it
// dead until RestartComponent.
func (l *Lab) KillComponent(name string) error {
	p, err := l.component(name)
	if err != nil {
		return err
	}
	return p.Kill()
}

func (l *Lab) component(name string) (*process.Process, error) {
	if p := l.group.Process(name); p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("the lab has no component %q, it has %v", name, l.Components())
}

// Stop ends all processes, removes namespaces and links, and returns the state
// directory back. Data and logs stay in it. A second call gives the first
// one's result.
func (l *Lab) Stop() error {
	l.stopOnce.Do(func() {
		// Stopping goes on to its end, whatever made the caller stop.
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		l.stopErr = errors.Join(
			l.dir.Forget(),
			l.group.Stop(),
			Sweep(ctx, l.dir, func(string, ...any) {}),
			l.lock.Release(),
		)
		l.progress.say("stopped")
	})
	return l.stopErr
}
