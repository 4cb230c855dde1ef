package registration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Standing is what stands in the API server of this program's registration.
type Standing struct {
	// Wanted is the number of webhooks that this version registers, and Registered the number of those that are there.
	Wanted     int `json:"wanted"`
	Registered int `json:"registered"`
	// Missing are the names of those that are not there.
	Missing []string `json:"missing,omitempty"`
	// Policies counts the webhooks that are there by failurePolicy.
	Policies map[string]int `json:"failurePolicies"`
	// Weak are the names of those that let requests through unanswered, although this version registers them to refuse.
	Weak []string `json:"weak,omitempty"`
	// At is the address that the API server calls, the Service or the URL.
	At string `json:"at,omitempty"`
	// Silent says why nobody answers at that address; empty where somebody does, and for a URL: the API server does not
	// tell then.
	Silent string `json:"silent,omitempty"`
	// URL means that the address is a URL.
	URL bool `json:"url,omitempty"`
	// Authorities are the different authorities by which the webhooks that are there are known, as PEM.
	Authorities [][]byte `json:"-"`
}

// hook is what both kinds of webhooks have in common.
type hook struct {
	name  string
	calls admissionregistrationv1.WebhookClientConfig
	fails *admissionregistrationv1.FailurePolicyType
}

// Stands returns what stands in the API server of this program's registration.
func Stands(ctx context.Context, c client.Reader) (Standing, error) {
	there := make(map[string]hook)
	var mutate admissionregistrationv1.MutatingWebhookConfiguration
	err := c.Get(ctx, client.ObjectKey{Name: configurationName}, &mutate)
	if err != nil && !apierrors.IsNotFound(err) {
		return Standing{}, fmt.Errorf("read MutatingWebhookConfiguration %s: %w", configurationName, err)
	}
	for _, w := range mutate.Webhooks {
		there[w.Name] = hook{w.Name, w.ClientConfig, w.FailurePolicy}
	}
	var validate admissionregistrationv1.ValidatingWebhookConfiguration
	err = c.Get(ctx, client.ObjectKey{Name: configurationName}, &validate)
	if err != nil && !apierrors.IsNotFound(err) {
		return Standing{}, fmt.Errorf("read ValidatingWebhookConfiguration %s: %w", configurationName, err)
	}
	for _, w := range validate.Webhooks {
		there[w.Name] = hook{w.Name, w.ClientConfig, w.FailurePolicy}
	}
	s := standing(there)
	for _, h := range there {
		s.Authorities = append(s.Authorities, h.calls.CABundle)
	}
	slices.SortFunc(s.Authorities, bytes.Compare)
	s.Authorities = slices.CompactFunc(s.Authorities, bytes.Equal)
	for _, h := range there {
		s.at(ctx, c, h.calls)
		break // all have the same
	}
	return s, nil
}

// standing compares the webhooks that are there with those that this version registers.
func standing(there map[string]hook) Standing {
	s := Standing{Wanted: len(webhooks), Policies: make(map[string]int)}
	for _, w := range webhooks {
		h, ok := there[w.name()]
		if !ok {
			s.Missing = append(s.Missing, w.name())
			continue
		}
		s.Registered++
		fails := closed // the default of v1
		if h.fails != nil {
			fails = *h.fails
		}
		s.Policies[string(fails)]++
		if w.fails == closed && fails != closed {
			s.Weak = append(s.Weak, w.name())
		}
	}
	return s
}

// at notes the address that the API server calls, and whether somebody answers there as far as the API tells.
func (s *Standing) at(ctx context.Context, c client.Reader, calls admissionregistrationv1.WebhookClientConfig) {
	if calls.Service == nil {
		if s.URL = calls.URL != nil; s.URL {
			s.At, _, _ = strings.Cut(strings.TrimPrefix(*calls.URL, "https://"), "/")
			s.At = "https://" + s.At
		}
		return
	}
	service := types.NamespacedName{Namespace: calls.Service.Namespace, Name: calls.Service.Name}
	s.At = service.String()
	if err := endpoints(ctx, c, service); err != nil {
		s.Silent = err.Error()
	}
}

// OtherMutators returns the webhooks of others that may change pods when they are made, as configuration/webhook.
func OtherMutators(ctx context.Context, c client.Reader) ([]string, error) {
	var list admissionregistrationv1.MutatingWebhookConfigurationList
	if err := c.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list MutatingWebhookConfigurations: %w", err)
	}
	var out []string
	for i := range list.Items {
		config := &list.Items[i]
		if config.Name == configurationName {
			continue
		}
		for _, w := range config.Webhooks {
			if slices.ContainsFunc(w.Rules, seesNewPods) {
				out = append(out, config.Name+"/"+w.Name)
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

// seesNewPods reports whether the rule picks pods that are made.
func seesNewPods(r admissionregistrationv1.RuleWithOperations) bool {
	has := func(list []string, names ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(names, s) })
	}
	makes := slices.Contains(r.Operations, admissionregistrationv1.Create) ||
		slices.Contains(r.Operations, admissionregistrationv1.OperationAll)
	return makes && has(r.APIGroups, "", "*") && has(r.APIVersions, "v1", "*") &&
		has(r.Resources, "pods", "*", "*/*") &&
		(r.Scope == nil || *r.Scope != admissionregistrationv1.ClusterScope)
}
