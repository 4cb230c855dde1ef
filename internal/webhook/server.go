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

// Bounds for callers. Anybody who reaches the port may open connections, and be as slow as these bounds allow.
const (
	// MaxConnections is the greatest number of connections at a time.
	MaxConnections = 512
	// headTimeout bounds the time for a TLS handshake, and then for the head of a request; maxHead bounds the length of a
	// head, in bytes. API servers send less than 1 KiB.
	headTimeout = 5 * time.Second
	maxHead     = 16 << 10
	// readTimeout is for requests that no webhook reads, such as one with a body for a path that is not served; webhooks
	// have a shorter timeout.
	readTimeout = 10 * time.Second
	// idleTimeout is longer than API servers keep idle connections (90 s), so that they are the ones who close them.
	idleTimeout = 2 * time.Minute
	// drainTime is how long a server that ends goes on and asks callers to use other connections. An idle connection that
	// is closed without that loses the request that a caller is sending on it just then.
	drainTime = 500 * time.Millisecond
	// endTimeout is the time for reviews that are under way to end when the program does.
	endTimeout = time.Minute
)

// Server serves webhooks over HTTPS and HTTP/1.1. It replaces controller-runtime's webhook.Server, which has no
// settings for these bounds.
type Server struct {
	// Address is the address to listen on, "host:port".
	Address string
	// TLS has the certificate. It must offer no other protocol than HTTP/1.1: with one request on a connection at a time,
	// the bound on connections bounds the requests that are being read.
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

// StartedChecker implements webhook.Server. It checks the server from inside: a connection to itself would wait with
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

// serve serves until ctx ends, and then lets the requests under way end.
func (s *Server) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.until(ctx),
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
		time.Sleep(drainTime)
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

// until returns the handler of all webhooks. When ctx has ended it closes each connection with the answer.
func (s *Server) until(ctx context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		s.mux.ServeHTTP(w, r)
	})
}

// quiet logs faults of callers only at a higher verbosity: otherwise anybody could fill the log.
type quiet struct{ log logr.Logger }

func (q quiet) Write(text []byte) (int, error) {
	q.log.V(1).Info("a connection failed", "reason", string(text))
	return len(text), nil
}
