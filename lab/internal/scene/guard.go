package scene

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Guard is a running `ovnguard controller`, with its account and rights as in a cluster.
type Guard struct {
	// Webhook is the address that the webhook listens on.
	Webhook string
	// Metrics is the URL of its metrics.
	Metrics string
	// Ready is the URL of its readiness check.
	Ready string
	// Log is the file that it logs to.
	Log string

	scene  *Scene
	binary string
	args   []string
	// extra are the additional flags from the last Restart.
	extra []string
	// marker is in the environment of the lab's processes, so that none is overlooked.
	marker string

	// cmd is nil while the program does not run on purpose.
	cmd *exec.Cmd
	// ended is closed when the program has ended; exit is set before.
	ended chan struct{}
	exit  error
}

// endTimeout is how long the program may take to end.
const endTimeout = 20 * time.Second

// StartGuard applies the objects of deploy/ to the cluster and starts the program at path binary. It returns when the
// webhook is registered and both sides have been read. flags are given in addition to those that it always needs.
func (s *Scene) StartGuard(ctx context.Context, binary string, flags ...string) (*Guard, error) {
	g, err := s.InstallGuard(ctx, binary, flags...)
	if err != nil {
		return nil, err
	}
	return g, g.Start(ctx)
}

// InstallGuard applies the objects of deploy/ to the cluster, and returns the program without starting it.
func (s *Scene) InstallGuard(ctx context.Context, binary string, flags ...string) (*Guard, error) {
	if err := s.Apply(ctx, slices.Concat(deploy.ExceptionDefinition, deploy.PolicyDefinition)); err != nil {
		return nil, err
	}
	err := Wait(ctx, "the API server to serve ovnguard's resources", func() (bool, error) {
		resources, err := s.Kube.Discovery().ServerResourcesForGroupVersion(v1alpha1.GroupVersion.String())
		return err == nil && len(resources.APIResources) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	if err := s.Apply(ctx, deploy.RBAC); err != nil {
		return nil, err
	}
	dir := s.Lab.Info().StateDir
	kubeconfig := filepath.Join(dir, "kubeconfig", "ovnguard.yaml")
	if err := s.writeKubeconfig(
		kubeconfig,
		deploy.Account,
		"system:serviceaccounts",
		"system:serviceaccounts:ovnguard-system",
	); err != nil {
		return nil, err
	}
	stateDir, err := state.FindDir(dir)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	local := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	g := &Guard{
		Webhook: local(0),
		Metrics: "http://" + local(1) + "/metrics", Ready: "http://" + local(2) + "/readyz",
		Log: filepath.Join(dir, "ovnguard.log"), scene: s, binary: binary, marker: stateDir.Marker(),
		args: []string{
			"controller", "--kubeconfig", kubeconfig, "--log-format", "text",
			"--webhook-address", local(0), "--webhook-url", "https://localhost:" + strconv.Itoa(ports[0]),
			"--metrics-address", local(1), "--health-address", local(2),
		},
	}
	g.args = append(g.args, flags...)
	return g, nil
}

// Replica starts the program a second time, with the same rights. It listens on other ports, and registers the address
// of the first program: the API server calls only that one.
func (g *Guard) Replica(ctx context.Context) (*Guard, error) {
	r, err := g.copyWithPorts(g.Log + ".replica")
	if err != nil {
		return nil, err
	}
	return r, r.Start(ctx)
}

// Newcomer returns the program a second time, as a user of its own with another Northbound database. It is not started.
func (g *Guard) Newcomer(user, northbound string) (*Guard, error) {
	r, err := g.copyWithPorts(g.Log + "." + user)
	if err != nil {
		return nil, err
	}
	kubeconfig := filepath.Join(g.scene.Lab.Info().StateDir, "kubeconfig", user+".yaml")
	r.args = append(r.args, "--kubeconfig", kubeconfig, "--nb", northbound)
	return r, g.scene.writeKubeconfig(kubeconfig, user)
}

// copyWithPorts returns the program a second time, with other ports.
func (g *Guard) copyWithPorts(log string) (*Guard, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	local := func(i int) string { return "127.0.0.1:" + strconv.Itoa(ports[i]) }
	r := *g
	r.cmd, r.ended, r.exit = nil, nil, nil
	r.Webhook = local(0)
	r.Metrics, r.Ready, r.Log = "http://"+local(1)+"/metrics", "http://"+local(2)+"/readyz", log
	r.args = append(
		slices.Clone(g.args),
		"--webhook-address",
		local(0),
		"--metrics-address",
		local(1),
		"--health-address",
		local(2),
	)
	return &r, nil
}

// Restart ends the program and starts it with additional flags, which it keeps until the next Restart.
func (g *Guard) Restart(ctx context.Context, flags ...string) error {
	if err := g.Stop(); err != nil {
		return err
	}
	g.extra = flags
	return g.Start(ctx)
}

// RestartWithout ends the program if it runs, and starts it with additional flags. It does not wait until it is ready.
func (g *Guard) RestartWithout(flags ...string) error {
	if err := g.Stop(); err != nil {
		return err
	}
	g.extra = flags
	return g.Launch()
}

// Launch starts the program, also after Stop or Kill. The program does not outlive this process.
func (g *Guard) Launch() error {
	log, err := os.OpenFile(g.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	g.cmd, g.ended = exec.Command(g.binary, append(slices.Clip(g.args), g.extra...)...), make(chan struct{})
	g.cmd.Env = append(
		os.Environ(),
		g.marker,
		"TMPDIR="+filepath.Dir(g.Log),
	) // objects that it leaves when it is killed go with the lab
	g.cmd.Stdout, g.cmd.Stderr = log, log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go g.live(g.cmd, g.ended, started)
	err = <-started
	if err := errors.Join(err, log.Close()); err != nil {
		g.cmd = nil
		return fmt.Errorf("start %s: %w", g.binary, err)
	}
	return nil
}

// Start starts the program, also after Stop or Kill, and waits until it is ready.
func (g *Guard) Start(ctx context.Context) error {
	if err := g.Launch(); err != nil {
		return err
	}
	err := Wait(ctx, "ovnguard to be ready; see "+g.Log, func() (bool, error) {
		select {
		case <-g.ended:
			return false, fmt.Errorf("ovnguard ended before it was ready: %s\n%s", g.cmd.ProcessState, g.tail())
		default:
			return g.ready(ctx), nil
		}
	})
	if err != nil {
		return errors.Join(err, g.Stop())
	}
	return nil
}

// live starts the program and waits until it has ended. The kernel kills the program when the thread that started it
// ends, so that thread is kept until then.
func (g *Guard) live(cmd *exec.Cmd, ended chan<- struct{}, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	started <- err
	if err != nil {
		return
	}
	g.exit = cmd.Wait()
	close(ended)
}

// ready reports whether the program is ready and its webhooks are registered.
func (g *Guard) ready(ctx context.Context) bool {
	if _, err := Get(ctx, g.Ready); err != nil {
		return false
	}
	mutating, err := g.Registration(ctx)
	if err != nil || len(mutating.Webhooks) == 0 {
		return false
	}
	validating, err := g.scene.Kube.AdmissionregistrationV1().
		ValidatingWebhookConfigurations().
		Get(ctx, "ovnguard", metav1.GetOptions{})
	return err == nil && len(validating.Webhooks) > 0
}

// Registration returns the webhook configuration.
func (g *Guard) Registration(ctx context.Context) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	return g.scene.Kube.AdmissionregistrationV1().
		MutatingWebhookConfigurations().
		Get(ctx, "ovnguard", metav1.GetOptions{})
}

// URL returns the address at which the API server calls the program.
func (g *Guard) URL() string {
	url := ""
	args := append(slices.Clip(g.args), g.extra...)
	for i, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--webhook-url="); ok {
			url = value
		} else if arg == "--webhook-url" && i+1 < len(args) {
			url = args[i+1]
		}
	}
	return url
}

