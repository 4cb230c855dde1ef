package main

import (
	"encoding/json"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// podSize is the approximate size of a review's pod as JSON, in bytes.
const podSize = 8 << 10

// workloadName is the name of the ReplicaSet of the created pods.
const workloadName = "web-7d9c6b7f8"

// ordinaryPod returns a pod as Deployments make them, without requests to the network. It can never be scheduled.
func ordinaryPod(namespace string) *corev1.Pod {
	now := int64(0)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: workloadName + "-",
			Namespace:    namespace,
			Labels: map[string]string{
				"app":                       "web",
				"pod-template-hash":         "7d9c6b7f8",
				"app.kubernetes.io/name":    "web",
				"app.kubernetes.io/version": "1.2.3",
			},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "checksum/config": strings.Repeat("ab", 32)},
		},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &now,
			NodeSelector:                  map[string]string{"example.org/nowhere": "true"},
		},
	}
	for i := range 4 {
		c := corev1.Container{
			Name: fmt.Sprintf(
				"c%d",
				i,
			),
			Image: "registry.example.org/team/web:1.2.3",
			Args:  []string{"serve", "--address=:8080", "--verbose"},
			Ports: []corev1.ContainerPort{{Name: fmt.Sprintf("http%d", i), ContainerPort: int32(8080 + i)}},
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU:    resource.MustParse("100m"),
					corev1.ResourceMemory: resource.MustParse("128Mi"),
				},
			},
			LivenessProbe: &corev1.Probe{
				ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/true"}}},
			},
		}
		for j := range 21 {
			c.Env = append(
				c.Env,
				corev1.EnvVar{
					Name:  fmt.Sprintf("SETTING_%d_%d", i, j),
					Value: "some value of a usual length, such as a URL",
				},
			)
		}
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	return pod
}

// workload returns a ReplicaSet of such pods that makes none itself.
func workload(namespace string) *appsv1.ReplicaSet {
	pod := ordinaryPod(namespace)
	pod.GenerateName = ""
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: workloadName, Namespace: namespace},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: new(
				int32(0),
			),
			Selector: &metav1.LabelSelector{
				MatchLabels: map[string]string{"app": "web", "pod-template-hash": "7d9c6b7f8"},
			},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels, Annotations: pod.Annotations},
				Spec:       pod.Spec,
			},
		},
	}
}

// podOf returns the pod that the ReplicaSet controller makes from its template.
func podOf(set *appsv1.ReplicaSet) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: set.Name + "-",
			Namespace:    set.Namespace,
			Labels:       set.Spec.Template.Labels,
			Annotations:  set.Spec.Template.Annotations,
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")),
			},
		},
		Spec: set.Spec.Template.Spec,
	}
}

// review returns an AdmissionReview for the creation of such a pod.
func review() ([]byte, error) {
	pod := ordinaryPod("default")
	pod.APIVersion, pod.Kind, pod.Name = "v1", "Pod", workloadName+"-x7x7x"
	raw, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	if len(raw) < podSize*3/4 || len(raw) > podSize*5/4 {
		return nil, fmt.Errorf("the pod has %d bytes, want about %d", len(raw), podSize)
	}
	kind, resource := metav1.GroupVersionKind{
		Version: "v1",
		Kind:    "Pod",
	}, metav1.GroupVersionResource{
		Version:  "v1",
		Resource: "pods",
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:             "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
			Kind:            kind,
			Resource:        resource,
			RequestKind:     &kind,
			RequestResource: &resource,
			Name:            pod.Name,
			Namespace:       pod.Namespace,
			Operation:       admissionv1.Create,
			UserInfo: authenticationv1.UserInfo{
				Username: "system:serviceaccount:kube-system:replicaset-controller",
				UID:      "f9b6a1f2-0000-4000-8000-000000000001",
				Groups: []string{
					"system:serviceaccounts",
					"system:serviceaccounts:kube-system",
					"system:authenticated",
				},
			},
			Object: runtime.RawExtension{Raw: raw},
		},
	})
}
