package uninstall

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Labels by which what was installed is known.
const (
	nameLabel = "app.kubernetes.io/name"
	nameValue = "ovnguard"
	// byLabel says who keeps an object; byHelm is Helm.
	byLabel = "app.kubernetes.io/managed-by"
	byHelm  = "Helm"
)

// stop ends the replicas and waits until they have ended. A Deployment of Helm's is left to Helm, without replicas.
func (u *Uninstaller) stop(ctx context.Context) error {
	var deployments appsv1.DeploymentList
	err := u.Client.List(
		ctx,
		&deployments,
		client.InNamespace(u.Namespace),
		client.MatchingLabels{nameLabel: nameValue},
	)
	if err != nil {
		return u.refused("Deployments of namespace "+u.Namespace, err)
	}
	stopped := false
	for i := range deployments.Items {
		d := &deployments.Items[i]
		gvk := appsv1.SchemeGroupVersion.WithKind("Deployment")
		if !u.KeepInstalled && d.Labels[byLabel] != byHelm {
			if err := u.remove(ctx, object(gvk, d.Namespace, d.Name), ""); err != nil {
				return err
			}
			stopped = true
			continue
		}
		what, replicas := title(object(gvk, d.Namespace, d.Name)), int32(1)
		if d.Spec.Replicas != nil {
			replicas = *d.Spec.Replicas
		}
		stopped = true
		if replicas == 0 {
			continue
		}
		if !u.DryRun {
			to := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
			if err := u.Client.Patch(ctx, d, to); err != nil {
				if err := u.refused(what, err); err != nil {
					return err
				}
				continue
			}
		}
		if err := u.say(Line{Stopped, what, fmt.Sprintf("it had %d replicas and has none now", replicas)}); err != nil {
			return err
		}
	}
	if u.DryRun || !stopped {
		return nil
	}
	return u.ended(ctx)
}

// ended waits until no pod of the program is there.
func (u *Uninstaller) ended(ctx context.Context) error {
	for end := time.Now().Add(u.Wait); ; {
		pods := &metav1.PartialObjectMetadataList{}
		pods.SetGroupVersionKind(core("PodList"))
		err := u.Client.List(ctx, pods, client.InNamespace(u.Namespace), client.MatchingLabels{nameLabel: nameValue})
		if err != nil {
			return u.refused("Pods of namespace "+u.Namespace, err)
		}
		if len(pods.Items) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return u.say(Line{
				Failed, fmt.Sprintf("%d pods of namespace %s", len(pods.Items), u.Namespace),
				fmt.Sprintf("they have not ended within %s; the node may be away", u.Wait),
			})
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
