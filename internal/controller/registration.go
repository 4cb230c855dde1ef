package controller

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admission"
)

const (
	// configurationName is the name of the webhook configurations that this program owns.
	configurationName = "ovnguard"
	// webhookTimeout is how long the API server waits, in seconds.
	webhookTimeout int32 = 3
)

// mutating returns the registration of the webhooks that change objects.
func mutating(o Options, caBundle []byte) []admissionregistrationv1.MutatingWebhook {
	var out []admissionregistrationv1.MutatingWebhook
	for _, h := range hooks(o) {
		if !h.mutating {
			continue
		}
		again := admissionregistrationv1.IfNeededReinvocationPolicy
		out = append(out, admissionregistrationv1.MutatingWebhook{
			Name:                    h.name,
			ClientConfig:            clientConfig(o, h.path, caBundle),
			Rules:                   h.rules,
			MatchConditions:         h.conditions,
			FailurePolicy:           h.failurePolicy(),
			MatchPolicy:             new(admissionregistrationv1.Equivalent),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          new(webhookTimeout),
			ReinvocationPolicy:      &again,
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       h.namespaces(o),
			ObjectSelector:          &metav1.LabelSelector{},
		})
	}
	return out
}

// validating returns the registration of the webhooks that have the last word.
func validating(o Options, caBundle []byte) []admissionregistrationv1.ValidatingWebhook {
	var out []admissionregistrationv1.ValidatingWebhook
	for _, h := range hooks(o) {
		if h.mutating {
			continue
		}
		out = append(out, admissionregistrationv1.ValidatingWebhook{
			Name:                    h.name,
			ClientConfig:            clientConfig(o, h.path, caBundle),
			Rules:                   h.rules,
			MatchConditions:         h.conditions,
			FailurePolicy:           h.failurePolicy(),
			MatchPolicy:             new(admissionregistrationv1.Equivalent),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          new(webhookTimeout),
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       h.namespaces(o),
			ObjectSelector:          &metav1.LabelSelector{},
		})
	}
	return out
}

// registrar keeps the webhook configuration as this program wants it.
type registrar struct {
	client  client.Client
	options Options
	// accounts returns those of the options as they count now; nil where they never change.
	accounts func(admission.Accounts) admission.Accounts
	contests contests
}

// register writes both configurations so that they are exactly what they must be, whatever they were, and has the API
// server trust the authorities of bundle. It says whether anything had to be written, and when to look again at what
// somebody else changes all the time; 0 where nobody does.
func (r *registrar) register(ctx context.Context, bundle []byte) (written bool, again time.Duration, err error) {
	// Who changes pods comes first: guarded and not yet changed, they would be refused for what nobody wrote.
	validate := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
	}
	mutate := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
	}
	o := r.options
	if r.accounts != nil {
		o.Accounts = r.accounts(o.Accounts)
	}
	changing, refusing := mutating(o, bundle), validating(o, bundle)
	for _, c := range []struct {
		object client.Object
		want   any
		fill   func()
	}{
		{mutate, changing, func() { mutate.Webhooks = changing }},
		{validate, refusing, func() { validate.Webhooks = refusing }},
	} {
		wrote, after, err := r.contests.put(ctx, r.client, c.object, c.want, c.fill)
		if err != nil {
			return written, 0, fmt.Errorf("write %s %s: %w", typeName(c.object), configurationName, err)
		}
		written, again = written || wrote, sooner(again, after)
	}
	return written, again, nil
}
