package registration

import (
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What this program registers is found again, and what somebody took away or weakened is named.
func TestStanding(t *testing.T) {
	var writes int
	o := valid(func(*Options) {})
	changing, refusing := configurations(o, []byte("bundle"))
	mutate := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName}, Webhooks: changing,
	}
	validate := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: configurationName}, Webhooks: refusing,
	}
	s, err := Stands(t.Context(), api(t, &writes, nil, mutate, validate))
	if err != nil || s.Registered != len(webhooks) || s.Wanted != len(webhooks) || len(s.Missing)+len(s.Weak) > 0 ||
		s.At != o.Service.String() || s.Silent == "" || s.Policies["Fail"] == 0 || s.Policies["Ignore"] == 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = Stands(t.Context(), api(t, &writes, nil)); err != nil || s.Registered != 0 || s.At != "" {
		t.Errorf("without a registration: %+v, %v", s, err)
	}
	mutate.Webhooks = slices.Clone(changing[1:])
	mutate.Webhooks[0].FailurePolicy = new(open)
	s, err = Stands(t.Context(), api(t, &writes, nil, mutate, validate))
	if err != nil || !slices.Equal(s.Missing, []string{changing[0].Name}) ||
		!slices.Equal(s.Weak, []string{changing[1].Name}) {
		t.Errorf("%+v, %v", s, err)
	}
	o.URL = "https://guard.example.org:9443"
	changing, _ = configurations(o, nil)
	mutate.Webhooks = changing
	s, err = Stands(t.Context(), api(t, &writes, nil, mutate))
	if err != nil || !s.URL || s.At != o.URL || s.Silent != "" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestOtherMutators(t *testing.T) {
	var writes int
	rule := func(operation, group string, resources ...string) admissionregistrationv1.RuleWithOperations {
		return admissionregistrationv1.RuleWithOperations{
			Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationType(operation)},
			Rule: admissionregistrationv1.Rule{
				APIGroups: []string{group}, APIVersions: []string{"*"}, Resources: resources,
			},
		}
	}
	config := func(name string, r admissionregistrationv1.RuleWithOperations) client.Object {
		return &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Webhooks: []admissionregistrationv1.MutatingWebhook{
				{Name: "w", Rules: []admissionregistrationv1.RuleWithOperations{r}},
			},
		}
	}
	got, err := OtherMutators(t.Context(), api(t, &writes, nil,
		config(configurationName, rule("CREATE", "", "pods")),
		config("a", rule("CREATE", "", "pods")), config("b", rule("*", "*", "*/*")),
		config("c", rule("UPDATE", "", "pods")), config("d", rule("CREATE", "apps", "pods")),
		config("e", rule("CREATE", "", "services")),
	))
	if err != nil || !slices.Equal(got, []string{"a/w", "b/w"}) {
		t.Errorf("%q, %v", got, err)
	}
}
