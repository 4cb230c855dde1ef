package main

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	return errors.Join(b.endGuard(ctx), b.settle(ctx))
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
