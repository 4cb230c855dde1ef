package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// askServer asks the API server for its version, and so whether it answers.
func askServer(ctx context.Context, config *rest.Config) (api.KubernetesServer, error) {
	at := rest.CopyConfig(config)
	if end, ok := ctx.Deadline(); ok {
		at.Timeout = time.Until(end)
	}
	d, err := discovery.NewDiscoveryClientForConfig(at)
	if err != nil {
		return api.KubernetesServer{}, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	stage(ctx, "asking the API server at "+config.Host)
	var v apiversion.Info
	raw, err := d.RESTClient().Get().AbsPath("/version").DoRaw(ctx) // ServerVersion does not end with ctx
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil {
		return api.KubernetesServer{}, unreachable(
			fmt.Errorf("ask the API server at %s for its version: %w", config.Host, err),
		)
	}
	return api.KubernetesServer{Address: config.Host, Version: v.GitVersion}, nil
}

// connect returns what is known of the API server, and a client of it.
func (c *connection) connect(ctx context.Context) (api.KubernetesServer, client.Client, error) {
	config, err := c.rest()
	if err != nil {
		return api.KubernetesServer{}, nil, err
	}
	server, err := askServer(ctx, config)
	if err != nil {
		return api.KubernetesServer{}, nil, err
	}
	live, err := newClient(config)
	return server, live, err
}

// client returns a client of the cluster. It does not connect yet.
func (c *connection) client() (client.Client, error) {
	config, err := c.rest()
	if err != nil {
		return nil, err
	}
	return newClient(config)
}

// newClient returns a client for a command that answers once. What the client would log is an error as well.
func newClient(config *rest.Config) (client.Client, error) {
	ctrl.SetLogger(logr.Discard())
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	api, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, unreachable(fmt.Errorf("connect to the API server: %w", err))
	}
	return api, nil
}

// detect works out how Kube-OVN is laid out in the cluster. What may not be read is in the layout; an API server that
// does not answer is an error.
func detect(ctx context.Context, c client.Client, wanted layout.Wanted) (layout.Layout, error) {
	l, _, err := evident(ctx, c, wanted)
	return l, err
}

// evident is detect, and returns the evidence as well.
func evident(ctx context.Context, c client.Client, wanted layout.Wanted) (layout.Layout, layout.Evidence, error) {
	stage(ctx, "looking how Kube-OVN is laid out")
	e := kube.Evidence{Live: c, Reviews: c}.Gather(ctx, nil)
	if ctx.Err() != nil {
		return layout.Layout{}, e, unreachable(fmt.Errorf("read the cluster: %w", context.Cause(ctx)))
	}
	e.Wanted = wanted
	return layout.Detect(e), e, nil
}

// healthOf returns how a database was read; err is the result of reading it.
func healthOf(endpoints, from string, d database, err error) api.Database {
	h := api.Database{
		Reached: err == nil, Endpoint: endpoints, From: from, Read: "server", OVN: d.version, Damage: d.damage,
	}
	if path, file := databaseFile(endpoints); file {
		h.Endpoint, h.Read = path, "file"
		if !d.written.IsZero() {
			h.Written = &d.written
		}
	} else {
		h.Plaintext = ovn.PlaintextEndpoints(endpoints)
	}
	if err != nil {
		h.Error = err.Error()
	}
	return h
}

// failedDatabase returns the database that an error says could not be reached; ok is false for any other error.
func failedDatabase(err error) (which ovn.Database, ok bool) {
	e, ok := errors.AsType[databaseError](err)
	return e.which, ok
}
