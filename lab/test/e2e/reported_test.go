//go:build integration

package e2e

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/ovnguard/ovnguard/internal/admission"
)

// reportedCase has the objects that people reported, from testdata/reported, with the required results.
type reportedCase struct {
	// kubeVirt means that the API server serves machines.
	kubeVirt bool
	steps    []reportedStep
	// found are the rules of what the audit finds in the end.
	found []string
}

// reportedStep makes the objects of a file as a user.
type reportedStep struct {
	file, user string
	// refused are words of the refusal of each object; none where they are made.
	refused []string
	// warned are words of the warnings.
	warned []string
	// rows are ports with words of their port_security in the end; waiting are pods that stay without a port.
	rows    map[string][]string
	waiting []string
	// open is a port that in the end has no checks and receives frames for unknown MACs.
	open string
	// again is a pod that is deleted and must come again.
	again string
}

const (
	byAlice    = "alice"
	byAdmin    = ""
	byKubeVirt = "kubevirt"
)

var reported = map[string]reportedCase{
	"default-network-definition": {steps: []reportedStep{
		{file: "nad-a-no-provider.yaml", warned: []string{`"provider": "default-a.kata.ovn"`}},
		{file: "nad-b-trailing-comma.yaml", refused: []string{"spec.config"}},
		{file: "try-a.yaml", user: byAlice, rows: map[string][]string{"nginx-a.kata.default-a.kata.ovn": nil}},
	}},
	"vm-two-nics-eip-mac-in-networks": {kubeVirt: true, steps: []reportedStep{
		{file: "try-a-vm.yaml"},
		{
			file:    "try-c-launcher-eip.yaml",
			user:    byKubeVirt,
			refused: []string{"ovn.kubernetes.io/eip", "spec.externalAddresses"},
		},
		{file: "try-b-launcher.yaml", user: byKubeVirt, rows: map[string][]string{
			"vm-u1804.default": {"10.16.64.59"}, "vm-u1804.default.kubeovnnet.default.ovn": {"172.57.0.19"},
		}},
	}},
	"vpn-pod-as-gateway": {steps: []reportedStep{
		{file: "try-a-deployment.yaml", user: byAlice, warned: []string{portSecurity}},
		{file: "try-b-exception.yaml", rows: map[string][]string{"openvpn-": {"10.8.0.0/24", "192.168.50.0/24"}}},
	}, found: []string{"OVG032", "OVG041"}}, // its pods are not open, as the template asks, and no policy bounds them
	"site-router-vm": {kubeVirt: true, steps: []reportedStep{
		{file: "try-a-tenant-pod.yaml", rows: map[string][]string{"app.site": nil}},
		{file: "try-b-exception.yaml"},
		{
			file:   "try-c-launcher.yaml",
			user:   byKubeVirt,
			warned: []string{"PortSecurityException"},
			rows:   map[string][]string{"site-router.site": {"192.168.100.0/24"}},
		},
	}, found: []string{"OVG041"}},
	// Unknown MACs need a port that is open as a whole.
	"nested-cluster-in-vm": {kubeVirt: true, steps: []reportedStep{
		{file: "try-a-exception.yaml"},
		{file: "try-b-launcher.yaml", user: byKubeVirt, open: "vm1.nested"},
	}},
	"subnet-vip": {steps: []reportedStep{
		{
			file: "try-a-pods.yaml",
			rows: map[string][]string{"ha-0.shares": {"10.87.0.50"}, "ha-1.shares": {"10.87.0.50"}},
		},
	}},
	"keepalived-vip-in-vm": {steps: []reportedStep{
		{file: "try-a-vip.yaml"},
		{
			file: "try-b-pods.yaml",
			user: byAlice,
			rows: map[string][]string{"ka-0.lb": {"10.16.17.48"}, "ka-1.lb": {"10.16.17.48"}},
		},
		{
			file:    "try-c-pod-without-vip.yaml",
			user:    byAlice,
			refused: []string{"no Vip of namespace lb has the address", "create a Vip"},
		},
	}},
	"switch-lb-vip": {steps: []reportedStep{
		{file: "try-a-vip.yaml", user: byAlice, refused: []string{"slr-net"}},
		{file: "try-b-vip-without-namespace.yaml", user: byAlice, refused: []string{"slr-net"}},
		{file: "try-a-vip.yaml"},
		{file: "try-b-vip-without-namespace.yaml"},
		{file: "try-c-pod.yaml", user: byAlice, rows: map[string][]string{"web.slr": {"10.0.40."}}},
	}},
	"namespace-with-several-pools": {steps: []reportedStep{
		{file: "try-a-second-pool.yaml", user: byAlice, rows: map[string][]string{"app-b.multi": {"10.69.10.1"}}},
		{file: "try-b-no-wish.yaml", user: byAlice, rows: map[string][]string{"app.multi": {"10.69."}}},
		{file: "try-c-deployment-list.yaml", user: byAlice, rows: map[string][]string{"starter-": {"10.69.9.1"}}},
	}},
	"statefulset-two-nics-static": {steps: []reportedStep{
		{file: "try-a-sts.yaml", user: byAlice, again: "vpc1/sun-0", rows: map[string][]string{
			"sun-0.vpc1": {"192.168.7.22"}, "sun-0.vpc1.private.default.ovn": {"10.2.0.22"},
		}},
	}},
	"custom-controller-single-address": {steps: []reportedStep{
		{
			file: "try-a-runner.yaml",
			user: "runner-controller",
			rows: map[string][]string{"runner-1.runners": {"10.16.33.7"}},
		},
		{file: "try-b-replacement.yaml", user: "runner-controller", waiting: []string{"runners/runner-2"}},
	}},
	"vip-with-selector": {steps: []reportedStep{
		{
			file:    "try.yaml",
			refused: []string{"", "", "spec.selector"},
			rows:    map[string][]string{"ka-0.sel": nil, "ka-1.sel": {"10.16.38.100"}},
		},
	}},
}

