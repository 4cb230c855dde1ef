package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// served are the resources of the server of the tests, by group and version: their names and kinds.
var served = map[string]map[string]string{
	"v1": {"namespaces": "Namespace", "pods": "Pod", "nodes": "Node", "services": "Service", "configmaps": "ConfigMap"},
	"apps/v1": {
		"deployments":  "Deployment",
		"daemonsets":   "DaemonSet",
		"replicasets":  "ReplicaSet",
		"statefulsets": "StatefulSet",
	},
	"kubeovn.io/v1":       {"ips": "IP", "vips": "Vip"},
	"k8s.cni.cncf.io/v1":  {"network-attachment-definitions": "NetworkAttachmentDefinition"},
	"batch/v1":            {"jobs": "Job", "cronjobs": "CronJob"},
	"discovery.k8s.io/v1": {"endpointslices": "EndpointSlice"},
	"admissionregistration.k8s.io/v1": {
		"mutatingwebhookconfigurations":   "MutatingWebhookConfiguration",
		"validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
	},
	"authorization.k8s.io/v1": {
		"subjectaccessreviews": "SubjectAccessReview", "selfsubjectaccessreviews": "SelfSubjectAccessReview",
	},
	"ovnguard.io/v1alpha1": {
		"portsecuritypolicies": "PortSecurityPolicy", "portsecurityexceptions": "PortSecurityException",
	},
}

// inNamespaces are the resources among them that are in namespaces.
var inNamespaces = []string{
	"pods", "services", "configmaps", "deployments", "daemonsets", "replicasets", "statefulsets", "jobs", "cronjobs",
	"endpointslices", "portsecurityexceptions", "network-attachment-definitions",
}

// kubeOVN has workloads as Kube-OVN's chart makes them, with the Northbound database where nobody listens.
func kubeOVN(endpoint string) map[string][]any {
	workload := func(name, account, command, image string) any {
		return map[string]any{
			"metadata": map[string]any{"namespace": "kube-system", "name": name},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{
				"serviceAccountName": account,
				"containers": []any{map[string]any{
					"name": "c", "image": image, "command": []any{command},
					"env": []any{map[string]any{"name": "OVN_NB_ADDR", "value": endpoint}},
				}},
			}}},
		}
	}
	return map[string][]any{
		"deployments": {workload("kube-ovn-controller", "ovn", "/kube-ovn/start-controller.sh", "kube-ovn:v1.15.10")},
		"daemonsets":  {workload("kube-ovn-cni", "kube-ovn-cni", "/kube-ovn/start-cniserver.sh", "kube-ovn:v1.15.10")},
		"namespaces":  {map[string]any{"metadata": map[string]any{"name": "shop"}}},
	}
}

// server returns the kubeconfig of an API server that has these objects, grants all rights, and knows no webhooks.
func server(t *testing.T, objects map[string][]any) string {
	t.Helper()
	answer := func(w http.ResponseWriter, code int, o any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(o)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.Trim(r.URL.Path, "/")
		path = strings.TrimPrefix(strings.TrimPrefix(path, "apis/"), "api/")
		if strings.HasSuffix(path, "reviews") {
			answer(w, http.StatusCreated, map[string]any{
				"apiVersion": "authorization.k8s.io/v1", "kind": kindOfReview(path),
				"status": map[string]any{"allowed": true},
			})
			return
		}
		for groupVersion, resources := range served {
			group, version, grouped := strings.Cut(groupVersion, "/")
			if !grouped {
				group, version = "", groupVersion
			}
			if path == groupVersion {
				var list []any
				for name, kind := range resources {
					list = append(list, map[string]any{
						"name":       name,
						"kind":       kind,
						"namespaced": slices.Contains(inNamespaces, name),
						"verbs":      []string{"list"},
					})
				}
				answer(w, 200, map[string]any{
					"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": list,
				})
				return
			}
			if grouped && path == group {
				at := map[string]any{"groupVersion": groupVersion, "version": version}
				answer(w, 200, map[string]any{
					"kind":             "APIGroup",
					"apiVersion":       "v1",
					"name":             group,
					"versions":         []any{at},
					"preferredVersion": at,
				})
				return
			}
			resource, ok := strings.CutPrefix(path, groupVersion+"/")
			if _, rest, within := strings.Cut(strings.TrimPrefix(resource, "namespaces/"), "/"); within {
				resource = rest
			}
			kind := resources[resource]
			if !ok || kind == "" {
				continue
			}
			list := map[string]any{"apiVersion": groupVersion, "kind": kind + "List", "metadata": map[string]any{}}
			if strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadataList") {
				list["apiVersion"], list["kind"] = "meta.k8s.io/v1", "PartialObjectMetadataList"
			}
			list["items"] = append([]any{}, objects[resource]...)
			answer(w, 200, list)
			return
		}
		switch path {
		case "version":
			answer(w, 200, map[string]any{"major": "1", "minor": "37", "gitVersion": "v1.37.0"})
		case "apis":
			var groups []any
			for groupVersion := range served {
				if group, version, ok := strings.Cut(groupVersion, "/"); ok {
					at := map[string]any{"groupVersion": groupVersion, "version": version}
					groups = append(
						groups,
						map[string]any{"name": group, "versions": []any{at}, "preferredVersion": at},
					)
				}
			}
			answer(w, 200, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
		case "api":
			answer(w, 200, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
		default:
			answer(w, 404, map[string]any{
				"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
			})
		}
	}))
	t.Cleanup(s.Close)
	return written(t, "config", strings.Replace(unreachableConfig, "https://127.0.0.1:1", s.URL, 1))
}

