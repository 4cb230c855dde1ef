package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Templates are listed in pages; a kind that may not be read is a note, and one that is not served is nothing.
func TestEachTemplate(t *testing.T) {
	var asked []string
	c := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}},
		&appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "db"}},
	).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, l client.ObjectList, o ...client.ListOption) error {
			kind := strings.TrimSuffix(l.GetObjectKind().GroupVersionKind().Kind, "List")
			var options client.ListOptions
			options.ApplyOptions(o)
			asked = append(asked, fmt.Sprint(kind, " ", options.Limit, " ", options.Continue))
			switch kind {
			case "CronJob":
				return apierrors.NewForbidden(schema.GroupResource{Group: "batch", Resource: "cronjobs"}, "", nil)
			case "VirtualMachine", "VirtualMachineInstance":
				return &meta.NoKindMatchError{}
			}
			err := c.List(ctx, l, o...)
			if kind == "Deployment" && options.Continue == "" {
				l.SetContinue("more")
			}
			return err
		},
	}).Build()
	var found []string
	notes, err := EachTemplate(t.Context(), c, "", func(raw []byte) {
		var o metav1.PartialObjectMetadata
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Error(err)
		}
		found = append(found, o.Kind+" "+o.Name)
	})
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "CronJob.batch may not be listed") {
		t.Errorf("notes %q, error %v", notes, err)
	}
	if want := []string{"Deployment web", "Deployment web", "StatefulSet db"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
	if want := []string{"Deployment 500 ", "Deployment 500 more"}; !slices.Equal(asked[:2], want) {
		t.Errorf("asked for %q, want %q", asked[:2], want)
	}
}

// A file has templates of the kinds that pods are made from, besides what the inventory reads of them.
func TestTemplatesInAFile(t *testing.T) {
	var templates []string
	files := NewFiles(func(raw []byte) { templates = append(templates, string(raw)) })
	err := files.Read(strings.NewReader(`
{kind: Namespace, apiVersion: v1, metadata: {name: ns}}
---
{kind: Pod, apiVersion: v1, metadata: {name: p, namespace: ns}}
---
{kind: Deployment, apiVersion: apps/v1, metadata: {name: web, namespace: ns}}
---
{kind: CronJob, apiVersion: batch/v1, metadata: {name: daily, namespace: ns}}
---
{kind: JobList, apiVersion: batch/v1, items: [{metadata: {name: once, namespace: ns}}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	filled, err := files.Fill(inventory.New())
	if err != nil || len(templates) != 3 || filled.Objects["Deployment"] != 1 ||
		!strings.Contains(templates[1], `"daily"`) ||
		!strings.Contains(templates[2], `"kind":"Job"`) {
		t.Errorf("templates %q and %v, error %v", templates, filled.Objects, err)
	}
}

// What names networks is kept where it says more than which ones they are.
func TestNetworksThatSayMoreAreKept(t *testing.T) {
	const networks, first = "k8s.v1.cni.cncf.io/networks", "v1.multus-cni.io/default-network"
	for text, kept := range map[string]bool{
		networks + "=ns/blue":                                     false,
		networks + "=blue,green@net":                              false,
		networks + `=[{"name":"blue","ips":["10.0.0.5/16"]}]`:     true,
		networks + `=[{"name":"blue","mac":"0a:00:00:00:00:01"}]`: true,
		networks + "=[null]":                                      true,
		networks + "=" + strings.Repeat("blue,", 40):              true,
		first + "=ns/blue":                                        false,
		first + "=blue":                                           true,
		first + "=":                                               true,
	} {
		key, value, _ := strings.Cut(text, "=")
		p := fullPod()
		p.Annotations = map[string]string{key: value}
		if _, has := PodOf(p).Annotations[key]; has != kept {
			t.Errorf("%s: kept is %t, want %t", text, has, kept)
		}
	}
}
