//go:build integration

package e2e

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// endpointDelay is how long nodes still send calls to a replica that ends.
const endpointDelay = time.Second

// A replica ends as in the deployment, while calls still reach it for a while: no pod waits for it.
func TestReplicaEndsUnderLoad(t *testing.T) {
	wait := preStop(t)
	front := newFront(t, guard.Webhook)
	front.blind = true
	if err := guard.Restart(
		t.Context(),
		"--webhook-url=https://"+strings.Replace(front.address, "127.0.0.1", "localhost", 1),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := guard.Restart(cleanup(t)); err != nil {
			t.Error(err)
		}
		awaitWebhook(t)
	})
	second := replica(t)
	front.add(second.Webhook)
	awaitSelfTest(t, true)

	secret, err := world.Kube.CoreV1().
		Secrets("ovnguard-system").
		Get(t.Context(), "ovnguard-webhook-certificate", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	load := startLoad(t)
	load.await(t, 40)
	// The API server keeps connections, and so may not notice; a client that connects again does.
	var answered, lost atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(loadPause):
			}
			if servesAt(t, front.address, secret.Data[corev1.TLSCertKey]) {
				answered.Add(1)
			} else {
				lost.Add(1)
			}
		}
	}()
	heard := time.AfterFunc(endpointDelay, func() { front.remove(second.Webhook) })
	defer heard.Stop()
	time.Sleep(wait) // like the kubelet before it tells the program to end
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(endpointDelay)
	load.await(t, 40)
	load.stop()
	close(done)
	<-ended
	t.Logf(
		"%d pods strict, %d refused; %d connections answered, %d not",
		load.strict.Load(),
		load.refused.Load(),
		answered.Load(),
		lost.Load(),
	)
	if answered.Load() == 0 || lost.Load() > 0 {
		t.Errorf("%d connections were answered and %d not, although a replica was there", answered.Load(), lost.Load())
	}
	if n := load.loose.Load(); n > 0 {
		t.Errorf("%d pods were made that are not strict", n)
	}
	// A request that is just being sent on an idle connection while that is closed is lost.
	if n := load.refused.Load(); n > 1 {
		t.Errorf("%d pods were refused although a replica was there: %v", n, load.why.Load())
	}
}

// preStop returns the time in deploy/controller.yaml for which a replica answers before it is told to end.
func preStop(t *testing.T) time.Duration {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/controller.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(text), "\n---\n") {
		var d appsv1.Deployment
		if err := yaml.Unmarshal([]byte(document), &d); err != nil || d.Kind != "Deployment" {
			continue
		}
		if hook := d.Spec.Template.Spec.Containers[0].Lifecycle; hook != nil && hook.PreStop != nil &&
			hook.PreStop.Sleep != nil {
			return time.Duration(hook.PreStop.Sleep.Seconds) * time.Second
		}
		return 0
	}
	t.Fatal("no Deployment in deploy/controller.yaml")
	return 0
}
