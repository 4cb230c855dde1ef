package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// How pods are made.
const (
	creationRounds  = 5
	creationPods    = 3000
	creationFirst   = 200 // that fill caches and are not counted
	creationWorkers = 16
	namespace       = "default"
	bareName        = "bare"
)

// setting is what stands between a request and the store.
type setting struct {
	name string
	// begin puts it up; what it leaves behind ends with the store.
	begin func(context.Context) error
	// strict tells that pods come out with port_security on, stamped that the template of their workload does.
	strict, stamped bool
	// byHand has the pods made of no workload's template.
	byHand bool
	rates  rates
}

// creations measures pod creations per second through the API server in each setting.
func (b *bench) creations(ctx context.Context) ([]row, error) {
	none := &setting{name: "nothing", begin: func(context.Context) error { return nil }}
	bare := &setting{name: "a bare webhook that writes the same patch", begin: b.registerBare, strict: true}
	hooks := &setting{name: "ovnguard's webhooks", begin: b.guarded(), strict: true}
	twin := &setting{name: "the policies in the API server alone, pods of a template", begin: b.policiesAlone, strict: true, stamped: true}
	both := &setting{name: "policies and webhooks, pods of a template", begin: b.guarded("--admission-policies"), strict: true, stamped: true}
	least := &setting{name: "a policy in the API server that sets one annotation", begin: b.registerLeast, strict: true}
	byHand := &setting{name: "policies and webhooks, pods of no template", begin: b.guarded("--admission-policies"), strict: true, stamped: true, byHand: true}
	// Who is held to a bar comes right beside its peer, and so do the policies alone: what else the machine does changes from minute to minute.
	beside := [][]*setting{{bare, hooks}, {twin, none, both}, {least, byHand}}
	if err := b.keepStore(); err != nil {
		return nil, err
	}
	if _, err := b.creationRate(ctx, none); err != nil { // the machine's own caches
		return nil, err
	}
	for round := range creationRounds {
		// Each round begins elsewhere, and the other way round, so that none is always the first.
		for i := range beside {
			group := slices.Clone(beside[(i+round)%len(beside)])
			if round%2 == 1 {
				slices.Reverse(group)
			}
			for _, s := range group {
				progress("pod creations, round %d of %d: %s", round+1, creationRounds, s.name)
				if err := s.rates.add(b.creationRate(ctx, s)); err != nil {
					return nil, err
				}
			}
		}
	}
	with := func(s, peer *setting, bar float64) row {
		return compare("pod creations with "+s.name, peer.name, s.rates, peer.rates, bar)
	}
	return []row{
		with(bare, none, 0), with(hooks, bare, webhookBar),
		with(twin, none, 0), with(both, none, twinBar),
		with(least, none, 0), with(byHand, least, 0), with(byHand, none, 0),
	}, nil
}

// create makes pods, looks at what became of them, and gives creations per second.
func (b *bench) create(ctx context.Context, s *setting) (float64, error) {
	// A pod that names an owner is ordinary only where it comes from that kind's controller.
	config, err := b.scene.Lab.RESTConfig("system:serviceaccount:kube-system:replicaset-controller", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	if err != nil {
		return 0, err
	}
	config.QPS = -1
	maker, err := kubernetes.NewForConfig(config)
	if err != nil {
		return 0, err
	}
	pod, err := b.pattern(ctx, s)
	if err != nil {
		return 0, err
	}
	make := func(n int) (time.Duration, error) {
		var left atomic.Int64
		left.Store(int64(n))
		failed := make(chan error, creationWorkers)
		var wg sync.WaitGroup
		begin := time.Now()
		for range creationWorkers {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					if _, err := maker.CoreV1().Pods(namespace).Create(ctx, pod.DeepCopy(), metav1.CreateOptions{}); err != nil {
						failed <- err
						return
					}
				}
			})
		}
		wg.Wait()
		took := time.Since(begin)
		select {
		case err := <-failed:
			return 0, err
		default:
			return took, nil
		}
	}
	if _, err := make(creationFirst); err != nil {
		return 0, err
	}
	took, err := make(creationPods)
	if err != nil {
		return 0, err
	}
	list, err := b.scene.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	if n := len(list.Items); n != creationPods+creationFirst {
		return 0, fmt.Errorf("%d pods are there, want %d", n, creationPods+creationFirst)
	}
	if i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return (p.Annotations[key] == kubeovn.True) != s.strict }); i >= 0 {
		return 0, fmt.Errorf("pod %s has %s=%q", list.Items[i].Name, key, list.Items[i].Annotations[key])
	}
	return creationPods / took.Seconds(), nil
}

// pattern makes the workload whose pods are made, and gives such a pod. A template is made strict as soon as the API server knows the
// policies; until then it is tried without being kept.
func (b *bench) pattern(ctx context.Context, s *setting) (*corev1.Pod, error) {
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	sets := b.scene.Kube.AppsV1().ReplicaSets(namespace)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := scene.Wait(ctx, "templates to come out as they must", func() (bool, error) {
		set, err := sets.Create(ctx, workload(namespace), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err == nil && (set.Spec.Template.Annotations[key] == kubeovn.True) == s.stamped, err
	})
	if err != nil {
		return nil, err
	}
	set, err := sets.Create(ctx, workload(namespace), metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	if s.byHand {
		return ordinaryPod(namespace), nil
	}
	return podOf(set), nil
}

// registerBare registers the peer for pods, as ovnguard registers itself.
func (b *bench) registerBare(ctx context.Context) error {
	fail, none, timeout := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, int32(3)
	url := b.bare.url + patchPath
	_, err := b.scene.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(ctx, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: bareName},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "pods.bare.example.org", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: b.bare.ca},
			FailurePolicy: &fail, SideEffects: &none, TimeoutSeconds: &timeout, AdmissionReviewVersions: []string{"v1"},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return b.settle(ctx)
}

// settle waits until the API server makes pods strict: a dry run shows it.
func (b *bench) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	key := kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	seen := 0
	return scene.Wait(ctx, "the API server to follow what is registered", func() (bool, error) {
		pod, err := b.scene.Kube.CoreV1().Pods(namespace).Create(ctx, ordinaryPod(namespace), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
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
