package controller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	clientdiscovery "k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/discovery"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/registration"
)

// askEvery is how long what the API server says is shown before it is asked again.
const askEvery = 10 * time.Second

// serveAPI has the server of the webhooks serve the API as well: it has a certificate, it is behind the Service, and it
// bounds connections. Every replica answers, because every one follows both sides.
func serveAPI(
	mgr ctrl.Manager,
	o Options,
	live client.Client,
	judge *monitor.Monitor,
	fed *feed.Feed,
	cluster *discovery.KubeOVN,
	log logr.Logger,
) {
	h := &healthView{options: o, live: live, fed: fed, cluster: cluster}
	mgr.GetWebhookServer().Register(api.Prefix, api.New(api.Config{
		Monitor: judge,
		Judging: fed.Judging,
		Health:  h.health,
		Stale: func() string {
			if err := fed.Ready(nil); err != nil {
				return "this may be older than it seems: " + err.Error()
			}
			return ""
		},
		Reviews: live,
		Version: o.Version,
		Now:     time.Now,
		Log:     log,
	}))
}

// healthView says what the program knows of what protection rests on.
type healthView struct {
	options Options
	live    client.Reader
	fed     *feed.Feed
	cluster *discovery.KubeOVN

	mu       sync.Mutex
	webhooks api.Webhooks
	server   api.KubernetesServer
	looked   time.Time
}

func (h *healthView) health(ctx context.Context) api.Health {
	north, south := h.fed.Databases()
	out := api.Health{Northbound: databaseHealth(h.options.Northbound, north)}
	out.APIServer, out.Webhooks = h.ask(ctx)
	if south != nil {
		out.Southbound = new(databaseHealth(h.options.Southbound, *south))
	}
	if l := h.cluster.Layout(); l != nil {
		out.Layout = new(*l)
		out.Northbound.From = l.Northbound.From
	}
	return out
}

func databaseHealth(endpoints string, d feed.Database) api.Database {
	out := api.Database{
		Reached: d.Synced(), Endpoint: endpoints, Read: "server", OVN: d.Version,
		Plaintext: ovn.PlaintextEndpoints(endpoints),
	}
	switch {
	case d.Synced():
	case d.Err != nil:
		out.Error = d.Err.Error()
	default:
		out.Error = "it is not followed: " + fmt.Sprint(d.Phase)
	}
	return out
}

// ask returns what the API server says of itself and of the registration, as of a moment ago.
func (h *healthView) ask(ctx context.Context) (*api.KubernetesServer, *api.Webhooks) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.looked) < askEvery {
		return new(h.server), new(h.webhooks)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout) // others are shown the same
	defer cancel()
	h.server = api.KubernetesServer{Address: h.options.REST.Host}
	at := rest.CopyConfig(h.options.REST)
	at.Timeout = requestTimeout
	if d, err := clientdiscovery.NewDiscoveryClientForConfig(at); err == nil {
		if v, err := d.ServerVersion(); err == nil {
			h.server.Version = v.GitVersion
		}
	}
	standing, err := registration.Stands(ctx, h.live)
	if h.webhooks = (api.Webhooks{Standing: standing}); err != nil {
		h.webhooks = api.Webhooks{Error: err.Error()}
	}
	h.looked = time.Now()
	return new(h.server), new(h.webhooks)
}
