package kube

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Every kind that is read has fields that are kept, and nothing else has.
func TestKeptKinds(t *testing.T) {
	kinds := KeptKinds()
	for _, kind := range kinds {
		if len(keptFields[kind]) == 0 {
			t.Errorf("nothing is kept of %s", kind)
		}
	}
	for kind := range keptFields {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%s is kept and not read", kind)
		}
	}
}

// What is kept of an object is what is read of it: neither an environment nor the rest of a manifest.
func TestKeep(t *testing.T) {
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{
			"name": "p", "namespace": "n", "managedFields": []any{},
			"annotations": map[string]any{
				"ovn.kubernetes.io/port_security": "true",
				"example.com/token":               "secret",
				"kubectl.kubernetes.io/last-applied-configuration": `{"metadata":{"annotations":{"ovn.kubernetes.io/ip_address":"10.0.0.1",` +
					`"example.com/token":"secret"}},"spec":{"containers":[{"env":[{"name":"A","value":"secret"}]}]}}`,
			},
			"ownerReferences": []any{map[string]any{"kind": "ReplicaSet", "name": "r", "blockOwnerDeletion": true}},
		},
		"spec": map[string]any{"hostNetwork": true, "containers": []any{map[string]any{"name": "secret"}}},
	}}
	kept := Keep(u)
	kept["kind"], kept["apiVersion"] = "Pod", "v1"
	k := &unstructured.Unstructured{Object: kept}
	text, err := k.MarshalJSON()
	if err != nil || strings.Contains(string(text), "secret") || strings.Contains(string(text), "blockOwnerDeletion") {
		t.Errorf("%s, %v", text, err)
	}
	host, _, _ := unstructured.NestedBool(kept, "spec", "hostNetwork")
	if !host || k.GetAnnotations()["ovn.kubernetes.io/port_security"] != "true" ||
		k.GetOwnerReferences()[0].Name != "r" {
		t.Errorf("%s lacks what is read", text)
	}
	if chosen := chosenIn(
		k.GetAnnotations()["kubectl.kubernetes.io/last-applied-configuration"],
	); chosen["ovn.kubernetes.io/ip_address"] != "10.0.0.1" {
		t.Errorf("what the manifest chose is lost: %s", text)
	}
}

// The configuration of an attachment is judged alike when it is left out.
func TestKeptConfiguration(t *testing.T) {
	for _, config := range []string{
		"", "{", `{"type":"kube-ovn","token":"secret"}`, `{"type":"macvlan","token":"secret"}`,
		`{"plugins":[{"type":"kube-ovn"},{"type":"macvlan"}]}`, `{"type":"kube-ovn","Type":"macvlan"}`,
	} {
		u := &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": "a", "namespace": "n"}, "spec": map[string]any{"config": config},
		}}
		u.SetGroupVersionKind(AttachmentKind)
		text, _, _ := unstructured.NestedString(Keep(u), "spec", "config")
		want, wantErr := kubeovn.KindOfConfig(config)
		got, err := kubeovn.KindOfConfig(text)
		if got != want || (err == nil) != (wantErr == nil) || strings.Contains(text, "secret") {
			t.Errorf("%s is kept as %s: %v, %v; want %v, %v", config, text, got, err, want, wantErr)
		}
	}
}
