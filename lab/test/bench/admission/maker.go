package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/lab/internal/up"
	"github.com/ovnguard/ovnguard/test/bench/child"
)

// makeCommand is the argument that makes this program create pods in a place, as a process of its own that can be kept
// to a core.
const makeCommand = "make-pods"

// creationWorkers is the number of concurrent creations.
const creationWorkers = 16

// job is the message to a maker when it starts.
type job struct {
	Host string
	TLS  rest.TLSClientConfig
	Pod  *corev1.Pod
}

// made is a maker's answer: the number of pods, and their time.
type made struct {
	Pods  int
	Took  time.Duration
	Error string
}

// maker is the running process.
type maker struct{ *child.Process }

// startMaker starts a maker of such pods, as the controller of their workload: a pod that names an owner is ordinary
// only if it comes from that controller.
func startMaker(ctx context.Context, lab *up.Lab, pod *corev1.Pod) (*maker, error) {
	config, err := lab.RESTConfig(
		"system:serviceaccount:kube-system:replicaset-controller",
		"system:serviceaccounts",
		"system:serviceaccounts:kube-system",
	)
	if err != nil {
		return nil, err
	}
	p, err := child.Start(ctx, makeCommand)
	if err != nil {
		return nil, err
	}
	if err := p.Tell(job{config.Host, config.TLSClientConfig, pod}); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return &maker{p}, nil
}

// makePods makes the maker create pods for that time.
func (m *maker) makePods(d time.Duration) (made, error) {
	var answer made
	if err := m.Ask(d, &answer); err != nil {
		return made{}, err
	}
	if answer.Error != "" {
		return made{}, errors.New(answer.Error)
	}
	return answer, nil
}

// serveMaker runs a maker: it receives a job, and then again and again how long to create pods.
func serveMaker(ctx context.Context) error {
	var j job
	parent := child.NewParent()
	if more, err := parent.Next(&j); err != nil || !more {
		return err
	}
	client, err := kubernetes.NewForConfig(&rest.Config{Host: j.Host, TLSClientConfig: j.TLS, QPS: -1})
	if err != nil {
		return err
	}
	for {
		var d time.Duration
		if more, err := parent.Next(&d); err != nil || !more {
			return err
		}
		if err := parent.Say(j.work(ctx, client, d)); err != nil {
			return err
		}
	}
}

// work creates pods for that time.
func (j *job) work(ctx context.Context, client kubernetes.Interface, d time.Duration) made {
	var pods atomic.Int64
	failed := make(chan error, creationWorkers)
	var wg sync.WaitGroup
	begin := time.Now()
	for range creationWorkers {
		wg.Go(func() {
			for time.Since(begin) < d {
				if _, err := client.CoreV1().
					Pods(j.Pod.Namespace).
					Create(ctx, j.Pod.DeepCopy(), metav1.CreateOptions{}); err != nil {
					failed <- err
					return
				}
				pods.Add(1)
			}
		})
	}
	wg.Wait()
	answer := made{Pods: int(pods.Load()), Took: time.Since(begin)}
	select {
	case err := <-failed:
		answer.Error = err.Error()
	default:
	}
	return answer
}
