package kube

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Filled says what FillFromFile found.
type Filled struct {
	// Objects counts those that were entered, by kind.
	Objects map[string]int
	// Absent holds the optional kinds that the file lacks: it cannot be told from it whether the cluster has
	// any.
	Absent []Source
	// Templates are the objects that pods are made from, as JSON.
	Templates [][]byte
}

// FillFromFile enters what `kubectl get -A -o json` or `-o yaml` printed into the inventory: a list, a list of one
// kind, or several documents of either form. Kinds that are not Sources are passed over.
//
// It is an error where there is no Namespace or no Pod, since every port would then seem to be without an owner or a
// policy.
func FillFromFile(data []byte, inv *inventory.Inventory) (Filled, error) {
	found := collected{objects: make(map[schema.GroupVersionKind][]client.Object)}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for n := 1; ; n++ {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = found.collect(raw.Raw)
		}
		if err != nil {
			return Filled{}, fmt.Errorf("document %d: %w", n, err)
		}
	}
	filled := Filled{Objects: make(map[string]int), Templates: found.templates}
	for _, s := range Sources() {
		objects := found.objects[s.Kind]
		switch {
		case len(objects) > 0:
		case s.Optional && s.Lacks == "":
			continue
		case s.Optional:
			filled.Absent = append(filled.Absent, s)
		default:
			return Filled{}, fmt.Errorf(
				"it holds no %s: it has to be made of all that `kubectl get -A` gives for %s",
				s.Kind.Kind,
				resourceNames(),
			)
		}
		for _, o := range objects {
			s.Set(inv, o)
		}
		filled.Objects[s.Kind.Kind] = len(objects)
	}
	return filled, nil
}

// resourceNames returns what to ask kubectl for.
func resourceNames() string {
	return "namespaces,pods,network-attachment-definitions.k8s.cni.cncf.io,ips.kubeovn.io,vips.kubeovn.io," +
		"subnets.kubeovn.io,vpcs.kubeovn.io,vlans.kubeovn.io,ippools.kubeovn.io," +
		"ovn-eips.kubeovn.io,ovn-fips.kubeovn.io,switch-lb-rules.kubeovn.io,servicecidrs.networking.k8s.io," +
		"vpc-nat-gateways.kubeovn.io,vpc-egress-gateways.kubeovn.io," +
		"portsecuritypolicies,portsecurityexceptions,nodes,services,deployments,replicasets,statefulsets,daemonsets,jobs," +
		"cronjobs"
}

// collected is what a file has.
type collected struct {
	// objects are those of the Sources, by kind.
	objects   map[schema.GroupVersionKind][]client.Object
	templates [][]byte
}

// collect takes the objects of one document.
func (c *collected) collect(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 || string(raw) == "null" {
		return nil // nothing between two separators
	}
	var document map[string]any
	if err := json.Unmarshal(raw, &document); err != nil {
		return fmt.Errorf("want an object: %w", err)
	}
	u := &unstructured.Unstructured{Object: document}
	if u.GetKind() == "" || u.GetAPIVersion() == "" {
		return errors.New("it has no kind or no apiVersion")
	}
	items, isList := document["items"].([]any)
	if !isList {
		return c.object(u)
	}
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return fmt.Errorf("items[%d]: want an object", i)
		}
		o := &unstructured.Unstructured{Object: object}
		if o.GetKind() == "" { // the API server leaves both out in the list of one kind
			o.SetKind(strings.TrimSuffix(u.GetKind(), "List"))
			o.SetAPIVersion(u.GetAPIVersion())
		}
		if err := c.object(o); err != nil {
			return fmt.Errorf("items[%d]: %w", i, err)
		}
	}
	return nil
}

func (c *collected) object(u *unstructured.Unstructured) error {
	kind := u.GroupVersionKind()
	if slices.Contains(TemplateKinds(), kind) {
		raw, err := u.MarshalJSON()
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind.Kind, u.GetName(), err)
		}
		c.templates = append(c.templates, raw)
	}
	for _, s := range Sources() {
		if s.Kind != kind {
			continue
		}
		if u.GetName() == "" {
			return fmt.Errorf("a %s without metadata.name", kind.Kind)
		}
		object := s.Object()
		if _, untyped := object.(*unstructured.Unstructured); untyped {
			object = u
		} else if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, object); err != nil {
			return fmt.Errorf("%s %s: %w", kind.Kind, u.GetName(), err)
		}
		c.objects[kind] = append(c.objects[kind], object)
	}
	return nil
}
