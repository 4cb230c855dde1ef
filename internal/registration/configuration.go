package registration

import (
	"context"
	"fmt"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// configurationName is the name of the webhook configurations that this program owns.
const configurationName = "ovnguard"

// configurations returns what is registered: the webhooks that change objects, and those that have the last word. The
// API server is to trust the authorities of bundle.
func configurations(
	o Options,
	bundle []byte,
) (mutating []admissionregistrationv1.MutatingWebhook, validating []admissionregistrationv1.ValidatingWebhook) {
	f := facts{namespace: o.Namespace, accounts: o.Accounts(), policies: o.AdmissionPolicies}
	for _, w := range webhooks {
		registered := admissionregistrationv1.ValidatingWebhook{
			Name:            w.name(),
			ClientConfig:    o.clientConfig(w.Path, bundle),
			Rules:           w.rules(),
			MatchConditions: w.conditions(f),
			FailurePolicy:   new(w.fails),
			MatchPolicy:     new(admissionregistrationv1.Equivalent),
			// A refusal leaves an Event, except where the request is a dry run.
			SideEffects:             new(admissionregistrationv1.SideEffectClassNoneOnDryRun),
			TimeoutSeconds:          new(int32(Timeout / time.Second)),
			AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector:       w.namespaces(o.Namespace),
			ObjectSelector:          &metav1.LabelSelector{},
		}
		if !w.mutates {
			validating = append(validating, registered)
			continue
		}
		mutating = append(mutating, admissionregistrationv1.MutatingWebhook{
			Name:                    registered.Name,
			ClientConfig:            registered.ClientConfig,
			Rules:                   registered.Rules,
			MatchConditions:         registered.MatchConditions,
			FailurePolicy:           registered.FailurePolicy,
			MatchPolicy:             registered.MatchPolicy,
			SideEffects:             registered.SideEffects,
			TimeoutSeconds:          registered.TimeoutSeconds,
			ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
			AdmissionReviewVersions: registered.AdmissionReviewVersions,
			NamespaceSelector:       registered.NamespaceSelector,
			ObjectSelector:          registered.ObjectSelector,
		})
	}
	return mutating, validating
}

// rules returns which requests are sent.
func (w Webhook) rules() []admissionregistrationv1.RuleWithOperations {
	rules := make([]admissionregistrationv1.RuleWithOperations, len(w.of))
	for i, r := range w.of {
		rules[i] = admissionregistrationv1.RuleWithOperations{Operations: w.on, Rule: r}
	}
	return rules
}

// conditions returns what narrows them.
func (w Webhook) conditions(f facts) []admissionregistrationv1.MatchCondition {
	return w.by.narrow(w.when(f))
}

// namespaces returns the selector of the namespaces with requests for the webhooks; own is the program's namespace.
func (w Webhook) namespaces(own string) *metav1.LabelSelector {
	if w.everywhere || own != admissionpolicy.OwnNamespace { // elsewhere, onNetwork leaves single pods out
		return &metav1.LabelSelector{}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		// The API server sets this label itself and lets nobody change it.
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{own}},
	}}
}

// clientConfig says how the API server reaches a path of this program.
func (o Options) clientConfig(path string, bundle []byte) admissionregistrationv1.WebhookClientConfig {
	c := admissionregistrationv1.WebhookClientConfig{CABundle: bundle}
	if o.URL != "" {
		url := o.URL + path
		c.URL = &url
		return c
	}
	port := int32(443)
	c.Service = &admissionregistrationv1.ServiceReference{
		Namespace: o.Service.Namespace, Name: o.Service.Name, Path: &path, Port: &port,
	}
	return c
}

// registrar keeps the webhook configurations as this program wants them.
type registrar struct {
	client   client.Client
	options  Options
	owner    owner
	contests contests
}

// register writes both configurations so that they are exactly what they must be, whatever they were, has the API
// server trust the authorities of bundle, and gives them to their owners. It says whether anything had to be written,
// and when to look again at what somebody else changes all the time; 0 where nobody does.
func (r *registrar) register(
	ctx context.Context,
	bundle []byte,
	owners []metav1.OwnerReference,
) (written bool, again time.Duration, err error) {
	// Who changes pods comes first: guarded and not yet changed, they would be refused for what nobody wrote.
	validate := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
	}
	mutate := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
	}
	changing, refusing := configurations(r.options, bundle)
	for _, c := range []struct {
		object client.Object
		want   any
		fill   func()
	}{
		{mutate, changing, func() { mutate.Webhooks = changing }},
		{validate, refusing, func() { validate.Webhooks = refusing }},
	} {
		wrote, after, err := r.contests.put(ctx, r.client, c.object, []any{c.want, owners}, func() {
			c.object.SetOwnerReferences(owners)
			c.fill()
		})
		if err != nil {
			return written, 0, fmt.Errorf("write %s %s: %w", typeName(c.object), configurationName, err)
		}
		written, again = written || wrote, sooner(again, after)
	}
	return written, again, nil
}
