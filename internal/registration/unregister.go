package registration

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/kube"
)

// Unregister removes everything that lets this program decide on what others create: the registrations of the webhooks
// and the admission policies. It is for a cluster that cannot start pods. What is not there is no error; what fails
// does not keep the rest from being tried. A replica that still runs registers again.
func Unregister(ctx context.Context, config *rest.Config) error {
	scheme, err := kube.Scheme()
	if err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	return unregister(ctx, c)
}

func unregister(ctx context.Context, c client.Client) error {
	name := metav1.ObjectMeta{Name: configurationName}
	var errs []error
	// Who refuses goes first: without who changes pods, it would refuse all of them.
	for _, o := range []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: name},
	} {
		if err := client.IgnoreNotFound(c.Delete(ctx, o)); err != nil {
			errs = append(errs, fmt.Errorf("delete %T %s: %w", o, configurationName, err))
		}
	}
	_, err := removePolicies(ctx, c, nil)
	return errors.Join(append(errs, err)...)
}