// Stop ends the program with SIGTERM and waits for it. A program that does not run is no error.
func (g *Guard) Stop() error { return g.end(syscall.SIGTERM) }

// Kill ends the program as a crash would.
func (g *Guard) Kill() error { return g.end(syscall.SIGKILL) }

// PID returns the process ID of the program.
func (g *Guard) PID() int { return g.cmd.Process.Pid }

// Freeze stops the program without a notice to it, like a machine that is paused; after Thaw its clock is ahead of the
// last time that it saw.
func (g *Guard) Freeze() error { return g.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen program go on.
func (g *Guard) Thaw() error { return g.cmd.Process.Signal(syscall.SIGCONT) }

func (g *Guard) end(signal syscall.Signal) error {
	if g.cmd == nil {
		return nil
	}
	if err := g.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end ovnguard: %w", err)
	}
	select {
	case <-g.ended:
	case <-time.After(endTimeout):
		err := g.cmd.Process.Kill()
		<-g.ended
		g.cmd = nil
		return errors.Join(fmt.Errorf("ovnguard did not end within %s", endTimeout), err)
	}
	g.cmd = nil
	if g.exit != nil && signal != syscall.SIGKILL {
		return fmt.Errorf("ovnguard did not end cleanly: %w: %s", g.exit, g.tail())
	}
	return nil
}