// The result of each case is what the reporter expected.
func TestReported(t *testing.T) {
	for name, c := range reported {
		t.Run(name, func(t *testing.T) {
			if c.kubeVirt {
				defineKubeVirt(t)
			}
			dir := filepath.Join("testdata", "reported", name)
			setup := read(t, filepath.Join(dir, "setup.yaml"))
			t.Cleanup(func() { removeAll(t, setup) })
			eventually(t, "what is there before to be taken", func() (bool, error) {
				for _, o := range setup {
					if err := world.Apply(t.Context(), toJSON(t, o)); err != nil {
						t.Log(err)
						return false, nil
					}
				}
				return true, nil
			})
			ports := make(map[string][]string)
			for _, s := range c.steps {
				maps.Copy(ports, s.take(t, dir))
			}
			settled := func() []finding {
				var of []finding
				for _, f := range audit(t).Findings {
					if slices.ContainsFunc(setup, func(o *unstructured.Unstructured) bool {
						return o.GetKind() == "Namespace" && o.GetName() == f.Namespace
					}) {
						of = append(of, f)
					}
				}
				return of
			}
			found := settled()
			if !slices.EqualFunc(found, c.found, func(f finding, rule string) bool { return f.Rule == rule }) {
				t.Errorf("the audit finds %+v, want %q", found, c.found)
			}
		})
	}
}

// take makes the objects and checks the results.
func (s reportedStep) take(t *testing.T, dir string) map[string][]string {
	t.Helper()
	p := admin(t)
	switch s.user {
	case byAdmin:
	case byKubeVirt:
		p = as(t, admission.DefaultAccounts().KubeVirt[0], "system:masters")
	default:
		p = as(t, s.user)
	}
	objects := read(t, filepath.Join(dir, s.file))
	for i, o := range objects {
		s.make(t, p, o, i)
	}
	if told := strings.Join(
		p.warnings.Take(),
		"\n",
	); slices.ContainsFunc(
		s.warned,
		func(w string) bool { return !strings.Contains(told, w) },
	) {
		t.Errorf("%s: warned %q, want %q in it", s.file, told, s.warned)
	}
	if s.again != "" {
		s.comesAgain(t)
	}
	for port, words := range s.rows {
		eventually(
			t,
			port+" to be strict with "+strings.Join(words, ", "),
			func() (bool, error) { return rowHas(t, port, words) },
		)
	}
	if s.open != "" {
		eventually(t, s.open+" to be open as granted", func() (bool, error) {
			out, err := world.Nbctl(t.Context(), "get", "logical_switch_port", s.open, "port_security", "addresses")
			return err == nil && strings.HasPrefix(out, "[]\n") && strings.Contains(out, "unknown"), nil
		})
	}
	for _, pod := range s.waiting {
		ns, name, _ := strings.Cut(pod, "/")
		got, err := world.Kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || got.Status.Phase != corev1.PodPending {
			t.Errorf("%s is %v, %v", pod, got.Status.Phase, err)
		}
	}
	return s.rows
}

// make makes one object, with its number in the file.
func (s reportedStep) make(t *testing.T, p person, o *unstructured.Unstructured, i int) {
	t.Helper()
	wanted := s.refused
	if len(s.refused) > 1 && i < len(s.refused) && s.refused[0] == "" { // one for each object
		wanted = []string{s.refused[i]}
	}
	refusal := strings.Join(wanted, "") != ""
	if owners := o.GetOwnerReferences(); len(owners) > 0 && owners[0].UID == "VMI-UID" {
		owners[0].UID = machineOf(t, o.GetNamespace(), owners[0].Name)
		o.SetOwnerReferences(owners)
	}
	if o.GetKind() == "PortSecurityException" {
		if owner, _, _ := unstructured.NestedString(
			o.Object,
			"spec",
			"target",
			"owner",
			"kind",
		); owner == "VirtualMachineInstance" {
			name, _, _ := unstructured.NestedString(o.Object, "spec", "target", "owner", "name")
			machineOf(t, o.GetNamespace(), name)
		}
		if err := unstructured.SetNestedField(
			o.Object,
			time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339),
			"spec",
			"expiresAt",
		); err != nil {
			t.Fatal(err)
		}
	}
	path := pathOf(t, o)
	t.Cleanup(func() { remove(t, path+"/"+o.GetName()) })
	var err error
	made := func() (bool, error) {
		_, err = p.do(t.Context(), http.MethodPost, path, o)
		if refusal {
			return err != nil && containsAll(err.Error(), wanted), nil
		}
		return err == nil, nil
	}
	defer func() {
		if t.Failed() {
			t.Logf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
	}()
	eventually(t, s.file+" to be made, or refused with "+strings.Join(wanted, ", "), made)
}

