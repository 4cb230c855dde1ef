//go:build integration

package layout

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// registered reports whether a webhook of ovnguard's is registered.
func (w *cluster) registered(t *testing.T) bool {
	t.Helper()
	registrations := w.Kube.AdmissionregistrationV1()
	_, mutating := registrations.MutatingWebhookConfigurations().Get(t.Context(), "ovnguard", metav1.GetOptions{})
	_, validating := registrations.ValidatingWebhookConfigurations().Get(t.Context(), "ovnguard", metav1.GetOptions{})
	for _, err := range []error{mutating, validating} {
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
	}
	return mutating == nil || validating == nil
}

// awaitReport waits until readiness, log, Events and the ConfigMap all say the words, and returns how long that took.
func (w *cluster) awaitReport(t *testing.T, words string) time.Duration {
	t.Helper()
	return eventually(t, "it to be said: "+words, func() (bool, error) {
		for _, text := range []string{w.unready(t), w.logged(), w.kept(t)} {
			if !strings.Contains(text, words) {
				return false, nil
			}
		}
		told, err := w.event(t, "KubeOVNUnclear")
		return strings.Contains(told, words), err
	})
}

// unready returns why the program is not ready; "" where it is, or cannot be asked yet.
func (w *cluster) unready(t *testing.T) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.guard.Ready+"/kube-ovn", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return ""
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode == http.StatusOK {
		return ""
	}
	return string(body)
}

// logged returns the program's log; "" if there is none yet.
func (w *cluster) logged() string {
	data, err := os.ReadFile(w.guard.Log)
	if err != nil {
		return ""
	}
	return string(data)
}

// kept returns the layout in the ConfigMap, on one line; "" where there is none yet.
func (w *cluster) kept(t *testing.T) string {
	t.Helper()
	m, err := w.Kube.CoreV1().ConfigMaps("ovnguard-system").Get(t.Context(), "ovnguard-kube-ovn", metav1.GetOptions{})
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(m.Data["layout.yaml"]), " ")
}

// event returns the notes of the Events of a reason in the program's namespace.
func (w *cluster) event(t *testing.T, reason string) (string, error) {
	t.Helper()
	list, err := w.Kube.EventsV1().Events("ovnguard-system").List(t.Context(), metav1.ListOptions{})
	var notes []string
	for _, e := range list.Items {
		if e.Reason == reason {
			notes = append(notes, e.Note)
		}
	}
	return strings.Join(notes, "\n"), err
}

