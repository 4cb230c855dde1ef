package main

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// startGuard starts ovnguard with its webhooks registered.
func (b *bench) startGuard(ctx context.Context, args ...string) error {
	var err error
	b.guard, err = b.scene.StartGuard(ctx, b.binary, args...)
	return err
}

// stopGuard ends it, if it runs.
func (b *bench) stopGuard() error {
	if b.guard == nil {
		return nil
	}
	return b.guard.Stop()
}

// guarded gives the beginning of a setting with ovnguard.
func (b *bench) guarded(args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return errors.Join(b.startGuard(ctx, args...), b.settle(ctx))
	}
}

// policiesAlone leaves what ovnguard installed in the API server, without the program.
func (b *bench) policiesAlone(ctx context.Context) error {
	if err := b.startGuard(ctx, "--admission-policies"); err != nil {
		return err
	}
	return errors.Join(b.awaitPolicies(ctx), b.endGuard(ctx), b.settle(ctx))
}

// awaitPolicies waits until every policy is bound, which is the last thing that ovnguard does for one.
func (b *bench) awaitPolicies(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	api := b.scene.Kube.AdmissionregistrationV1()
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

// endGuard ends ovnguard and takes its webhooks away.
func (b *bench) endGuard(ctx context.Context) error {
	if err := b.stopGuard(); err != nil {
		return err
	}
	api := b.scene.Kube.AdmissionregistrationV1()
	return errors.Join(
		api.MutatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{}),
		api.ValidatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{}),
	)
}