// comesAgain deletes a pod, once it runs, and waits until it runs again.
func (s reportedStep) comesAgain(t *testing.T) {
	t.Helper()
	ns, name, _ := strings.Cut(s.again, "/")
	var before *corev1.Pod
	eventually(t, s.again+" to run", func() (bool, error) {
		var err error
		before, err = world.Kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && before.Status.Phase == corev1.PodRunning, nil
	})
	if err := world.Kube.CoreV1().
		Pods(ns).
		Delete(t.Context(), name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
		t.Fatal(err)
	}
	eventually(t, s.again+" to run again", func() (bool, error) {
		now, err := world.Kube.CoreV1().Pods(ns).Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && now.UID != before.UID && now.Status.Phase == corev1.PodRunning, nil
	})
}

// rowHas reports whether each port of that name, or with that prefix if it ends with "-", is checked and may send from
// the words.
func rowHas(t *testing.T, port string, words []string) (bool, error) {
	t.Helper()
	out, err := world.Nbctl(
		t.Context(),
		"--format=csv",
		"--no-headings",
		"--data=bare",
		"--columns=name,port_security",
		"list",
		"logical_switch_port",
	)
	if err != nil {
		return false, err
	}
	any := false
	for line := range strings.SplitSeq(out, "\n") {
		name, column, _ := strings.Cut(line, ",")
		if name != port && (!strings.HasSuffix(port, "-") || !strings.HasPrefix(name, port)) {
			continue
		}
		any = true
		if strings.Trim(column, ` "`) == "" || !containsAll(column, words) {
			return false, nil
		}
	}
	return any, nil
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// machineOf returns the UID of a machine, and makes it if there is none.
func machineOf(t *testing.T, ns, name string) (uid types.UID) {
	t.Helper()
	path := "/apis/kubevirt.io/v1/namespaces/" + ns + "/virtualmachineinstances"
	body, err := admin(t).do(t.Context(), http.MethodGet, path+"/"+name, nil)
	if apierrors.IsNotFound(err) {
		body, err = admin(t).do(t.Context(), http.MethodPost, path, map[string]any{
			"apiVersion": "kubevirt.io/v1",
			"kind":       "VirtualMachineInstance",
			"metadata":   map[string]any{"name": name},
			"spec":       map[string]any{},
		})
		t.Cleanup(func() { remove(t, path+"/"+name) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return types.UID(fieldOf(t, body, "metadata", "uid"))
}

// pathOf returns the API path for creating objects of its kind.
func pathOf(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	plural := map[string]string{
		"Pod": "pods", "Deployment": "deployments", "StatefulSet": "statefulsets", "Vip": "vips",
		"PortSecurityException":       "portsecurityexceptions",
		"NetworkAttachmentDefinition": "network-attachment-definitions", "VirtualMachine": "virtualmachines",
		"Namespace": "namespaces",
		"Subnet":    "subnets", "Vpc": "vpcs", "IPPool": "ippools", "RoleBinding": "rolebindings",
		"ClusterRole":        "clusterroles",
		"ClusterRoleBinding": "clusterrolebindings", "PortSecurityPolicy": "portsecuritypolicies",
	}[o.GetKind()]
	if plural == "" {
		t.Fatalf("no path of kind %s", o.GetKind())
	}
	path := "/apis/" + o.GetAPIVersion()
	if o.GetAPIVersion() == "v1" {
		path = "/api/v1"
	}
	if ns := o.GetNamespace(); ns != "" {
		path += "/namespaces/" + ns
	}
	return path + "/" + plural
}

// read reads the objects of a file.
func read(t *testing.T, path string) (objects []*unstructured.Unstructured) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) && filepath.Base(path) == "setup.yaml" {
			return nil
		}
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		o := &unstructured.Unstructured{}
		if err := decoder.Decode(&o.Object); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(path, err)
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

func toJSON(t *testing.T, o *unstructured.Unstructured) []byte {
	t.Helper()
	data, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// removeAll deletes objects, the last first, and waits until namespaces are gone.
func removeAll(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range slices.Backward(objects) {
		remove(t, pathOf(t, o)+"/"+o.GetName())
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if _, err := admin(t).do(cleanup(t), http.MethodDelete, path, nil); err != nil && !apierrors.IsNotFound(err) {
		t.Error(err)
	}
}
