package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/pager"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

const (
	namespace = "default"
	// settles is the pause between a start and the measurement.
	settles = 5 * time.Second
)

// side is a setting in a place of its own, with its measurements.
type side struct {
	setting
	place *place
	rates rates
	made  int
}

// begin starts everything and creates the first pods.
func (s *side) begin(ctx context.Context, program string) error {
	var err error
	if s.place, err = open(ctx); err != nil {
		return err
	}
	if err := s.setting.begin(s.place, ctx, program); err != nil {
		return err
	}
	pod, err := s.pattern(ctx)
	if err != nil {
		return err
	}
	if s.place.maker, err = startMaker(ctx, s.place.lab, pod); err != nil {
		return err
	}
	if err := wait(ctx, settles); err != nil {
		return err
	}
	return s.makePods(creationFirst)
}

// pattern makes the workload of the created pods, and returns such a pod. The API server notices policies and webhooks
// after a moment; until then it tries a pod as a dry run.
func (s *side) pattern(ctx context.Context) (*corev1.Pod, error) {
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	set, err := s.place.scene.Kube.AppsV1().
		ReplicaSets(namespace).
		Create(ctx, workload(namespace), metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	pods := s.place.scene.Kube.CoreV1().Pods(namespace)
	return podOf(set), scene.Wait(ctx, "pods to come out as they must", func() (bool, error) {
		pod, err := pods.Create(ctx, ordinaryPod(namespace), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && (pod.Annotations[key] == kubeovn.True) == s.strict, err
	})
}

// makePods creates pods for that time and records creations per second.
func (s *side) makePods(d time.Duration) error {
	made, err := s.place.maker.makePods(d)
	if err != nil {
		return err
	}
	s.made += made.Pods
	s.rates = append(s.rates, float64(made.Pods)/made.Took.Seconds())
	return nil
}

// check looks at all pods in the end.
func (s *side) check(ctx context.Context) error {
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	n := 0
	pods := pager.New(func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
		return s.place.scene.Kube.CoreV1().Pods(namespace).List(ctx, o)
	})
	err := pods.EachListItem(ctx, metav1.ListOptions{}, func(o runtime.Object) error {
		n++
		pod, ok := o.(*corev1.Pod)
		if !ok {
			return fmt.Errorf("a list of pods has a %T", o)
		}
		if got := pod.Annotations[key]; (got == kubeovn.True) != s.strict {
			return fmt.Errorf("pod %s has %s=%q", pod.Name, key, got)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if n != s.made {
		return fmt.Errorf("%d pods are there, %d were made", n, s.made)
	}
	return nil
}
