// Package up assembles a lab: it checks the machine, locks the state directory, removes what a killed lab left there,
// starts every part, and stops them again.
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
	"github.com/ovnguard/ovnguard/lab/internal/relay"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// maxNodes is the greatest number of nodes of a lab; their addresses on the fabric and the machine limit it.
const maxNodes = 9

// Options configure a lab. The zero value is a lab of one node in .lab.
type Options struct {
	// StateDir is the state directory; empty means state.DefaultDir.
	StateDir string
	// Nodes is the number of nodes; zero means one, or as many as Kubelets.
	Nodes int
	// Kubelets is the number of nodes, from the first, that have a real kubelet and run containers.
	Kubelets int
	// KeepData starts with the data of etcd and OVN's databases from the end of the last lab in the directory, instead of
	// empty.
	KeepData bool
	// Log receives progress lines, and a message when a part ends by itself; nil for none.
	Log io.Writer
	// Binary is the path of the lab's own binary, which runs the parts. Empty means OVNGUARD_LAB, or this program if it is
	// ovnguard-lab, or bin/ovnguard-lab in or above the working directory.
	Binary string
	// KubeOVN configures Kube-OVN's stand-in.
	KubeOVN KubeOVN
	// nodeBinary and podBinary are the programs of nodes with a kubelet, and of the containers on them.
	nodeBinary, podBinary string
	// Audit makes kube-apiserver keep an audit log of changes, in log/audit.log of the state directory. It slows every
	// request a little.
	Audit bool
}

func (o Options) complete() (Options, error) {
	if o.StateDir == "" {
		o.StateDir = state.DefaultDir
	}
	if o.Nodes == 0 {
		o.Nodes = max(1, o.Kubelets)
	}
	if o.Kubelets < 0 || o.Kubelets > o.Nodes {
		return o, fmt.Errorf("%d nodes with a kubelet among %d: give --kubelet a number from 0 to that of --nodes",
			o.Kubelets, o.Nodes)
	}
	if o.Nodes < 1 || o.Nodes > maxNodes {
		return o, fmt.Errorf("%d nodes: a lab has 1 to %d, give another number with --nodes", o.Nodes, maxNodes)
	}
	binary, err := findBinary(o.Binary)
	if err != nil {
		return o, err
	}
	o.Binary = binary
	if o.Kubelets > 0 {
		return o, o.completeKubelets()
	}
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
	relays  []*relay.Relay
	info    state.Info

	stopOnce sync.Once
	stopErr  error
}

// Start starts a lab and returns when it is ready. When ctx ends during the start, or a part fails, the started parts
// are stopped again. After the start ctx has no meaning: Stop must be called. If another lab runs in the directory, the
// error wraps *state.HeldError.
func Start(ctx context.Context, options Options) (*Lab, error) {
	begin := time.Now()
	options, err := options.complete()
	if err != nil {
		return nil, err
	}
	if err := checkMachine(options.Kubelets > 0); err != nil {
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

// Info returns the lab's description, the same as in lab.json.
func (l *Lab) Info() state.Info { return l.info }

// RESTConfig returns a client's configuration with a new certificate of a user in groups.
func (l *Lab) RESTConfig(user string, groups ...string) (*rest.Config, error) {
	return l.control.RESTConfig(user, groups...)
}

// Admin returns a RESTConfig for a member of system:masters.
func (l *Lab) Admin() (*rest.Config, error) { return l.control.Admin() }

// AuditLog returns the path of kube-apiserver's audit log, one JSON document a line, if Options.Audit asked for it.
func (l *Lab) AuditLog() string { return l.control.AuditLog() }

// Components returns the names of the lab's processes in the order of their start.
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

// Stop ends all processes, removes namespaces and links, and unlocks the state directory. Data and logs stay in it. A
// second call returns the result of the first.
func (l *Lab) Stop() error {
	l.stopOnce.Do(func() {
		// Stopping goes on to its end, whatever made the caller stop.
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		l.stopErr = errors.Join(
			l.dir.Forget(),
			l.group.Stop(),
			l.closeRelays(),
			Sweep(ctx, l.dir, func(string, ...any) {}),
			l.lock.Release(),
		)
		l.progress.say("stopped")
	})
	return l.stopErr
}