// If an account of Kube-OVN's would be refused, or is not known, nothing is registered, the program says so within five
// seconds, and pods still get their network. It goes on by itself when the layout is clear.
func TestUnclear(t *testing.T) {
	w := open(t, controlplane.KubeOVN{Namespace: "cozy-kubeovn"})
	end := w.podStream(t)
	unclear := func(words string, flags ...string) {
		t.Helper()
		if err := w.guard.RestartWithout(flags...); err != nil {
			t.Fatal(err)
		}
		if took := w.awaitReport(t, words); took > saidWithin {
			t.Errorf("it was said after %s", took)
		} else {
			t.Logf("said after %s", took.Round(time.Millisecond))
		}
		if w.registered(t) {
			t.Error("a webhook is registered")
		}
	}
	unclear("cozy-kubeovn:ovn, which is none of --kube-ovn-accounts, and would be refused",
		"--kube-ovn-accounts=system:serviceaccount:kube-system:ovn,system:serviceaccount:kube-system:kube-ovn-cni")

	daemons := w.Kube.AppsV1().DaemonSets("cozy-kubeovn")
	daemon, err := daemons.Get(t.Context(), "kube-ovn-cni", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := daemons.Delete(t.Context(), daemon.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	unclear("it is not known as which user kube-ovn-cni writes: no Deployment, DaemonSet or pod runs it here")

	// A tenant's imitation of Kube-OVN's workload does not make it clear, and gains nothing.
	daemon.ResourceVersion, daemon.UID = "", ""
	forged := daemon.DeepCopy()
	forged.Namespace, forged.Spec.Template.Spec.ServiceAccountName = tenant, "default"
	if _, err := w.as(t, "tenant").
		AppsV1().
		DaemonSets(tenant).
		Create(t.Context(), forged, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	words := "DaemonSet tenant/kube-ovn-cni runs as system:serviceaccount:tenant:default, which may not patch pods"
	if took := w.awaitReport(t, words); took > saidWithin {
		t.Errorf("it was said after %s", took)
	}
	if w.registered(t) {
		t.Error("a webhook is registered")
	}

	if _, err := daemons.Create(t.Context(), daemon, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, "the webhooks to be registered", func() (bool, error) { return w.registered(t), nil })
	t.Logf("registered %s after it was clear", took.Round(time.Millisecond))
	time.Sleep(2 * time.Second)
	t.Logf("%d pods got their network meanwhile", end())
	validating, err := w.Kube.AdmissionregistrationV1().
		ValidatingWebhookConfigurations().
		Get(t.Context(), "ovnguard", metav1.GetOptions{})
	if err != nil || strings.Contains(validating.String(), "serviceaccount:tenant") {
		t.Errorf("the tenant's account is let through: %v", err)
	}
}

// When Kube-OVN moves to another account it is not cut off, unless a flag leaves that account out: then the program
// reports it at once.
func TestMoved(t *testing.T) {
	w := open(t, controlplane.KubeOVN{})
	if err := w.guard.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := w.pod(t.Context(), w.as(t, "tenant"), "subject")
	if err != nil {
		t.Fatal(err)
	}
	key := kubeovn.DefaultProvider.Key(kubeovn.Routed)
	note := func(user string) error {
		patch := []byte(`{"metadata":{"annotations":{"` + key + `":"` + user + `"}}}`)
		_, err := w.as(t, "system:serviceaccount:kube-system:"+user, "system:serviceaccounts").
			CoreV1().Pods(tenant).Patch(t.Context(), p.Name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}
	move := func(account string) {
		t.Helper()
		_, err := w.Kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: account},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "kube-system", Name: account}},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		patch := []byte(`{"spec":{"template":{"spec":{"serviceAccountName":"` + account + `"}}}}`)
		if _, err := w.Kube.AppsV1().
			Deployments("kube-system").
			Patch(t.Context(), "kube-ovn-controller", types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	move("ovn2")
	took := eventually(t, "another account to be let through", func() (bool, error) { return note("ovn2") == nil, nil })
	t.Logf("another account was let through after %s", took.Round(time.Millisecond))

	flag := "--kube-ovn-accounts=system:serviceaccount:kube-system:ovn2,system:serviceaccount:kube-system:kube-ovn-cni"
	if err := w.guard.Restart(t.Context(), flag); err != nil {
		t.Fatal(err)
	}
	move("ovn3")
	if took := w.awaitReport(t, "kube-system:ovn3, which is none of --kube-ovn-accounts"); took > saidWithin {
		t.Errorf("it was said after %s", took)
	}
	if err := note("ovn3"); err == nil {
		t.Fatal("the account that the flag leaves out is not refused: the test shows nothing")
	}
	took = eventually(t, "the refusal to be told by a metric, a finding and an Event", func() (bool, error) {
		metrics, err := scene.Get(t.Context(), w.guard.Metrics)
		told, errEvent := w.event(t, "KubeOVNRefused")
		return strings.Contains(
				metrics,
				`ovnguard_kube_ovn_refused_total{account="system:serviceaccount:kube-system:ovn3",webhook="guard-running-pods"} 1`,
			) &&
				strings.Contains(metrics, `ovnguard_findings{rule="OVG031"} 1`) &&
				strings.Contains(
					told,
					"system:serviceaccount:kube-system:ovn3, an account of Kube-OVN's own workloads, was refused "+
						"UPDATE of pods tenant/subject",
				), errors.Join(
				err,
				errEvent,
			)
	})
	t.Logf("told after %s", took.Round(time.Millisecond))
	if took > saidWithin {
		t.Errorf("it was told after %s", took)
	}
}
