//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
)

// audited has the fields that the tests read of a line in the API server's audit log.
type audited struct {
	Verb string
	User struct{ Username string }
	Ref  struct{ Resource, Subresource, Namespace, Name string } `json:"objectRef"`
	// Status is the result of the request.
	Status struct{ Code int } `json:"responseStatus"`
	// Annotations are admission's notes, by the webhook's name and a key.
	Annotations map[string]string
}

// lastAudited returns the last line about a resource of that name itself, without its status: the program, or a node,
// writes that at any time.
func lastAudited(t *testing.T, resource, name string) (line audited, found bool) {
	t.Helper()
	log, err := os.ReadFile(world.Lab.AuditLog())
	if err != nil {
		t.Fatal(err)
	}
	for text := range bytes.Lines(log) {
		var a audited
		if !bytes.HasSuffix(text, []byte("\n")) {
			break // it is still being written
		}
		if err := json.Unmarshal(text, &a); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if a.Ref.Resource == resource && a.Ref.Subresource == "" && a.Ref.Name == name {
			line, found = a, true
		}
	}
	return line, found
}

// policyOver makes a policy for the pods of one namespace, which is deleted at the end of the test.
func policyOver(t *testing.T, ns string, spec v1alpha1.PortSecurityPolicySpec) string {
	t.Helper()
	spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: ns}}
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: unique("policy")}, Spec: spec,
	}
	if _, err := admin(t).do(t.Context(), http.MethodPost, policiesPath, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+p.Name, nil); err != nil {
			t.Error(err)
		}
	})
	return p.Name
}

// unenforcedNamespace returns a namespace with a policy that does not enforce, once the program knows it.
func unenforcedNamespace(t *testing.T, mode v1alpha1.Mode) (ns, policyName string) {
	t.Helper()
	ns = namespace(t, nil)
	policyName = policyOver(t, ns, v1alpha1.PortSecurityPolicySpec{Mode: mode})
	p := admin(t)
	eventually(t, "the policy to be followed", func() (bool, error) {
		pod, err := p.dryRun(t.Context(), ns, nil)
		return err == nil && pod.Annotations[portSecurity] == "", err
	})
	return ns, policyName
}

// For each request the API server's audit log has its policy, the decision and the objections, whether they refused it,
// caused a warning, or had no effect.
func TestAuditLog(t *testing.T) {
	const builtIn = "the built-in default"
	warned, warns := unenforcedNamespace(t, v1alpha1.ModeWarn)
	silent, audits := unenforcedNamespace(t, v1alpha1.ModeAudit)
	plain, granting := namespace(t, nil), namespace(t, nil)
	grants := policyFor(t, granting)
	_, owner := granted(t, namespaceRights)
	wide := exceptionIn(granting)
	wide.Name, wide.Spec.Grant.Pairs[0].Prefix = "wide", "0.0.0.0/1"
	exceptionsPath := "/apis/ovnguard.io/v1alpha1/namespaces/" + granting + "/portsecurityexceptions"
	made := unique("policy")
	root := admin(t)
	makePod := func(ns string, annotations map[string]string) (name string, err error) {
		name = unique("noted")
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}, Spec: podSpec()}
		_, err = root.CoreV1().
			Pods(ns).
			Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return name, err
	}
	taking := map[string]string{portVIPs: "10.9.9.9"}
	cases := map[string]struct {
		ask                                  func() (name string, err error)
		resource, webhook                    string
		code                                 int
		policyTitle, decision, violationPart string
	}{
		"a pod that is refused": {
			func() (string, error) { return makePod(plain, taking) },
			"pods", "guard-pods", http.StatusForbidden, builtIn, "strict", portVIPs,
		},
		"a pod that asks in vain": {
			func() (string, error) { return makePod(plain, map[string]string{portSecurity: "false"}) },
			"pods", "pods", http.StatusCreated, builtIn, "strict", portSecurity,
		},
		"a pod that asks for nothing": {
			func() (string, error) { return makePod(plain, nil) },
			"pods", "pods", http.StatusCreated, builtIn, "strict", "",
		},
		"a pod that is warned of": {
			func() (string, error) { return makePod(warned, taking) },
			"pods", "guard-pods", http.StatusCreated, "PortSecurityPolicy " + warns, "strict", portVIPs,
		},
		"a pod that is only noted": {
			func() (string, error) { return makePod(silent, taking) },
			"pods", "guard-pods", http.StatusCreated, "PortSecurityPolicy " + audits, "strict", portVIPs,
		},
		"a namespace that may not be loosened": {
			func() (string, error) {
				_, err := owner.do(
					t.Context(),
					http.MethodPatch,
					"/api/v1/namespaces/"+plain,
					map[string]any{"metadata": map[string]any{"annotations": map[string]any{portSecurity: "false"}}},
				)
				return plain, err
			},
			"namespaces", "guard-namespaces", http.StatusForbidden, builtIn, "strict", "open instead of strict",
		},
		"an exception": {
			func() (string, error) {
				e := exceptionIn(granting)
				e.Name = unique("noted") // other tests use one name for theirs
				_, err := root.do(t.Context(), http.MethodPost, exceptionsPath, e)
				return e.Name, err
			},
			"portsecurityexceptions",
			"guard-portsecurityexceptions",
			http.StatusCreated,
			"PortSecurityPolicy " + grants,
			"NotApproved",
			"",
		},
		"an exception that is too wide": {
			func() (string, error) {
				_, err := root.do(t.Context(), http.MethodPost, exceptionsPath, wide)
				return "wide", err
			},
			"portsecurityexceptions",
			"guard-portsecurityexceptions",
			http.StatusForbidden,
			"PortSecurityPolicy " + grants,
			"refused",
			"/24",
		},
		"a policy": {
			func() (string, error) {
				_, err := root.do(t.Context(), http.MethodPost, policiesPath+dryRun, map[string]any{
					"apiVersion": v1alpha1.GroupVersion.String(),
					"kind":       "PortSecurityPolicy",
					"metadata":   map[string]any{"name": made},
					"spec":       map[string]any{"level": "mac"},
				})
				return made, err
			},
			"portsecuritypolicies",
			"guard-portsecuritypolicies",
			http.StatusCreated,
			"PortSecurityPolicy " + made,
			"mac",
			"",
		},
		"a template": {
			func() (string, error) {
				d := deployment(plain)
				d.Name, d.Spec.Template.Annotations = unique("noted"), taking
				_, err := root.AppsV1().
					Deployments(plain).
					Create(t.Context(), d, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
				return d.Name, err
			},
			"deployments", "guard-workloads", http.StatusCreated, builtIn, "strict", portVIPs,
		},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			name, err := c.ask()
			if (err == nil) != (c.code < http.StatusBadRequest) {
				t.Fatalf("it ended with %v, want the code %d", err, c.code)
			}
			var line audited
			eventually(
				t,
				"the audit log to have "+c.resource+" "+name+" with code "+http.StatusText(c.code),
				func() (bool, error) {
					var found bool
					line, found = lastAudited(t, c.resource, name)
					return found && line.Status.Code == c.code, nil
				},
			)
			note := func(key string) string { return line.Annotations[c.webhook+".ovnguard.io/"+key] }
			violation := note("violation")
			if note("policy") != c.policyTitle || note("decision") != c.decision ||
				!strings.Contains(violation, c.violationPart) ||
				(violation == "") != (c.violationPart == "") {
				t.Errorf(
					"annotations %q, want of %s the policy %q, the decision %q and a violation with %q",
					line.Annotations,
					c.webhook,
					c.policyTitle,
					c.decision,
					c.violationPart,
				)
			}
		})
	}
}
