package demo

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// namespaces shows that a Deployment's pods inherit from their namespace, and that a pod cannot exempt itself.
func (st *story) namespaces(ctx context.Context) error {
	t := st.teller
	t.chapter(3, "Namespaces decide, pods may only tighten")
	for _, value := range []string{"true", "false"} {
		namespace := map[string]string{"true": "strict", "false": "loose"}[value]
		if err := st.scene.Namespace(ctx, namespace, map[string]string{portSecurity: value}); err != nil {
			return err
		}
		pod, err := st.deploy(ctx, namespace)
		if err != nil {
			return err
		}
		a, err := scene.OpenActor(pod, kubeovn.DefaultProvider, "eth0")
		if err != nil {
			return err
		}
		st.actors = append(st.actors, a)
		t.header(fmt.Sprintf("a Deployment's pod, namespace with port_security: %q", value))
		if err := st.compareFrames(ctx, a, st.bob, st.dave, value == "false"); err != nil {
			return err
		}
	}
	mallory, err := st.actor(ctx, "strict", "mallory", map[string]string{portSecurity: "false"})
	if err != nil {
		return err
	}
	t.header(`mallory, who writes port_security: "false" herself`)
	t.verdict("  annotation on the pod", kubeovn.True, mallory.Pod.Annotations[portSecurity])
	return st.compareFrames(ctx, mallory, st.bob, st.dave, false)
}

// deploy makes a Deployment of one pod and returns the pod when it runs.
func (st *story) deploy(ctx context.Context, namespace string) (*corev1.Pod, error) {
	labels := map[string]string{"app": "web"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "example.org/web"}}},
			},
		},
	}
	kube := st.scene.Kube
	if _, err := kube.AppsV1().Deployments(namespace).Create(ctx, d, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	var name string
	err := scene.Wait(ctx, "the pod of Deployment "+namespace+"/web", func() (bool, error) {
		pods, err := kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil || len(pods.Items) == 0 {
			return false, err
		}
		name = pods.Items[0].Name
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return st.scene.Running(ctx, namespace, name)
}
