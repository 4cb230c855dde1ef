//go:build integration

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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

// caller is a ServiceAccount that asks the controller's API.
type caller struct{ name, token, kubeconfig string }

// newCaller makes a ServiceAccount in the tenant's namespace, with a token of the API server and a kubeconfig.
func newCaller(t *testing.T, name string) caller {
	t.Helper()
	accounts := world.Kube.CoreV1().ServiceAccounts(tenantNamespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := accounts.Delete(cleanup(t), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	got, err := accounts.CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity])
	if err != nil {
		t.Fatal(err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &api.AuthInfo{Token: got.Status.Token}
	}
	c := caller{name: name, token: got.Status.Token, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := clientcmd.WriteToFile(*config, c.kubeconfig); err != nil {
		t.Fatal(err)
	}
	return c
}

// bind gives a ServiceAccount of the tenant's namespace a ClusterRole, there or everywhere.
func bind(t *testing.T, account, role string, everywhere bool) {
	t.Helper()
	subject := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: tenantNamespace, Name: account}}
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	meta, rbac := metav1.ObjectMeta{Name: unique("api")}, world.Kube.RbacV1()
	var err error
	if everywhere {
		b := &rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subject, RoleRef: ref}
		_, err = rbac.ClusterRoleBindings().Create(t.Context(), b, metav1.CreateOptions{})
		t.Cleanup(func() { _ = rbac.ClusterRoleBindings().Delete(cleanup(t), meta.Name, metav1.DeleteOptions{}) })
	} else {
		b := &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subject, RoleRef: ref}
		_, err = rbac.RoleBindings(tenantNamespace).Create(t.Context(), b, metav1.CreateOptions{})
		t.Cleanup(
			func() { _ = rbac.RoleBindings(tenantNamespace).Delete(cleanup(t), meta.Name, metav1.DeleteOptions{}) },
		)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// registered returns the URL of the API, as the webhooks are registered, and the authority of its certificate.
func registered(t *testing.T) (at string, authority []byte) {
	t.Helper()
	config, err := world.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().
		Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(*config.Webhooks[0].ClientConfig.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + u.Host, config.Webhooks[0].ClientConfig.CABundle
}

// ask asks the API with a token.
func ask(t *testing.T, token, path string) (code int, body string) {
	t.Helper()
	at, authority := registered(t)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/api/v1/"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// plainly runs the program as a caller does who knows of no database.
func (c caller) plainly(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = []string{"KUBECONFIG=" + c.kubeconfig}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// The real API server says who asks and what they may list: an administrator sees all, a tenant one namespace, and
// nobody else anything. The command line asks by itself where it finds the registration, and else by --server.
func TestThreatT52TenantOfTheAPI(t *testing.T) {
	awaitNoFindings(t)
	other := namespace(t, nil)
	theirs := run(t, other, nil)
	mine := newVictim(t)
	boss, tenant, stranger := newCaller(
		t,
		unique("boss"),
	), newCaller(
		t,
		unique("tenant"),
	), newCaller(
		t,
		unique("stranger"),
	)
	bind(t, boss.name, "cluster-admin", true)
	bind(t, tenant.name, "view", false)
	nbctl(t, "lsp-set-port-security", mine.port)
	eventually(t, "the API to tell the finding", func() (bool, error) {
		code, body := ask(t, boss.token, "findings?rule=OVG001")
		return code == http.StatusOK && strings.Contains(body, mine.port), nil
	})

	for _, c := range []struct {
		who   string
		token string
		path  string
		code  int
		says  string
	}{
		{"boss", boss.token, "status", 200, `"open": 1`},
		{"boss", boss.token, "ports?limit=500", 200, theirs.Name},
		{"boss", boss.token, "pods/" + other + "/" + theirs.Name, 200, `"level": "strict"`},
		{"tenant", tenant.token, "status", 403, "?namespace="},
		{"tenant", tenant.token, "status?namespace=" + other, 403, other},
		{"tenant", tenant.token, "pods/" + other + "/" + theirs.Name, 403, "list pods"},
		{"tenant", tenant.token, "ports?namespace=" + tenantNamespace, 200, mine.port},
		{"stranger", stranger.token, "status?namespace=" + tenantNamespace, 403, "list pods"},
		{"garbage", "garbage", "status", 401, "token"},
		{"garbage", boss.token + "x", "status", 401, "token"},
		{"nobody", "", "status", 401, "Bearer"},
	} {
		if code, body := ask(t, c.token, c.path); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s, %s: %d, want %d with %q\n%s", c.who, c.path, code, c.code, c.says, body)
		}
	}
	for _, path := range []string{"status", "findings", "ports"} {
		_, body := ask(t, tenant.token, path+"?namespace="+tenantNamespace)
		for _, secret := range []string{theirs.Name, other, theirs.Annotations[ipAddress], world.Lab.Info().NB} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells the tenant %q:\n%s", path, secret, body)
			}
		}
	}

	// The command line, without a word about any database.
	stdout, stderr, code := boss.plainly(t, "status")
	if code != 1 || !strings.Contains(stdout, "read from the controller's API") || !strings.Contains(stdout, "OVG001") {
		t.Errorf("status of the boss: code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = boss.plainly(t, "audit", "-o", "json", "--rule", "OVG001")
	var report auditReport
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || code != 1 || len(report.Findings) != 1 ||
		report.Findings[0].Port != mine.port {
		t.Errorf("audit of the boss: code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	at, authority := registered(t)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(ca, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code = tenant.plainly(t, "status", "-n", tenantNamespace)
	if code != 4 || !strings.Contains(stderr, "--server") {
		t.Errorf("status of the tenant, who may not find the controller: code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = tenant.plainly(t, "status", "-n", tenantNamespace, "--server", at, "--server-ca", ca)
	if code != 1 || !strings.Contains(stdout, "left out") || strings.Contains(stdout, other) {
		t.Errorf("status of the tenant: code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = tenant.plainly(t, "audit", "-n", tenantNamespace, "--server", at, "--server-ca", ca)
	if code != 1 || !strings.Contains(stdout, "OVG001") || strings.Contains(stdout, other) {
		t.Errorf("audit of the tenant: code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = tenant.plainly(t, "audit", "--server", at, "--server-ca", ca)
	if code != 3 || stdout != "" || !strings.Contains(stderr, "-n") {
		t.Errorf("audit of the tenant about all: code %d\n%s%s", code, stdout, stderr)
	}
	// A client certificate proves nothing to the API.
	stdout, stderr, code = ovnguard(t, "status", "--server", at)
	if code != 3 || !strings.Contains(stderr, "token") {
		t.Errorf("status with a client certificate: code %d\n%s%s", code, stdout, stderr)
	}
	log, err := os.ReadFile(guard.Log)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []caller{boss, tenant, stranger} {
		if strings.Contains(string(log), c.token) {
			t.Error("the log has a token")
		}
	}
	for _, fix := range fixesOf(audit(t).findingsOf(mine.port)) {
		shell(t, fix)
	}
	awaitNoFindings(t)
}
