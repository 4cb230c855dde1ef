package main

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// startGuard starts ovnguard with its webhooks registered.
func (b *bench) startGuard(ctx context.Context, args ...string) error {
	var err error
	b.guard, err = b.scene.StartGuard(ctx, b.binary, args...)
	return err
}

func (b *bench) startGuard2(args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		return errors.Join(b.startGuard(ctx, args...), b.settle(ctx, true))
	}
}

// endGuard ends ovnguard and takes its webhooks away.
func (b *bench) endGuard(ctx context.Context) error {
	if err := b.stopGuard(); err != nil {
		return err
	}
	return b.removeWebhooks(ctx)
}

func (b *bench) removeWebhooks(ctx context.Context) error {
	api := b.scene.Kube.AdmissionregistrationV1()
	return errors.Join(
		gone(api.MutatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{})),
		gone(api.ValidatingWebhookConfigurations().Delete(ctx, "ovnguard", metav1.DeleteOptions{})),
	)
}

// policiesAlone leaves what ovnguard installed in the API server, without the program.
func (b *bench) policiesAlone(ctx context.Context) error {
	if err := b.startGuard(ctx, "--admission-policies"); err != nil {
		return err
	}
	return errors.Join(b.endGuard(ctx), b.settle(ctx, true))
}

// removePolicies takes the policies away.
func (b *bench) removePolicies(ctx context.Context) error {
	api, mine := b.scene.Kube.AdmissionregistrationV1(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=ovnguard"}
	err := errors.Join(
		api.MutatingAdmissionPolicyBindings().DeleteCollection(ctx, metav1.DeleteOptions{}, mine),
		api.MutatingAdmissionPolicies().DeleteCollection(ctx, metav1.DeleteOptions{}, mine),
		api.ValidatingAdmissionPolicyBindings().DeleteCollection(ctx, metav1.DeleteOptions{}, mine),
		api.ValidatingAdmissionPolicies().DeleteCollection(ctx, metav1.DeleteOptions{}, mine),
	)
	return errors.Join(err, b.settle(ctx, false))
}

func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
