package registration

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// registeredByOthers returns the configurations as somebody else registers them, with the authority and after a change.
func registeredByOthers(o Options, ca []byte) (
	*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration,
) {
	mutate := &admissionregistrationv1.MutatingWebhookConfiguration{}
	validate := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	mutate.Name, validate.Name = configurationName, configurationName
	mutate.Webhooks, validate.Webhooks = configurations(o, ca)
	return mutate, validate
}

// A configuration that somebody else registers counts as right as long as no request is missed, refused or trusted
// that this version would not miss, refuse or trust; the reason names the webhook.
func TestFollowerSeesWhatIsWrong(t *testing.T) {
	ca, cert := authorityAndCertificate(t)
	served := func(o *Options) { o.AdmissionPolicies = true }
	for name, x := range map[string]struct {
		wanted Options
		change func(*admissionregistrationv1.MutatingWebhookConfiguration,
			*admissionregistrationv1.ValidatingWebhookConfiguration)
		says string
	}{
		"as it is":                {byChart(), nil, ""},
		"as it is, with policies": {byChart(served), nil, ""},
		"asked more than needed": {byChart(served), func(m *admissionregistrationv1.MutatingWebhookConfiguration,
			_ *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			m.Webhooks, _ = configurations(byChart(), ca)
		}, ""},
		"asked less than needed": {byChart(), func(m *admissionregistrationv1.MutatingWebhookConfiguration,
			_ *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			m.Webhooks, _ = configurations(byChart(served), ca)
		}, "MutatingWebhookConfiguration ovnguard: webhook pods.ovnguard.io is another one"},
		"one is missing": {byChart(), func(_ *admissionregistrationv1.MutatingWebhookConfiguration,
			v *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			v.Webhooks = v.Webhooks[1:]
		}, "ValidatingWebhookConfiguration ovnguard: webhook guard-pods.ovnguard.io is not there"},
		"one is open": {byChart(), func(_ *admissionregistrationv1.MutatingWebhookConfiguration,
			v *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			v.Webhooks[0].FailurePolicy = new(open)
		}, "webhook guard-pods.ovnguard.io is another one"},
		"of an older version": {byChart(), func(_ *admissionregistrationv1.MutatingWebhookConfiguration,
			v *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			old := v.Webhooks[0]
			old.Name = "guard-old.ovnguard.io"
			v.Webhooks = append(v.Webhooks, old)
		}, "webhook guard-old.ovnguard.io is none of this version"},
		"no authority yet": {byChart(), func(m *admissionregistrationv1.MutatingWebhookConfiguration,
			_ *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			m.Webhooks[0].ClientConfig.CABundle = nil
		}, "caBundle of webhook pods.ovnguard.io does not have the authority"},
		"another authority": {byChart(), func(_ *admissionregistrationv1.MutatingWebhookConfiguration,
			v *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			v.Webhooks[2].ClientConfig.CABundle = authority(t)
		}, "does not have the authority"},
		"two authorities, as while one is renewed": {byChart(), func(m *admissionregistrationv1.MutatingWebhookConfiguration,
			_ *admissionregistrationv1.ValidatingWebhookConfiguration,
		) {
			m.Webhooks[0].ClientConfig.CABundle = append(authority(t), ca...)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			mutate, validate := registeredByOthers(x.wanted, ca)
			if x.change != nil {
				x.change(mutate, validate)
			}
			writes, told := 0, 0
			c := api(t, &writes, nil, mutate, validate, ownRole(), ownBinding())
			f := &follower{
				client:     c,
				options:    x.wanted,
				owner:      ownerOf(c, x.wanted),
				registered: newRegistered(),
				serving:    answers,
				mounted:    func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
				right:      func() { told++ },
			}
			if _, err := f.Reconcile(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			if x.says == "" && f.said != "" || !strings.Contains(f.said, x.says) {
				t.Errorf("it says %q, want %q", f.said, x.says)
			}
			stands := 0.0
			for _, o := range configurationObjects() {
				stands += testutil.ToFloat64(f.registered.WithLabelValues(typeName(o), configurationName))
			}
			if right := x.says == ""; right != (told == 1) || right != (stands == 2) {
				t.Errorf("told %d times that it is right, ovnguard_registered adds up to %v", told, stands)
			}
			if writes != 0 {
				t.Errorf("it wrote %d times", writes)
			}
		})
	}
}

// answers is serving of webhooks that answer.
func answers(context.Context) error { return nil }

// ownBinding returns the ClusterRoleBinding that the chart makes.
func ownBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "ovnguard-registration"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "ovnguard-registration"},
	}
}

