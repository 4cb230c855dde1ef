package controller

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// valid returns valid options, after some changes.
func valid(changes ...func(*Options)) Options {
	o := Options{
		Northbound: "tcp:10.0.0.1:6641", Namespace: "ovnguard-system", WebhookAddress: ":9443",
		WebhookService:    types.NamespacedName{Namespace: "ovnguard-system", Name: "ovnguard"},
		SelfTestNamespace: "ovnguard-selftest", SelfTestInterval: 30 * time.Second,
		MetricsAddress: "127.0.0.1:8080", HealthAddress: "0",
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		change func(*Options)
		says   []string // nothing means that the options are valid
	}{
		"as they must be": {func(*Options) {}, nil},
		"by URL": {
			func(o *Options) { o.WebhookURL, o.WebhookService = "https://localhost:9443", types.NamespacedName{} },
			nil,
		},
		"URL without port":     {func(o *Options) { o.WebhookURL = "https://guard.example.org" }, nil},
		"endpoint is detected": {func(o *Options) { o.Northbound = "" }, nil},
		"no such endpoint":     {func(o *Options) { o.Northbound = "udp:h:1" }, []string{"--nb", "udp:h:1"}},
		"Southbound": {
			func(o *Options) { o.Southbound = "10.0.0.1:6642" },
			[]string{"--sb", "10.0.0.1:6642", "tcp:HOST:PORT"},
		},
		"release of Kube-OVN": {
			func(o *Options) { o.KubeOVNRelease = "latest" },
			[]string{"--kube-ovn-release", `"latest"`, "v1.14.28"},
		},
		"release of OVN": {
			func(o *Options) { o.OVNVersion = "new" },
			[]string{"--ovn-version", `"new"`, "YEAR.MONTH.PATCH"},
		},
		"no namespace":      {func(o *Options) { o.Namespace = "" }, []string{"--namespace"}},
		"no such namespace": {func(o *Options) { o.Namespace = "Guard" }, []string{"--namespace", `"Guard"`}},
		"listening, no port": {
			func(o *Options) { o.WebhookAddress = "localhost" },
			[]string{"--webhook-address", "host:port"},
		},
		"listening, port name": {
			func(o *Options) { o.WebhookAddress = ":https" },
			[]string{"--webhook-address", "1 to 65535"},
		},
		"listening, port 0": {
			func(o *Options) { o.WebhookAddress = ":0" },
			[]string{"--webhook-address", "1 to 65535"},
		},
		"URL, plain HTTP": {
			func(o *Options) { o.WebhookURL = "http://localhost:9443" },
			[]string{"--webhook-url", "https://host:port"},
		},
		"URL with a path": {
			func(o *Options) { o.WebhookURL = "https://localhost:9443/hook" },
			[]string{"--webhook-url", "nothing more"},
		},
		"URL with a slash": {
			func(o *Options) { o.WebhookURL = "https://localhost:9443/" },
			[]string{"--webhook-url", "nothing more"},
		},
		"URL with a question": {
			func(o *Options) { o.WebhookURL = "https://localhost:9443?x=1" },
			[]string{"--webhook-url", "nothing more"},
		},
		"URL with a user": {
			func(o *Options) { o.WebhookURL = "https://me@localhost:9443" },
			[]string{"--webhook-url", "nothing more"},
		},
		"URL with a number": {
			func(o *Options) { o.WebhookURL = "https://[::1]:9443" },
			[]string{"--webhook-url", "localhost"},
		},
		"URL, port too high": {
			func(o *Options) { o.WebhookURL = "https://localhost:99999" },
			[]string{"--webhook-url", "65535"},
		},
		"no service": {
			func(o *Options) { o.WebhookService = types.NamespacedName{} },
			[]string{"--webhook-service", "namespace/name"},
		},
		"service with a path": {
			func(o *Options) { o.WebhookService.Name = "a/b" },
			[]string{"--webhook-service", "ovnguard-system/a/b"},
		},
		"metrics": {
			func(o *Options) { o.MetricsAddress = "8080" },
			[]string{"--metrics-address", "host:port", "0 for nowhere"},
		},
		"health": {
			func(o *Options) { o.HealthAddress = "" },
			[]string{"--health-address", "host:port", "0 for nowhere"},
		},
		"names without CA": {
			func(o *Options) { o.ClientNames = []string{"a"} },
			[]string{"--client-names", "--client-ca"},
		},
		"self-test at home": {
			func(o *Options) { o.SelfTestNamespace = o.Namespace },
			[]string{"--selftest-namespace", "another namespace"},
		},
		"self-test nowhere": {func(o *Options) { o.SelfTestNamespace = "" }, []string{"--selftest-namespace"}},
		"self-test too often": {
			func(o *Options) { o.SelfTestInterval = time.Millisecond },
			[]string{"--selftest-interval", "at least 1s"},
		},
		"everything at once": {func(o *Options) { *o = Options{} }, []string{
			"--namespace", "--webhook-address", "--webhook-service", "--metrics-address", "--health-address",
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := valid(c.change).Validate()
			if err == nil {
				if len(c.says) > 0 {
					t.Errorf("valid, want an error that names %q", c.says)
				}
				return
			}
			if len(c.says) == 0 {
				t.Error(err)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not name %q", err, s)
				}
			}
		})
	}
}
