package controller

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
)

const (
	// configurationName is the name of the webhook configuration that this program owns.
	configurationName = "ovnguard"
	// podPath is where the webhook for pods is served.
	podPath = "/mutate-pods"
	// webhookTimeout is how long the API server waits, in seconds.
	webhookTimeout int32 = 3
)

// notMirror holds for every pod but the mirrors that kubelets make of static pods. Anybody can write the annotation, so
// the author counts as well.
const notMirror = "!has(object.metadata.annotations) || !('" + corev1.MirrorPodAnnotationKey +
	"' in object.metadata.annotations) || !request.userInfo.username.startsWith('system:node:')"

// podWebhook gives the registration of the webhook for pods.
//
// Pods that have no OVN port never leave the API server, so that a broken pod network cannot keep the pods that would
// mend it from starting: those on the host's network, and mirrors of static pods. Nor do those of the program's own
// namespace, which could otherwise not start again when the last of them is gone; the audit covers them like any other.
func podWebhook(o Options, caBundle []byte) admissionregistrationv1.MutatingWebhook {
	fail := admissionregistrationv1.Fail
	equivalent := admissionregistrationv1.Equivalent
	none := admissionregistrationv1.SideEffectClassNone
	again := admissionregistrationv1.IfNeededReinvocationPolicy
	namespaced := admissionregistrationv1.NamespacedScope
	timeout := webhookTimeout
	w := admissionregistrationv1.MutatingWebhook{
		Name:                    "pods.ovnguard.io",
		ClientConfig:            admissionregistrationv1.WebhookClientConfig{CABundle: caBundle},
		FailurePolicy:           &fail,
		MatchPolicy:             &equivalent,
		SideEffects:             &none,
		TimeoutSeconds:          &timeout,
		ReinvocationPolicy:      &again,
		AdmissionReviewVersions: []string{"v1"},
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			// The API server sets this label itself and lets nobody change it.
			{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{o.Namespace}},
		}},
		ObjectSelector: &metav1.LabelSelector{},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{corev1.GroupName}, APIVersions: []string{"v1"}, Resources: []string{"pods"}, Scope: &namespaced,
			},
		}},
		MatchConditions: []admissionregistrationv1.MatchCondition{
			{Name: "not-on-the-host-network", Expression: "!has(object.spec.hostNetwork) || !object.spec.hostNetwork"},
			{Name: "not-a-mirror-pod", Expression: notMirror},
		},
	}
	if o.WebhookURL != "" {
		url := o.WebhookURL + podPath
		w.ClientConfig.URL = &url
		return w
	}
	path := podPath
	port := int32(443)
	w.ClientConfig.Service = &admissionregistrationv1.ServiceReference{
		Namespace: o.WebhookService.Namespace, Name: o.WebhookService.Name, Path: &path, Port: &port,
	}
	return w
}

// registrar keeps the webhook configuration as this program wants it.
type registrar struct {
	client  client.Client
	options Options
	// ca is the authority of the certificate that is served, before the one it replaced: while a certificate is being
	// changed, some replicas still serve with the older one.
	ca, before []byte
}

// trust takes the authority from the Secret. It tells whether there is one.
func (r *registrar) trust(secret *corev1.Secret) bool {
	ca := secret.Data[caFile]
	if len(ca) > 0 && !bytes.Equal(ca, r.ca) {
		r.ca, r.before = ca, r.ca
	}
	return len(r.ca) > 0
}

// register writes the configuration so that it is exactly what it must be, whatever it was. It gives what had to be done.
func (r *registrar) register(ctx context.Context) (controllerutil.OperationResult, error) {
	want := []admissionregistrationv1.MutatingWebhook{podWebhook(r.options, slices.Concat(r.ca, r.before))}
	config := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: configurationName}}
	result, err := controllerutil.CreateOrUpdate(ctx, r.client, config, func() error {
		config.Webhooks = want
		return nil
	})
	if err != nil {
		return result, fmt.Errorf("write MutatingWebhookConfiguration %s: %w", configurationName, err)
	}
	return result, nil
}
