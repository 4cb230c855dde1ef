package registration

import (
	"context"
	"fmt"
	"net/url"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Address is where the API server reaches the controller, and by which certificate it knows it.
type Address struct {
	// URL is https://HOST:PORT, and Name the name in the certificate.
	URL, Name string
	// CA is the authority, as PEM.
	CA []byte
}

// AddressOf returns what the registration says of the controller. The error says so where there is none.
func AddressOf(ctx context.Context, c client.Reader) (Address, error) {
	var config admissionregistrationv1.MutatingWebhookConfiguration
	if err := c.Get(ctx, client.ObjectKey{Name: configurationName}, &config); err != nil {
		return Address{}, fmt.Errorf("read MutatingWebhookConfiguration %s: %w", configurationName, err)
	}
	if len(config.Webhooks) == 0 {
		return Address{}, fmt.Errorf("MutatingWebhookConfiguration %s has no webhooks", configurationName)
	}
	calls := config.Webhooks[0].ClientConfig
	out := Address{CA: calls.CABundle}
	switch {
	case calls.URL != nil:
		u, err := url.Parse(*calls.URL)
		if err != nil {
			return Address{}, fmt.Errorf("MutatingWebhookConfiguration %s: %w", configurationName, err)
		}
		out.URL, out.Name = "https://"+u.Host, u.Hostname()
	case calls.Service != nil:
		out.Name = calls.Service.Name + "." + calls.Service.Namespace + ".svc"
		out.URL = "https://" + out.Name
		if p := calls.Service.Port; p != nil && *p != 443 {
			out.URL += fmt.Sprintf(":%d", *p)
		}
	}
	if out.URL == "" || len(out.CA) == 0 {
		return Address{}, fmt.Errorf("MutatingWebhookConfiguration %s has no address or no authority yet",
			configurationName)
	}
	return out, nil
}
