package registration

import (
	"strings"
	"testing"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// A controller without a Service never registers a webhook, since nobody would answer.
func TestReachable(t *testing.T) {
	slice := func(service string, ready *bool, addresses ...string) client.Object {
		return &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "ovnguard-system",
				Name:      "slice",
				Labels:    map[string]string{discoveryv1.LabelServiceName: service},
			},
			Endpoints: []discoveryv1.Endpoint{
				{Addresses: addresses, Conditions: discoveryv1.EndpointConditions{Ready: ready}},
			},
		}
	}
	for name, x := range map[string]struct {
		objects []client.Object
		url     string
		want    bool
	}{
		"no Service":       {nil, "", false},
		"a URL":            {nil, "https://localhost:9443", true},
		"ready":            {[]client.Object{slice("ovnguard", new(true), "10.16.0.9")}, "", true},
		"ready or unknown": {[]client.Object{slice("ovnguard", nil, "10.16.0.9")}, "", true},
		"not ready":        {[]client.Object{slice("ovnguard", new(false), "10.16.0.9")}, "", false},
		"nowhere":          {[]client.Object{slice("ovnguard", new(true))}, "", false},
		"another Service":  {[]client.Object{slice("other", new(true), "10.16.0.9")}, "", false},
	} {
		var writes int
		o := valid(func(o *Options) { o.URL = x.url })
		err := reachable(t.Context(), api(t, &writes, nil, x.objects...), o)
		if (err == nil) != x.want ||
			err != nil && !strings.Contains(err.Error(), "--webhook-service: the Service ovnguard-system/ovnguard ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
