package registration

import (
	"context"
	"errors"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Objects returns everything that lets this program decide on what others create, in the order in which it is taken
// away: the configurations of the webhooks, and the admission policies with their bindings. Who refuses goes first:
// without who changes pods, it would refuse all of them.
func Objects() []client.Object { return append(configurationObjects(), policyObjects()...) }

func configurationObjects() []client.Object {
	name := metav1.ObjectMeta{Name: configurationName}
	return []client.Object{
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: name},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: name},
	}
}

// withdraw deletes the configurations of the webhooks, and the admission policies that a controller installed. What is
// not there is no error; what fails does not keep the rest from being tried.
func withdraw(ctx context.Context, c client.Client) error {
	_, err := remove(ctx, c, configurationObjects(), nil)
	_, errPolicies := remove(ctx, c, policyObjects(), managed)
	return errors.Join(err, errPolicies)
}
