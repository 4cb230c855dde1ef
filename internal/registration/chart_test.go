package registration

import (
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/internal/admission"
)

// chartWebhooks is what the chart renders its registration from.
const chartWebhooks = "../../charts/ovnguard/files/webhooks.yaml"

// accountsMark stands in that file where the chart has Kube-OVN's accounts.
const accountsMark = "@kube-ovn-accounts@"

// byChart returns what the chart registers.
func byChart(changes ...func(*Options)) Options {
	return valid(append([]func(*Options){func(o *Options) {
		o.External, o.OwnerRole = true, "ovnguard-registration"
		o.Accounts = func() admission.Accounts {
			return admission.Accounts{KubeOVN: []string{accountsMark}, Self: []string{deploy.Account}}
		}
	}}, changes...)...)
}

// What the chart registers comes from the one list of webhooks: the file is written by this test (-update, as make
// manifests does) and read by the chart. withAdmissionPolicies has the conditions of those webhooks that are asked less
// where the API server keeps the default itself.
func TestChartHasTheWebhooks(t *testing.T) {
	mutating, validating := configurations(byChart(), nil)
	fewer, same := configurations(byChart(func(o *Options) { o.AdmissionPolicies = true }), nil)
	if diff := cmp.Diff(validating, same); diff != "" {
		t.Fatalf("a validating webhook depends on admission policies, which the chart does not know of:\n%s", diff)
	}
	less := make(map[string][]admissionregistrationv1.MatchCondition)
	for i := range mutating {
		if reflect.DeepEqual(mutating[i], fewer[i]) {
			continue
		}
		less[fewer[i].Name] = fewer[i].MatchConditions
		fewer[i].MatchConditions = mutating[i].MatchConditions
		if diff := cmp.Diff(mutating[i], fewer[i]); diff != "" {
			t.Fatalf("more than conditions depends on admission policies:\n%s", diff)
		}
	}
	got, err := yaml.Marshal(map[string]any{
		"mutating": mutating, "validating": validating, "withAdmissionPolicies": less,
	})
	if err != nil {
		t.Fatal(err)
	}
	got = append([]byte("# Written by make manifests from internal/registration.\n"), got...)
	if *update {
		if err := os.WriteFile(chartWebhooks, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(chartWebhooks)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the chart has other webhooks: run make manifests; -chart +program\n%s", diff)
	}
}
