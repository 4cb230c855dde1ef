package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/cli"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/bench/generated"
	"github.com/ovnguard/ovnguard/test/bench/table"
)

const (
	// servedPorts is how many ports the controller knows, and servedLimit how long a status of them may take.
	servedPorts = 100_000
	servedLimit = 300 * time.Millisecond
)

// ignoring ignores the monitor's findings.
type ignoring struct{}

func (ignoring) Judged(_, _ monitor.Verdict) {}

// served measures status, the whole command, against a controller in this process. The API server's answers about token
// and rights are remembered by the controller after the first call; those of the first come from memory.
func served(ctx context.Context, _, _ string, t *table.Table) (err error) {
	m := monitor.New(monitor.SystemClock{}, ignoring{})
	m.Change(func(inv *inventory.Inventory) []string { generated.Fill(inv, servedPorts); return nil })
	m.SetEras(portsec.OVN{Version: "24.03.2"}.Eras())
	m.Start()

	reviews := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(_ context.Context, _ client.WithWatch, o client.Object, _ ...client.CreateOption) error {
			switch r := o.(type) {
			case *authenticationv1.TokenReview:
				r.Status.Authenticated, r.Status.User.Username = true, "somebody"
			case *authorizationv1.SubjectAccessReview:
				r.Status.Allowed = true
			}
			return nil
		},
	}).Build()
	server := httptest.NewUnstartedServer(api.New(api.Config{
		Monitor: m,
		Judging: func() error { return nil },
		Health: func(context.Context) api.Health {
			return api.Health{Northbound: api.Database{Reached: true, Read: "server"}}
		},
		Stale:   func() string { return "" },
		Reviews: reviews,
		Version: "bench",
		Now:     time.Now,
		Log:     logr.Discard(),
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()

	dir, err := os.MkdirTemp("", "bench-cli")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ca, kubeconfig := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "kubeconfig")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		return err
	}
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: server.URL}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"u": {Token: "token"}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c", AuthInfo: "u"}},
		CurrentContext: "c",
	}, kubeconfig)
	if err != nil {
		return err
	}

	status := func(more ...string) func() error {
		args := append([]string{
			"status", "--kubeconfig", kubeconfig, "--server", server.URL, "--server-ca", ca,
		}, more...)
		return func() error {
			var out, errs bytes.Buffer
			// Some of the generated ports are wrong, so that there are findings.
			if code := cli.Main(args, &out, &errs); code != 1 || !bytes.Contains(out.Bytes(), []byte("100000")) {
				return fmt.Errorf("%q ended with %d: %s%s", args, code, out.String(), errs.String())
			}
			return ctx.Err()
		}
	}
	// A view of the controller's is one second old at most: each of these finds none.
	old := func() {
		runtime.GC() // what filling and the last round left is not the next one's
		time.Sleep(api.Fresh + 100*time.Millisecond)
	}
	first, err := median(old, status())
	if err != nil {
		return err
	}
	again, err := median(func() {}, status())
	if err != nil {
		return err
	}
	floor, err := median(func() {}, func() error { return bare(ctx, server) })
	if err != nil {
		return err
	}
	what := fmt.Sprintf("status through the API, %d ports", servedPorts)
	line := row(what, first, servedLimit)
	line.Peer = "a request that is refused, " + floor.Round(100*time.Microsecond).String()
	t.Add(line, row(what+", again within a second", again, servedLimit))
	return nil
}

// bare makes one request over a new connection that is refused at once.
func bare(ctx context.Context, server *httptest.Server) error {
	c := server.Client()
	c.Transport.(*http.Transport).DialContext = (&net.Dialer{}).DialContext //nolint:forcetypeassert // it is httptest's
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+api.Prefix+"status", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := c.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}
