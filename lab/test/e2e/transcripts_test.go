//go:build integration

package e2e

import (
	"errors"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/deploy"
)

var update = flag.Bool("update", false, "write the answers in testdata/script again")

// shopNamespace is the namespace of the transcripts. It has pod till, which a policy protects, and pod loose with an
// open port.
const shopNamespace = "live-shop"

// Transcripts show what an administrator and a tenant of one namespace see of a running cluster: each in
// testdata/script has commands and what they print. "run CODE ARGS…" runs ovnguard, and leaves its answer in the files
// out and err, with words in place of what differs from run to run; runs of spaces count as two, since their number
// differs with such words. "await CODE ARGS…" runs it until it ends with the code. The flag -update writes the answers
// again.
func TestLiveTranscripts(t *testing.T) {
	shop(t)
	at, authority := registered(t)
	boss, tenant := newCaller(t, unique("boss")), newCaller(t, unique("tenant"))
	bind(t, boss.name, "cluster-admin", true)
	for _, role := range []string{"edit", "ovnguard-exception-author"} {
		b := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{
				{Kind: rbacv1.ServiceAccountKind, Namespace: tenantNamespace, Name: tenant.name},
			},
		}
		if _, err := world.Kube.RbacV1().RoleBindings(shopNamespace).Create(
			t.Context(), b, metav1.CreateOptions{},
		); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ script, kubeconfig string }{
		{"tenant.txtar", tenant.kubeconfig}, // asks for an exception, which the administrator approves
		{"admin.txtar", boss.kubeconfig},
	} {
		t.Run(c.script, func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files:         []string{filepath.Join("testdata", "script", c.script)},
				UpdateScripts: *update, ContinueOnError: true,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"run": runLive, "await": awaitLive},
				Setup: func(env *testscript.Env) error {
					env.Setenv("KUBECONFIG", c.kubeconfig)
					env.Setenv("NB", world.Lab.Info().NB)
					env.Setenv("SERVER", at)
					env.Setenv("TZ", "UTC")
					return os.WriteFile(filepath.Join(env.WorkDir, "ca.crt"), authority, 0o600)
				},
			})
		})
	}
}

// shop makes the namespace of the transcripts, and waits until the controller knows it.
func shop(t *testing.T) {
	t.Helper()
	awaitNoFindings(t)
	ctx := t.Context()
	if err := world.Namespace(ctx, shopNamespace, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deleteNamespace(t, shopNamespace) })
	p := &v1alpha1.PortSecurityPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PortSecurityPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: shopNamespace},
		Spec: v1alpha1.PortSecurityPolicySpec{
			NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: shopNamespace},
			},
			Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{shopNamespace}, RequireApproval: true},
		},
	}
	if _, err := admin(t).do(ctx, http.MethodPost, policiesPath, p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = admin(t).do(cleanup(t), http.MethodDelete, policiesPath+"/"+shopNamespace, nil) })
	if err := world.Apply(ctx, deploy.Roles); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"till", "loose"} {
		pod, err := world.Pod(ctx, shopNamespace, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { deletePod(t, pod) })
	}
	label := []byte(`{"metadata":{"labels":{"app":"till"}}}`)
	if _, err := world.Kube.CoreV1().Pods(shopNamespace).Patch(
		ctx, "till", types.MergePatchType, label, metav1.PatchOptions{},
	); err != nil {
		t.Fatal(err)
	}
	nbctl(t, "lsp-set-port-security", "loose."+shopNamespace)
	awaitRules(t, "OVG001")
}

// passing finds what differs from run to run, and says what stands for it.
var passing = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ(, \S+ ago)?`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`\b(0a:e9:a3|[0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2})(:[0-9a-f]{2}){3}\b`), "MAC"},
	{regexp.MustCompile(`\b127\.0\.0\.1:\d+|localhost:\d+`), "HOST:PORT"},
	{regexp.MustCompile(`\b10\.16\.\d+\.\d+\b`), "ADDRESS"},
	{regexp.MustCompile(`\b(boss|tenant)-\d+\b`), "$1"},
	{regexp.MustCompile(`Kubernetes v\S+`), "Kubernetes VERSION"},
	{regexp.MustCompile(`version \S+,`), "version VERSION,"},
	{regexp.MustCompile(`--kubeconfig=\S+ `), ""},
	{regexp.MustCompile(`\S*unix:\S+`), "DATABASE"},
	{regexp.MustCompile(`\d+ days left`), "DAYS left"},
	{regexp.MustCompile(`replica \S+|\S+_UUID`), "REPLICA"},
	{regexp.MustCompile(`ovnguard (v\d\S*|[0-9a-f]{7,}\S*|unknown)\n`), "ovnguard VERSION\n"},
	{regexp.MustCompile(` +\n`), "\n"},
	{regexp.MustCompile(`   +`), "  "},
}

// exitOf runs ovnguard, and returns its exit code.
func exitOf(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(binary, args...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// awaitLive runs ovnguard until it ends with the code: "await CODE ARGS...".
func awaitLive(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: await CODE ARGS...")
	}
	for end := time.Now().Add(waitTime); strconv.Itoa(exitOf(ts, args[1:])) != args[0]; time.Sleep(time.Second) {
		if time.Now().After(end) {
			ts.Fatalf("it does not end with %s", args[0])
		}
	}
}

func runLive(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: run CODE ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := exitOf(ts, args[1:])
	for file, stream := range map[string]string{"out": "stdout", "err": "stderr"} {
		text := ts.ReadFile(stream)
		for _, p := range passing {
			text = p.find.ReplaceAllString(text, p.with)
		}
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
	if text := ts.ReadFile("err"); strings.Contains(text, "panic") {
		ts.Fatalf("%s", text)
	}
}
