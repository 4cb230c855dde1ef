//go:build integration

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// accountConfig returns the kubeconfig of a ServiceAccount that has ClusterRole edit in its namespace and nothing
// elsewhere.
func accountConfig(t *testing.T, namespace string) string {
	t.Helper()
	ctx, name := t.Context(), unique("auditor")
	_, err := world.Kube.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = world.Kube.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := world.Kube.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, name,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := clientcmd.LoadFromFile(world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity])
	if err != nil {
		t.Fatal(err)
	}
	context := admin.Contexts[admin.CurrentContext]
	path := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(api.Config{
		Clusters:       map[string]*api.Cluster{"c": admin.Clusters[context.Cluster]},
		AuthInfos:      map[string]*api.AuthInfo{"u": {Token: token.Status.Token}},
		Contexts:       map[string]*api.Context{"c": {Cluster: "c", AuthInfo: "u", Namespace: namespace}},
		CurrentContext: "c",
	}, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// Who has rights in one namespace alone gets answers about it, and is told what was left out. Nothing of it is called
// clean, because policies may not be read.
func TestTenantReadsOneNamespace(t *testing.T) {
	mine := namespace(t, nil)
	other := namespace(t, nil)
	pod := run(t, mine, nil)
	stranger := run(t, other, nil)
	awaitNoFindings(t)
	config := accountConfig(t, mine)
	for name, c := range map[string]struct {
		args   []string
		code   int
		stdout []string
	}{
		"audit": {
			[]string{"audit", "-n", mine},
			4,
			[]string{
				"1 ports: 1 compliant", "only namespace " + mine + " was read", "Pod",
				"you may not list these, and they were left out: ", "PortSecurityPolicy.ovnguard.io",
			},
		},
		"status": {
			[]string{"status", "-n", mine}, 4, []string{mine, "only namespace " + mine + " was read"},
		},
		"explain, by the context": {[]string{"explain", "pod/" + pod.Name}, 4, []string{"pod " + mine + "/" + pod.Name}},
		"explain": {
			[]string{"explain", "pod/" + pod.Name, "-n", mine},
			4,
			[]string{
				"port                " + pod.Name + "." + mine, "port_security [", "audit               compliant",
				"another address", "drop",
			},
		},
		"a pod of others": {[]string{"explain", "pod/" + stranger.Name, "-n", other}, 3, nil},
		"audit of others": {[]string{"audit", "-n", other}, 3, nil},
		"audit of all":    {[]string{"audit"}, 3, nil},
		"journal":         {[]string{"journal"}, 3, nil},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := ovnguard(t, append(slices.Clone(c.args), "--kubeconfig", config)...)
			if code != c.code {
				t.Errorf("code %d, want %d", code, c.code)
			}
			for _, want := range c.stdout {
				if !strings.Contains(stdout, want) {
					t.Errorf("lacks %q", want)
				}
			}
			if c.code == 3 && (stdout != "" || !strings.Contains(stderr, "forbidden") ||
				!strings.Contains(stderr, "administrator")) {
				t.Errorf("the refusal does not name the right and what to do")
			}
			if name == "audit of all" && !strings.Contains(stderr, "-n NAMESPACE") {
				t.Errorf("the refusal does not name -n")
			}
			if t.Failed() {
				t.Logf("standard output:\n%s\nstandard error:\n%s", stdout, stderr)
			}
		})
	}
	// The same person, by an administrator who acts as the account.
	_, stderr, code := ovnguard(t, "explain", "pod/"+pod.Name, "-n", mine, "--as=nobody", "--as-group=nothing")
	if code != 3 || !strings.Contains(stderr, `User "nobody"`) {
		t.Errorf("--as: code %d: %s", code, stderr)
	}
}

// What is explained of a port of the running cluster is what OVN has and what was decided.
func TestExplainRunning(t *testing.T) {
	ns := namespace(t, nil)
	pod := run(t, ns, nil)
	awaitNoFindings(t)
	stdout, stderr, code := ovnguard(t, "explain", ns+"/"+pod.Name, "-o", "json", "--sb", world.Lab.Info().SB)
	var ports []struct {
		Port, Level, State, Subnet string
		Identity                   struct {
			MAC, From string
			IPs       []string
		}
		Northbound, Southbound struct {
			PortSecurity []string
			Chassis      []string
		}
	}
	if err := json.Unmarshal([]byte(stdout), &ports); code != 0 || err != nil || len(ports) != 1 {
		t.Fatalf("code %d, %v: %s\n%s", code, err, stderr, stdout)
	}
	p := ports[0]
	if p.Level != "strict" || p.State != "compliant" || p.Subnet == "" || len(p.Northbound.PortSecurity) != 1 ||
		len(p.Southbound.PortSecurity) != 1 || len(p.Southbound.Chassis) != 1 || len(p.Identity.IPs) == 0 {
		t.Fatalf("%+v", p)
	}
	for question, want := range map[string]string{
		"ip/" + p.Identity.IPs[0]:   `"senders": [`,
		"mac/" + p.Identity.MAC:     p.Port,
		"port/" + p.Port:            p.Identity.MAC,
		"ip/" + "203.0.113.77":      `"holders": []`,
		"deployment/does-not-exist": "",
	} {
		stdout, stderr, code := ovnguard(t, "explain", question, "-n", ns, "-o", "json")
		if !strings.Contains(stdout, want) || (code == 1) != (want == "") {
			t.Errorf("%s: code %d, lacks %q: %s\n%s", question, code, want, stderr, stdout)
		}
	}
}
