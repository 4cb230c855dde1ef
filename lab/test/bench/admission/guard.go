package main

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// startGuard starts ovnguard with its webhooks registered.
func (p *place) startGuard(ctx context.Context, program string, args ...string) error {
	var err error
	p.guard, err = p.scene.StartGuard(ctx, program, args...)
	return err
}

// stopGuard stops it, if it runs.
func (p *place) stopGuard() error {
	if p.guard == nil {
		return nil
	}
	return p.guard.Stop()
}

// guarded returns the function that begins a setting with ovnguard.
func guarded(args ...string) func(*place, context.Context, string) error {
	return func(p *place, ctx context.Context, program string) error {
		return errors.Join(p.startGuard(ctx, program, args...), p.settled(ctx))
	}
}

// policiesAlone keeps only the policies that ovnguard installed in the API server, without the program.
func (p *place) policiesAlone(ctx context.Context, program string) error {
	if err := p.startGuard(ctx, program, "--admission-policies"); err != nil {
		return err
	}
	return errors.Join(p.awaitPolicies(ctx), p.endGuard(ctx), p.settled(ctx))
}

// awaitPolicies waits until every policy is bound, which is ovnguard's last step for a policy.
func (p *place) awaitPolicies(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	api := p.scene.Kube.AdmissionregistrationV1()
	return scene.Wait(ctx, "ovnguard to install its admission policies", func() (bool, error) {
		for _, name := range admissionpolicy.MutatingNames {
			if _, err := api.MutatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{}); err != nil {
				return false, client.IgnoreNotFound(err)
			}
		}
		for _, name := range admissionpolicy.ValidatingNames {
			if _, err := api.ValidatingAdmissionPolicyBindings().Get(ctx, name, metav1.GetOptions{}); err != nil {
				return false, client.IgnoreNotFound(err)
			}
		}
		return true, nil
	})
}

// endGuard stops ovnguard and removes its webhooks.
func (p *place) endGuard(ctx context.Context) error {
	if err := p.stopGuard(); err != nil {
		return err
	}
	api := p.scene.Kube.AdmissionregistrationV1()
	return errors.Join(
		api.MutatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{}),
		api.ValidatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{}),
	)
}

// settled waits until the API server makes pods strict, in a dry run.
func (p *place) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	seen := 0
	return scene.Wait(ctx, "the API server to follow what is registered", func() (bool, error) {
		pod, err := p.scene.Kube.CoreV1().
			Pods(namespace).
			Create(ctx, ordinaryPod(namespace), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err != nil && !apierrors.IsInternalError(err) && !apierrors.IsForbidden(err) {
			return false, err
		}
		if err == nil && pod.Annotations[key] == kubeovn.True {
			seen++
		} else {
			seen = 0
		}
		return seen >= 5, nil
	})
}
