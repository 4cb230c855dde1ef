package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// Bounds of what a caller may hold. Anybody who reaches the port may open connections, and be as slow as these allow.
const (
	// MaxConnections is how many connections there are at a time.
	MaxConnections = 512
	// headTimeout is how long a TLS handshake, and then the head of a request, may take to arrive; maxHead is how long
	// a head may be, in bytes. API servers send less than 1 KiB.
	headTimeout = 5 * time.Second
	maxHead     = 16 << 10
	// readTimeout is for what no webhook reads, such as a body that is sent to a path that is not served; webhooks have
	// a shorter one.
	readTimeout = 10 * time.Second
	// idleTimeout is longer than API servers keep idle connections (90 s), so that they are the ones who close them.
	idleTimeout = 2 * time.Minute
	// endTimeout is how long reviews that were begun may take to end when the program does.
	endTimeout = time.Minute
)

// Server serves webhooks over HTTPS and HTTP/1.1. It is controller-runtime's webhook.Server, with bounds that theirs
// does not let one set.
type Server struct {
	// Address is where it listens, "host:port".
	Address string
	// TLS has the certificate. It must offer no other protocol than HTTP/1.1: with one request on a connection at a
	// time, the bound on connections is one on requests that are being read.
	TLS *tls.Config
	Log logr.Logger

	mux     http.ServeMux
	started atomic.Bool
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (*Server) NeedLeaderElection() bool { return false }

// Register implements webhook.Server.
func (s *Server) Register(path string, hook http.Handler) { s.mux.Handle(path, hook) }

// WebhookMux implements webhook.Server.
func (s *Server) WebhookMux() *http.ServeMux { return &s.mux }

// StartedChecker implements webhook.Server. It looks at the server from inside: a connection to itself would wait with
// all others.
func (s *Server) StartedChecker() healthz.Checker {
	return func(*http.Request) error {
		if !s.started.Load() {
			return errors.New("the webhook's server has not been started yet")
		}
		if _, err := s.TLS.GetCertificate(&tls.ClientHelloInfo{}); err != nil {
			return fmt.Errorf("the webhook's server has no certificate: %w", err)
		}
		return nil
	}
}

// Start implements manager.Runnable.
func (s *Server) Start(ctx context.Context) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("serve the webhook: %w", err)
	}
	return s.serve(ctx, listener)
}

// serve serves until ctx ends, and then ends what was begun.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           &s.mux,
		ReadHeaderTimeout: headTimeout,
		ReadTimeout:       readTimeout,
		MaxHeaderBytes:    maxHead,
		IdleTimeout:       idleTimeout,
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // no HTTP/2
		ErrorLog:          log.New(quiet{s.Log}, "", 0),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if secure, ok := c.(*tls.Conn); ok {
				c = secure.NetConn()
			}
			return context.WithValue(ctx, connectionKey{}, c)
		},
	}
	ended := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
		defer cancel()
		ended <- server.Shutdown(ending)
	}()
	s.started.Store(true)
	s.Log.Info("the webhook is served", "address", listener.Addr().String())
	err := server.Serve(tls.NewListener(bound(listener, MaxConnections), s.TLS))
	if ctx.Err() == nil {
		return fmt.Errorf("serve the webhook: %w", err)
	}
	if err := <-ended; err != nil {
		s.Log.Error(err, "reviews had not ended when the program did")
	}
	return nil
}

// quiet logs what callers do wrong where more is asked for: anybody could fill the log with it.
type quiet struct{ log logr.Logger }

func (q quiet) Write(text []byte) (int, error) {
	q.log.V(1).Info("a connection failed", "reason", string(text))
	return len(text), nil
}
