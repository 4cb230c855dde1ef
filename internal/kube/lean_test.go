package kube

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// leanCases are pods that differ in everything that PodOf reads.
func leanCases() map[string]*corev1.Pod {
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
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web", UID: "u", Controller: &yes}}
		}),
		"of a machine": fullPod(func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "vm"}}
		}),
		"with identity": fullPod(func(p *corev1.Pod) {
			p.Annotations = map[string]string{kubeovn.DefaultProvider.Key(kubeovn.MACAddress): "00:00:00:00:00:01", kubeovn.DefaultProvider.Key(kubeovn.IPAddress): "10.0.0.1,fd00::1"}
		}),
		"with much else": fullPod(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "i", Env: []corev1.EnvVar{{Name: "A", Value: "b"}}}}
			p.Spec.Volumes = []corev1.Volume{{Name: "v"}}
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "Evicted"}}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", Ready: true}}
		}),
	}
}

func TestLeanPod(t *testing.T) {
	for name, whole := range leanCases() {
		t.Run(name, func(t *testing.T) {
			raw, err := whole.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			var lean LeanPod
			if err := lean.Unmarshal(raw); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(PodOf(whole), PodOf(&lean.Pod)); diff != "" {
				t.Errorf("(-whole, +lean):\n%s", diff)
			}
			if n := len(lean.Spec.Containers) + len(lean.Spec.InitContainers) + len(lean.Spec.Volumes) + len(lean.Status.Conditions) + len(lean.ManagedFields); n > 0 {
				t.Errorf("%d parts are decoded that nobody reads", n)
			}
			if _, ok := lean.DeepCopyObject().(*LeanPod); !ok {
				t.Error("a copy is something else")
			}
		})
	}
}

// What is followed is decoded to lean pods in either encoding, alone and in lists.
func TestFactsScheme(t *testing.T) {
	scheme, err := FactsScheme()
	if err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	writers := map[string]runtime.Encoder{
		"protobuf": protobuf.NewSerializer(clientgoscheme.Scheme, clientgoscheme.Scheme),
		"JSON":     serializer.NewCodecFactory(clientgoscheme.Scheme).LegacyCodec(corev1.SchemeGroupVersion),
	}
	for name, writer := range writers {
		t.Run(name, func(t *testing.T) {
			list := &corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{ResourceVersion: "7", Continue: "more"}}
			for _, pod := range leanCases() {
				pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
				list.Items = append(list.Items, *pod)
				lean, ok := recode(t, writer, decoder, pod).(*LeanPod)
				if !ok {
					t.Fatalf("decoded as %T", lean)
				}
				if diff := cmp.Diff(PodOf(pod), PodOf(&lean.Pod)); diff != "" {
					t.Errorf("(-whole, +lean):\n%s", diff)
				}
			}
			lean, ok := recode(t, writer, decoder, list).(*LeanPodList)
			if !ok {
				t.Fatal("the list is decoded as something else")
			}
			if lean.ResourceVersion != "7" || lean.Continue != "more" {
				t.Errorf("the list says %+v", lean.ListMeta)
			}
			if copied, ok := lean.DeepCopyObject().(*LeanPodList); !ok || len(copied.Items) != len(list.Items) {
				t.Error("a copy of the list is something else")
			}
			for i := range list.Items {
				if diff := cmp.Diff(PodOf(&list.Items[i]), PodOf(&lean.Items[i].Pod)); diff != "" {
					t.Errorf("(-whole, +lean):\n%s", diff)
				}
			}
		})
	}
}

func recode(t *testing.T, writer runtime.Encoder, decoder runtime.Decoder, object runtime.Object) runtime.Object {
	t.Helper()
	raw, err := runtime.Encode(writer, object)
	if err != nil {
		t.Fatal(err)
	}
	out, err := runtime.Decode(decoder, raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Whatever follows a Source knows the Go type by which it does.
func TestFactsSchemeHasAllSources(t *testing.T) {
	scheme, err := FactsScheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Sources() {
		o := s.Followed()
		if kinds, _, err := scheme.ObjectKinds(o); !slices.Contains(kinds, s.Kind) && o.GetObjectKind().GroupVersionKind() != s.Kind {
			t.Errorf("%s is followed by %T: %v, %v", s.Kind, o, kinds, err)
		}
	}
}

// Whatever bytes make a lean pod make the same facts of a whole one. What is left out may be what is wrong; and of messages that no encoder
// makes, such as groups that end twice, the decoder of whole pods reads some.
func FuzzLeanPod(f *testing.F) {
	for _, pod := range leanCases() {
		raw, err := pod.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
		f.Add(raw[:len(raw)/2])
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var whole corev1.Pod
		var lean LeanPod
		if lean.Unmarshal(raw) != nil || whole.Unmarshal(raw) != nil {
			return
		}
		if diff := cmp.Diff(PodOf(&whole), PodOf(&lean.Pod)); diff != "" {
			t.Errorf("(-whole, +lean):\n%s", diff)
		}
	})
}

func BenchmarkPodDecoding(b *testing.B) {
	pod := fullPod()
	for range 40 {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "SETTING", Value: "some value of a usual length, such as a URL"})
	}
	raw, err := pod.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("lean", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := new(LeanPod).Unmarshal(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := new(corev1.Pod).Unmarshal(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}