func kindOfReview(path string) string {
	if strings.Contains(path, "selfsubjectaccess") {
		return "SelfSubjectAccessReview"
	}
	return "SubjectAccessReview"
}

// A running cluster says how Kube-OVN is laid out, and where its database is. What does not answer is named with where
// its address is from, and the rest is shown all the same.
func TestLive(t *testing.T) {
	isolate(t)
	const nowhere = "tcp:127.0.0.1:1"
	config := server(t, kubeOVN(nowhere))
	file := unpack(t, recordedDatabase)
	const from = "variable OVN_NB_ADDR of Deployment kube-system/kube-ovn-controller"
	var all sync.WaitGroup
	for name, c := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"status, detected": {
			[]string{"status", "--timeout", "5s"}, exitUnreachable, []string{
				"NOT REACHED at " + nowhere + " (" + from, "Kubernetes v1.37.0", "NOT REGISTERED", "1 of 1 namespace enforce",
				"in namespace kube-system, router ovn-cluster",
			},
		},
		"status, file": {
			[]string{"status", "--nb", file},
			exitOK,
			[]string{"read from file " + file + " (--nb)", "nothing, there are no critical"},
		},
		"doctor, detected": {
			[]string{"doctor", "--timeout", "5s"}, exitUnreachable, []string{
				"northbound            " + nowhere, "layout          pass", "image kube-ovn:v1.15.10", "rights          pass",
				"definitions     pass", "webhooks        fail", "other webhooks  pass",
				"northbound      fail", "not reached at " + nowhere + " (" + from, "to do: ",
			},
		},
		"check": {
			[]string{"check", "-n", "shop", "-f", written(t, "m.yaml", podManifest("", ""))},
			exitOK,
			[]string{"changed  Pod shop/p  ovn.kubernetes.io/port_security=true"},
		},
		"undo": {[]string{"undo", "--all", "--timeout", "5s"}, exitOK, []string{"no change to take back"}},
	} {
		all.Go(func() { // those that wait for the database do so together
			code, out, errs := runMain(append(slices.Clone(c.args), "--kubeconfig", config)...)
			if code != c.code {
				t.Errorf("%s: exit code %d, want %d: %s", name, code, c.code, errs)
			}
			for _, want := range c.says {
				if !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
					t.Errorf("%s: %q is missing from\n%s%s", name, want, out, errs)
				}
			}
		})
	}
	all.Wait()
	// A database that asks for TLS is named with what is lacking.
	secured := server(t, kubeOVN("ssl:127.0.0.1:1"))
	for command, want := range map[string]int{"status": exitIncomplete, "doctor": exitFindings} {
		code, out, errs := runMain(command, "--kubeconfig", secured)
		if code != want || !strings.Contains(out, "--nb-ca: is required") {
			t.Errorf("%s: exit code %d, want %d: %s\n%s", command, code, want, errs, out)
		}
	}
}

// undo asks the database that Kube-OVN's controller uses, unless a flag names another one.
func TestUndoFindsTheDatabase(t *testing.T) {
	isolate(t)
	for endpoint, want := range map[string]string{"tcp:127.0.0.1:1": "", "ssl:127.0.0.1:1": "--nb-ca"} {
		o := undoOptions{connection: connection{kubeconfig: server(t, kubeOVN(endpoint))}}
		api, err := o.client()
		if err != nil {
			t.Fatal(err)
		}
		err = o.findNorthbound(t.Context(), api)
		if o.northbound != endpoint || (err == nil) != (want == "") ||
			err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", endpoint, o.northbound, err)
		}
	}
	o := undoOptions{connection: connection{kubeconfig: server(t, nil)}}
	api, err := o.client()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.findNorthbound(t.Context(), api); err == nil || !strings.Contains(err.Error(), "--nb: is required") {
		t.Errorf("without Kube-OVN: %v", err)
	}
}
