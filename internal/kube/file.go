package kube

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// Files collects the objects that files have, as `kubectl get -A -o json` or `-o yaml` prints them.
type Files struct {
	sources   map[schema.GroupVersionKind]Source
	templates map[schema.GroupVersionKind]bool
	// template is called with each object that pods are made from, as JSON.
	template func(raw []byte)
	// objects are those of the Sources, by kind, as Source.Set takes them.
	objects map[schema.GroupVersionKind][]any
	// listed are kinds with a list, which may be empty.
	listed map[schema.GroupVersionKind]bool
	bad    []BadObject
}

// BadObject is an object of a file that could not be read.
type BadObject struct {
	Kind schema.GroupVersionKind
	Err  error
}

// Filled says what files had.
type Filled struct {
	// Objects counts those that were entered, by kind.
	Objects map[string]int
	// Absent holds the optional kinds that the files lack: it cannot be told from them whether the cluster has any.
	Absent []Source
	// Missing are the kinds among all Sources without an object and without a list.
	Missing map[schema.GroupVersionKind]bool
	// Bad are the objects that could not be read; the others were.
	Bad []BadObject
}

// NewFiles returns a collection without objects. template is called with each object that pods are made from, as JSON.
func NewFiles(template func(raw []byte)) *Files {
	f := &Files{
		sources:   make(map[schema.GroupVersionKind]Source),
		templates: make(map[schema.GroupVersionKind]bool),
		template:  template,
		objects:   make(map[schema.GroupVersionKind][]any),
		listed:    make(map[schema.GroupVersionKind]bool),
	}
	for _, s := range Sources() {
		f.sources[s.Kind] = s
	}
	for _, kind := range TemplateKinds() {
		f.templates[kind] = true
	}
	return f
}

// Fill enters what was collected into the inventory. Kinds that are not Sources were passed over.
//
// It is an error where there is no Namespace or no Pod, since every port would then seem to be without an owner or a
// policy.
func (f *Files) Fill(inv *inventory.Inventory) (Filled, error) {
	filled := Filled{
		Objects: make(map[string]int), Missing: make(map[schema.GroupVersionKind]bool), Bad: f.bad,
	}
	for _, s := range Sources() {
		objects := f.objects[s.Kind]
		if len(objects) == 0 && !f.listed[s.Kind] {
			filled.Missing[s.Kind] = true
			if s.Separate { // it cannot be told whether there are any
				inv.Expect(inventory.Kind(s.Kind.GroupKind().String()))
			}
			switch {
			case s.Optional && s.Lacks == "":
				continue
			case s.Optional:
				filled.Absent = append(filled.Absent, s)
			default:
				return Filled{}, fmt.Errorf(
					"it holds no %s: it has to be made of all that `kubectl get -A -o json` gives for %s, or by "+
						"`ovnguard export DIR`",
					s.Kind.Kind,
					resourceNames(),
				)
			}
		}
		for _, o := range objects {
			s.Set(inv, o)
		}
		delete(f.objects, s.Kind)
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
		"networkpolicies.networking.k8s.io," +
		"portsecuritypolicies,portsecurityexceptions,nodes,services,deployments,replicasets,statefulsets,daemonsets,jobs," +
		"cronjobs"
}

// header is what tells what an object is.
type header struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	// Items are those of a list.
	Items jsontext.Value `json:"items"`
}

func (h header) groupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(h.APIVersion, h.Kind)
}

// errNoKind is that of an object that does not say what it is.
var errNoKind = errors.New("it has no kind or no apiVersion")

// add takes an object as JSON. of is the kind of the list that it is in: the API server leaves both out in the list of
// one kind. An object that says what it is and cannot be read otherwise is noted, and is no error.
func (f *Files) add(raw []byte, h header, of schema.GroupVersionKind) error {
	bare := h.Kind == ""
	if bare {
		h.APIVersion, h.Kind = of.GroupVersion().String(), of.Kind
	}
	if h.Kind == "" || h.APIVersion == "" {
		return errNoKind
	}
	kind := h.groupVersionKind()
	source, known := f.sources[kind]
	if !known && !f.templates[kind] {
		return nil
	}
	if err := f.keep(raw, h, bare, source, known); err != nil {
		f.bad = append(f.bad, BadObject{kind, err})
	}
	return nil
}

// keep takes an object of a kind that is read.
func (f *Files) keep(raw []byte, h header, bare bool, source Source, known bool) error {
	kind := h.groupVersionKind()
	if h.Metadata.Name == "" {
		return fmt.Errorf("a %s without metadata.name", kind.Kind)
	}
	failed := func(err error) error { return fmt.Errorf("%s %s: %w", kind.Kind, h.Metadata.Name, err) }
	if known {
		object, err := decode(raw, source, bare)
		if err != nil {
			return failed(err)
		}
		f.objects[kind] = append(f.objects[kind], object)
	}
	if !f.templates[kind] {
		return nil
	}
	if bare {
		named, err := withKind(raw, h)
		if err != nil {
			return failed(err)
		}
		raw = named
	}
	f.template(raw)
	return nil
}

// withKind returns the object with its kind, which it lacks.
func withKind(raw []byte, h header) ([]byte, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(raw), []byte("{"))
	if !ok {
		return nil, errors.New("want an object")
	}
	return append(fmt.Appendf(nil, `{"apiVersion":%q,"kind":%q,`, h.APIVersion, h.Kind), rest...), nil
}