func (g *Guard) tail() string {
	data, err := os.ReadFile(g.Log)
	if err != nil {
		return err.Error()
	}
	const last = 2000
	return string(data[max(0, len(data)-last):])
}

// Run runs another command of the program against the lab and returns its output and exit code.
func (s *Scene) Run(ctx context.Context, binary string, args ...string) (output string, code int, err error) {
	return s.run(ctx, binary, append(args, "--nb", s.Lab.Info().NB)...)
}

// Doctor runs `ovnguard doctor`, and Status and Audit `ovnguard status` and `ovnguard audit`, without flags about
// Kube-OVN.
func (s *Scene) Doctor(ctx context.Context, binary string) (output string, code int, err error) {
	return s.run(ctx, binary, "doctor")
}

// Status runs `ovnguard status` in the same way.
func (s *Scene) Status(ctx context.Context, binary string) (output string, code int, err error) {
	return s.run(ctx, binary, "status")
}

// Audit runs `ovnguard audit` in the same way.
func (s *Scene) Audit(ctx context.Context, binary string) (output string, code int, err error) {
	return s.run(ctx, binary, "audit")
}

// Selftest runs `ovnguard selftest` in the same way, for a mode.
func (s *Scene) Selftest(ctx context.Context, binary, expect string) (output string, code int, err error) {
	return s.run(ctx, binary, "selftest", "--timeout=1s", "--expect", expect)
}

// Definitions runs `ovnguard definitions --apply` in the same way.
func (s *Scene) Definitions(ctx context.Context, binary string) (output string, code int, err error) {
	return s.run(ctx, binary, "definitions", "--apply")
}

func (s *Scene) run(ctx context.Context, binary string, args ...string) (output string, code int, err error) {
	args = append(args, "--kubeconfig", s.Lab.Info().Kubeconfigs["admin"])
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err = cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String() + stderr.String(), exit.ExitCode(), nil
	}
	return out.String(), 0, err
}

// Get fetches a page; any answer except 200 is an error.
func Get(ctx context.Context, url string) (body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 5 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", url, res.Status, data)
	}
	return string(data), nil
}

func (s *Scene) writeKubeconfig(path, user string, groups ...string) error {
	config, err := s.Lab.RESTConfig(user, groups...)
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(kubeconfigOf(config), path)
}

func kubeconfigOf(c *rest.Config) api.Config {
	const name = "lab"
	return api.Config{
		Clusters:       map[string]*api.Cluster{name: {Server: c.Host, CertificateAuthorityData: c.CAData}},
		AuthInfos:      map[string]*api.AuthInfo{name: {ClientCertificateData: c.CertData, ClientKeyData: c.KeyData}},
		Contexts:       map[string]*api.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}

// Ports of the program are below those that Linux assigns to outgoing connections (32768 and up), and differ from the
// control plane's: none may be taken when the program starts again.
const (
	firstPort = 10000
	portCount = 10000
	portTries = 100
)

// freePorts returns ports of the loopback interface that nobody listens on.
func freePorts(n int) (ports []int, err error) {
	var last error
	for range portTries {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(portCount)
		l, taken := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if taken != nil {
			last = taken
			continue
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("no %d free loopback ports between %d and %d: %w", n, firstPort, firstPort+portCount-1, last)
}
