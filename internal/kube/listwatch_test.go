package kube

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// inProtobuf returns an object as an API server sends it.
func inProtobuf(t testing.TB, o runtime.Object) []byte {
	t.Helper()
	raw, err := runtime.Encode(protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme), o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// eventIn returns an event of a watch as an API server sends it.
func eventIn(t testing.TB, kind watch.EventType, o runtime.Object) []byte {
	t.Helper()
	raw, err := (&metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: inProtobuf(t, o)}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// recordedServer answers lists and watches with recorded text.
func recordedServer(t *testing.T, contentType string, list []byte, events ...[]byte) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") == "" {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(list)
			return
		}
		w.Header().Set("Content-Type", contentType+";stream=watch")
		out := io.Writer(w)
		if contentType == runtime.ContentTypeProtobuf {
			out = protobuf.LengthDelimitedFramer.NewFrameWriter(w)
		}
		for _, e := range events {
			_, _ = out.Write(e)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

func source(t *testing.T, kind string) Source {
	t.Helper()
	for _, s := range Sources() {
		if s.Kind.Kind == kind {
			return s
		}
	}
	t.Fatal("no source of", kind)
	return Source{}
}

// listWatch lists and watches a server's objects until the watch ends.
func listWatch(t *testing.T, config *rest.Config, s Source, resource string) (runtime.Object, []watch.Event) {
	t.Helper()
	lw, err := ListWatch(config, http.DefaultClient, s, resource)
	if err != nil {
		t.Fatal(err)
	}
	with := cache.ToListerWatcherWithContext(lw)
	list, err := with.ListWithContext(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w, err := with.WatchWithContext(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var events []watch.Event
	timeout := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				return list, events
			}
			events = append(events, e)
		case <-timeout:
			t.Fatal("the watch does not end")
		}
	}
}

// Listed and watched pods are the same as the library decodes them, and stay so when more is read.
func TestListWatchPods(t *testing.T) {
	list := &corev1.PodList{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"},
		ListMeta: metav1.ListMeta{ResourceVersion: "7"},
	}
	var events [][]byte
	var pods []*corev1.Pod
	for name, pod := range podCases() {
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		pod.Namespace, pod.ResourceVersion = strings.ReplaceAll(name, " ", "-"), "8"
		pods = append(pods, pod)
		list.Items = append(list.Items, *pod)
		events = append(events, eventIn(t, watch.Modified, pod))
	}
	bookmark := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "9", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}}
	gone := &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Code:     http.StatusGone,
		Reason:   metav1.StatusReasonExpired,
	}
	events = append(events, eventIn(t, watch.Bookmark, bookmark), eventIn(t, watch.Error, gone))
	config := recordedServer(t, runtime.ContentTypeProtobuf, inProtobuf(t, list), events...)
	listed, got := listWatch(t, config, source(t, "Pod"), "pods")
	read, ok := listed.(*corev1.PodList)
	if !ok || len(read.Items) != len(pods) || read.ResourceVersion != "7" {
		t.Fatalf("listed %T", listed)
	}
	if len(got) != len(pods)+2 {
		t.Fatalf("%d events of %d", len(got), len(pods)+2)
	}
	for i, pod := range pods {
		p, ok := got[i].Object.(*corev1.Pod)
		if !ok || got[i].Type != watch.Modified || p.ResourceVersion != "8" {
			t.Fatalf("event %d is %s of %T", i, got[i].Type, got[i].Object)
		}
		for what, is := range map[string]*corev1.Pod{"listed": &read.Items[i], "watched": p} {
			if diff := cmp.Diff(PodOf(pod), PodOf(is)); diff != "" {
				t.Errorf("%s (-sent, +read):\n%s", what, diff)
			}
		}
	}
	if p, ok := got[len(pods)].Object.(*corev1.Pod); !ok || got[len(pods)].Type != watch.Bookmark ||
		p.ResourceVersion != "9" ||
		p.Annotations[metav1.InitialEventsAnnotationKey] != "true" {
		t.Errorf("the bookmark is %+v", got[len(pods)])
	}
	if s, ok := got[len(pods)+1].Object.(*metav1.Status); !ok || got[len(pods)+1].Type != watch.Error ||
		s.Code != http.StatusGone {
		t.Errorf("the error is %+v", got[len(pods)+1])
	}
}

// Servers without protobuf work, and a kind without a Go type is followed as JSON.
func TestListWatchJSON(t *testing.T) {
	for _, c := range []struct {
		kind, resource, version string
		is                      func(runtime.Object) bool
	}{
		{"Pod", "pods", "v1", func(o runtime.Object) bool { p, ok := o.(*corev1.Pod); return ok && p.Name == "a" }},
		{"IP", "ips", "kubeovn.io/v1", func(o runtime.Object) bool {
			u, ok := o.(*unstructured.Unstructured)
			return ok && u.GetName() == "a" && u.GroupVersionKind() == IPKind
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			object := `{"apiVersion":"` + c.version + `","kind":"` + c.kind + `","metadata":{"name":"a"}}`
			config := recordedServer(
				t,
				runtime.ContentTypeJSON,
				[]byte(
					`{"apiVersion":"`+c.version+`","kind":"`+c.kind+`List","metadata":{"resourceVersion":"1"},"items":[`+object+`]}`,
				),
				[]byte(`{"type":"ADDED","object":`+object+"}\n"),
			)
			list, events := listWatch(t, config, source(t, c.kind), c.resource)
			items, err := meta.ExtractList(list)
			if err != nil || len(items) != 1 || !c.is(items[0]) {
				t.Errorf("listed %v, %v", items, err)
			}
			if len(events) != 1 || events[0].Type != watch.Added || !c.is(events[0].Object) {
				t.Errorf("watched %v", events)
			}
		})
	}
}

// podCases returns pods that differ in everything that PodOf reads.
func podCases() map[string]*corev1.Pod {
	now := metav1.NewTime(time.Unix(1, 0))
	yes := true
	return map[string]*corev1.Pod{
		"empty":       {},
		"plain":       fullPod(),
		"on the host": fullPod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		"going":       fullPod(func(p *corev1.Pod) { p.DeletionTimestamp = &now }),
		"ended for good": fullPod(func(p *corev1.Pod) {
			p.Spec.RestartPolicy, p.Status.Phase = corev1.RestartPolicyNever, corev1.PodSucceeded
		}),
		"evicted": fullPod(func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }),
		"of a ReplicaSet": fullPod(func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "u", Controller: &yes},
			}
		}),
		"of a machine": fullPod(func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm"},
			}
		}),
		"with identity": fullPod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{
				kubeovn.DefaultProvider.Key(kubeovn.MACAddress): "00:00:00:00:00:01",
				kubeovn.DefaultProvider.Key(kubeovn.IPAddress):  "10.0.0.1,fd00::1",
			}
		}),
		"with much else": fullPod(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}
			p.Spec.Volumes = []corev1.Volume{{Name: "v"}}
			p.Status.Conditions = []corev1.PodCondition{
				{Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "Evicted"},
			}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", Ready: true}}
		}),
	}
}

// The scheme has the Go type of every Source.
func TestFactsSchemeHasAllSources(t *testing.T) {
	scheme, err := FactsScheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Sources() {
		o := s.Object()
		if kinds, _, err := scheme.ObjectKinds(
			o,
		); !slices.Contains(kinds, s.Kind) &&
			o.GetObjectKind().GroupVersionKind() != s.Kind {
			t.Errorf("%s is followed by %T: %v, %v", s.Kind, o, kinds, err)
		}
	}
}