// No webhook is called before it answers, and is trusted: every pod would be refused meanwhile. The right goes with the
// ClusterRole.
func TestFollowerGrantsWhenItAnswers(t *testing.T) {
	ca, cert := authorityAndCertificate(t)
	o := byChart()
	mutate, validate := registeredByOthers(o, nil)
	c := api(t, new(int), nil, mutate, validate, ownRole(), ownBinding())
	silent := errors.New("connection refused")
	f := &follower{
		client: c, options: o, owner: ownerOf(c, o), registered: newRegistered(),
		serving: func(context.Context) error { return silent },
		mounted: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
	}
	look := func(granted int) {
		t.Helper()
		if _, err := f.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
		var binding rbacv1.ClusterRoleBinding
		if err := c.Get(t.Context(), client.ObjectKey{Name: o.OwnerRole}, &binding); err != nil {
			t.Fatal(err)
		}
		if len(binding.Subjects) != granted || len(binding.OwnerReferences) != granted {
			t.Errorf("it is granted to %v, and belongs to %v", binding.Subjects, binding.OwnerReferences)
		}
		if granted == 1 &&
			(binding.Subjects[0].Name != "ovnguard" || binding.OwnerReferences[0].Kind != "ClusterRole") {
			t.Errorf("it is granted to %v, and belongs to %v", binding.Subjects, binding.OwnerReferences)
		}
	}
	look(0)
	silent = nil
	look(0) // it is not trusted yet
	silent = errors.New("connection refused")
	mutate.Webhooks, validate.Webhooks = configurations(o, ca)
	for _, object := range []client.Object{mutate, validate} {
		if err := c.Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	look(0) // it is trusted, and does not answer yet
	silent = nil
	look(1)
	silent = errors.New("connection refused")
	look(1) // a replica that does not answer opens no door
}

// What is said once is not said again, and what is right again has the self-test look.
func TestFollowerSaysWhatChanges(t *testing.T) {
	ca, cert := authorityAndCertificate(t)
	o, told := byChart(), 0
	mutate, validate := registeredByOthers(o, ca)
	c := api(t, new(int), nil, mutate, validate, ownRole(), ownBinding())
	f := &follower{
		client: c, options: o, owner: ownerOf(c, o), registered: newRegistered(), serving: answers,
		right:   func() { told++ },
		mounted: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
	}
	look := func(want int, says string) {
		t.Helper()
		for range 2 {
			if _, err := f.Reconcile(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
		if told != want || !strings.Contains(f.said, says) || says == "" && f.said != "" {
			t.Errorf("told %d times that it is right, want %d; it says %q, want %q", told, want, f.said, says)
		}
	}
	look(1, "")
	if err := c.Delete(t.Context(), validate); err != nil {
		t.Fatal(err)
	}
	look(1, "ValidatingWebhookConfiguration ovnguard: webhook guard-pods.ovnguard.io is not there")
	validate.ResourceVersion = ""
	if err := c.Create(t.Context(), validate); err != nil {
		t.Fatal(err)
	}
	look(2, "")
}

// When the namespace is being deleted, what the registration belongs to goes, and with it the admission policies that
// the program made. The configurations are left: no right to them is needed.
func TestThreatT54ChartLeavesWithItsNamespace(t *testing.T) {
	ca, cert := authorityAndCertificate(t)
	o := byChart()
	mutate, validate := registeredByOthers(o, ca)
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	policy.Name = admissionpolicy.ValidatingNames[0]
	policy.Labels = map[string]string{managedBy: admissionpolicy.LabelValue}
	c := api(t, new(int), nil, mutate, validate, ownRole(), ownBinding(), policy)
	f := &follower{
		client: c, options: o, owner: ownerOf(c, o), registered: newRegistered(), serving: answers,
		mounted: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert, nil },
	}
	if _, err := f.Reconcile(t.Context(), request); err != nil || f.said != "" {
		t.Fatalf("%v, %q", err, f.said)
	}
	var own corev1.Namespace
	if err := c.Get(t.Context(), client.ObjectKey{Name: o.Namespace}, &own); err != nil {
		t.Fatal(err)
	}
	own.Finalizers = []string{"example.org/slow"}
	if err := c.Update(t.Context(), &own); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), &own); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	for what, list := range map[string]client.ObjectList{
		"ClusterRoles": &rbacv1.ClusterRoleList{}, "policies": &admissionregistrationv1.ValidatingAdmissionPolicyList{},
	} {
		if n := count(t, c, list); n != 0 {
			t.Errorf("%d %s are left", n, what)
		}
	}
	if count(t, c, &admissionregistrationv1.ValidatingWebhookConfigurationList{}) != 1 {
		t.Error("it deleted a configuration, which the chart gives no right for")
	}
	if !strings.Contains(f.said, "is being deleted") {
		t.Errorf("it says %q", f.said)
	}
}

// authorityAndCertificate returns an authority and a certificate that it has signed.
func authorityAndCertificate(t *testing.T) ([]byte, *tls.Certificate) {
	t.Helper()
	secret := made(t, api(t, new(int), nil))
	cert, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil {
		t.Fatal(err)
	}
	return secret.Data[caFile], &cert
}
