package governance

import (
	"encoding/json"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/policy"
)

type object = map[string]any

// templateOf returns a template with these annotations.
func templateOf(annotations map[string]string) object {
	return object{"metadata": object{"labels": object{"app": "web"}, "annotations": annotations}, "spec": object{}}
}

func workloadRequest(t testing.TB, kind string, now, old map[string]string) *admissionv1.AdmissionRequest {
	t.Helper()
	make := func(annotations map[string]string) object {
		o := object{"metadata": object{"name": "web"}, "spec": object{"template": templateOf(annotations)}}
		if kind == "CronJob" {
			o["spec"] = object{"jobTemplate": object{"spec": object{"template": templateOf(annotations)}}}
		}
		return o
	}
	var before any
	if old != nil {
		before = make(old)
	}
	req := request(t, strings.ToLower(kind)+"s.apps", make(now), before)
	req.Kind = metav1.GroupVersionKind{Group: "apps", Kind: kind}
	if kind == "Job" || kind == "CronJob" {
		req.Kind.Group = "batch"
	}
	return req
}

func TestWorkloadsAreWarned(t *testing.T) {
	bad := map[string]string{
		ps: "false", "ovn.kubernetes.io/port_vips": "10.16.0.20", "ovn.kubernetes.io/allocated": "true",
		"ovn.kubernetes.io/mac_address": "00-00-00-00-00-01", "kubevirt.io/migrationJobName": "x",
	}
	for _, kind := range []string{"ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"} {
		path := "spec.template.metadata"
		if kind == "CronJob" {
			path = "spec.jobTemplate.spec.template.metadata"
		}
		a, err := guardOf(honouring()).Workload(t.Context(), workloadRequest(t, kind, bad, nil))
		expect(t, a, err) // never refused
		said := strings.Join(a.Warnings, "\n")
		for _, word := range []string{
			ps, path + `.annotations["ovn.kubernetes.io/port_vips"]`, "allocated", "mac_address", "migrationJobName",
		} {
			if !strings.Contains(said, word) {
				t.Errorf("%s: the author is not told of %s:\n%s", kind, word, said)
			}
		}
		a, err = guardOf(
			honouring(),
		).Workload(t.Context(), workloadRequest(t, kind, map[string]string{ps: "true", "a": "b"}, nil))
		expect(t, a, err)
		if len(a.Warnings) > 0 {
			t.Errorf("%s: warnings about nothing: %q", kind, a.Warnings)
		}
		a, err = guardOf(honouring()).Workload(t.Context(), workloadRequest(t, kind, bad, bad))
		expect(t, a, err)
		if len(a.Warnings) > 0 {
			t.Errorf("%s: warned again of what did not change: %q", kind, a.Warnings)
		}
	}
	audit := honouring(func(p *policy.Policy) { p.Mode = policy.Audit })
	a, err := guardOf(audit).Workload(t.Context(), workloadRequest(t, "Deployment", bad, nil))
	expect(t, a, err)
	if len(a.Warnings) > 0 {
		t.Errorf("warnings under a policy that only audits: %q", a.Warnings)
	}
	warn := honouring(func(p *policy.Policy) { p.Mode = policy.Warn })
	a, err = guardOf(warn).Workload(t.Context(), workloadRequest(t, "Deployment", bad, nil))
	expect(t, a, err)
	if !strings.Contains(strings.Join(a.Warnings, " "), "port_vips") {
		t.Errorf("warnings under a policy that warns: %q", a.Warnings)
	}
}

func machineRequest(
	t testing.TB,
	resource string,
	now, old map[string]string,
	networks ...string,
) *admissionv1.AdmissionRequest {
	t.Helper()
	make := func(annotations map[string]string) object {
		var list []object
		for _, n := range networks {
			list = append(list, object{"name": "n", "multus": object{"networkName": n}})
		}
		inner := object{"metadata": object{"annotations": annotations}, "spec": object{"networks": list}}
		if resource == "virtualmachines" {
			return object{"metadata": object{"name": "vm"}, "spec": object{"template": inner}}
		}
		return inner
	}
	var before any
	if old != nil {
		before = make(old)
	}
	return request(t, resource+".kubevirt.io", make(now), before)
}

// KubeVirt's account is believed about the binding of a pod to a machine, and copies an author's annotations: they must
// not hold any of that. Everything else causes a warning here, and a refusal of the launcher.
func TestThreat23MachineTemplates(t *testing.T) {
	for _, resource := range []string{"virtualmachines", "virtualmachineinstances"} {
		for _, key := range []string{
			"kubevirt.io/migrationJobName", "ovn.kubernetes.io/activation_strategy",
			"blue.shop.ovn.kubernetes.io/activation_strategy",
		} {
			a, err := guardOf(
				honouring(),
			).Machine(t.Context(), machineRequest(t, resource, map[string]string{key: "x"}, nil))
			expect(t, a, err, key, "leave it out")
			a, err = guardOf(
				honouring(),
			).Machine(t.Context(), machineRequest(t, resource, map[string]string{key: "x"}, map[string]string{"a": "b"}))
			expect(t, a, err, key)
			a, err = guardOf(
				honouring(),
			).Machine(t.Context(), machineRequest(t, resource, map[string]string{key: "x", "a": "b"},
				map[string]string{key: "x"}))
			expect(t, a, err) // it was there, and its object must stay changeable
			req := machineRequest(t, resource, map[string]string{key: "x"}, nil)
			req.UserInfo.Username = "system:serviceaccount:kubevirt:kubevirt-controller"
			a, err = guardOf(honouring()).Machine(t.Context(), req)
			expect(t, a, err, key) // it copies what authors of machines wrote
		}
		a, err := guardOf(
			honouring(),
		).Machine(t.Context(), machineRequest(t, resource, map[string]string{
			ps:                                      "false",
			"blue.shop.ovn.kubernetes.io/port_vips": "10.16.0.20",
		}, nil, "shop/blue"))
		expect(t, a, err)
		if said := strings.Join(
			a.Warnings,
			"\n",
		); !strings.Contains(said, ps) ||
			!strings.Contains(said, "blue.shop.ovn.kubernetes.io/port_vips") {
			t.Errorf("%s: warnings %q", resource, a.Warnings)
		}
	}
	// The key that Kube-OVN's documents up to 1.13 tell people to write there is accepted from everybody.
	for _, resource := range []string{"virtualmachines", "virtualmachineinstances"} {
		for _, key := range []string{
			"ovn.kubernetes.io/allow_live_migration", "blue.shop.ovn.kubernetes.io/allow_live_migration",
		} {
			a, err := guardOf(
				honouring(),
			).Machine(t.Context(), machineRequest(t, resource, map[string]string{key: "true"}, nil))
			expect(t, a, err)
			if said := strings.Join(
				a.Warnings,
				"\n",
			); strings.Contains(said, "allow_live_migration") &&
				!strings.Contains(said, "no such NIC") {
				t.Errorf("%s: warnings %q", key, said)
			}
		}
	}
	// A machine's template keeps unknown keys; none of them replaces another, neither by capital letters nor by a long s.
	for _, alias := range []string{"Annotations", "annotationſ"} {
		req := machineRequest(t, "virtualmachines", nil, nil)
		req.Object.Raw = []byte(
			`{"spec":{"template":{"metadata":{"annotations":{"kubevirt.io/migrationJobName":"x"},"` + alias + `":null}}}}`,
		)
		a, err := guardOf(honouring()).Machine(t.Context(), req)
		expect(t, a, err, "kubevirt.io/migrationJobName")
	}
	if _, err := guardOf(
		honouring(),
	).Machine(t.Context(), machineRequest(t, "virtualmachineinstancemigrations", nil, nil)); err == nil {
		t.Error("a migration was judged as a machine")
	}
}

func attachmentRequest(t testing.TB, config string) *admissionv1.AdmissionRequest {
	t.Helper()
	return request(
		t,
		"network-attachment-definitions.k8s.cni.cncf.io",
		object{"metadata": object{"name": "blue"}, "spec": object{"config": config}},
		nil,
	)
}

func TestThreatT18AttachmentProviders(t *testing.T) {
	const own, foreign = "blue.shop.ovn", "vault.bank.ovn"
	cases := map[string]struct {
		config string
		words  []string
	}{
		"own":           {config: `{"type":"kube-ovn","provider":"` + own + `"}`},
		"own in a list": {config: `{"plugins":[{"type":"kube-ovn","provider":"` + own + `"},{"type":"tuning"}]}`},
		"outside OVN":   {config: `{"type":"macvlan","ipam":{"type":"kube-ovn","provider":"blue.shop"}}`},
		"not Kube-OVN":  {config: `{"type":"macvlan","provider":"` + foreign + `"}`},
		"foreign": {
			config: `{"type":"kube-ovn","provider":"` + foreign + `"}`,
			words:  []string{foreign, own},
		},
		"foreign in a list": {
			config: `{"plugins":[{"type":"tuning"},{"type":"kube-ovn","provider":"` + foreign + `"}]}`,
			words:  []string{".plugins[1].provider"},
		},
		"foreign addresses": {
			config: `{"type":"macvlan","ipam":{"type":"kube-ovn","provider":"vault.bank"}}`,
			words:  []string{".ipam.provider", `"blue.shop"`},
		},
		"default NIC":   {config: `{"type":"kube-ovn","provider":"ovn"}`, words: []string{own}},
		"other letters": {config: `{"Type":"kube-ovn","PROVIDER":"` + foreign + `"}`, words: []string{foreign}},
		"both spellings": {
			config: `{"type":"kube-ovn","provider":"` + own + `","Provider":"` + foreign + `"}`,
			words:  []string{foreign},
		},
		"both, turned": {
			config: `{"type":"kube-ovn","Provider":"` + foreign + `","provider":"` + own + `"}`,
			words:  []string{foreign},
		},
		"delegate": {
			config: `{"type":"multus","delegates":[{"plugins":[{"type":"kube-ovn","provider":"` + foreign + `"}]}]}`,
			words:  []string{foreign},
		},
		"no JSON": {config: `type: kube-ovn`, words: []string{"not a CNI configuration"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			a, err := guardOf(honouring()).Attachment(t.Context(), attachmentRequest(t, c.config))
			expect(t, a, err, c.words...)
		})
	}
	for _, config := range []string{"", `{"type":"kube-ovn"}`} {
		a, err := guardOf(honouring()).Attachment(t.Context(), attachmentRequest(t, config))
		expect(t, a, err)
		if len(a.Warnings) != 1 {
			t.Errorf("%q: warnings %q", config, a.Warnings)
		}
	}
	req := attachmentRequest(t, `{"type":"kube-ovn","provider":"`+foreign+`"}`)
	req.Operation, req.OldObject = admissionv1.Update, req.Object
	a, err := guardOf(honouring()).Attachment(t.Context(), req)
	expect(t, a, err) // it was so before, and says nothing new
}

func FuzzAttachment(f *testing.F) {
	f.Add(`{"plugins":[{"type":"kube-ovn","provider":"vault.bank.ovn"}]}`)
	f.Add(`{"type":"kube-ovn","Provider":"x"}`)
	f.Fuzz(func(t *testing.T, config string) {
		a, err := guardOf(honouring()).Attachment(t.Context(), attachmentRequest(t, config))
		if err != nil || len(a.Denials()) > 0 {
			return
		}
		// The fields that a CNI would read of it, as a plain configuration or as the first of a list.
		var conf struct {
			Type     string `json:"type"`
			Provider string `json:"provider"`
			Plugins  []struct {
				Type     string `json:"type"`
				Provider string `json:"provider"`
			} `json:"plugins"`
		}
		if json.Unmarshal([]byte(config), &conf) != nil {
			return
		}
		for _, p := range append(conf.Plugins, struct {
			Type     string `json:"type"`
			Provider string `json:"provider"`
		}{conf.Type, conf.Provider}) {
			if p.Type == "kube-ovn" && p.Provider != "" && p.Provider != "blue.shop.ovn" {
				t.Errorf("%s was let through with provider %q", config, p.Provider)
			}
		}
	})
}

func FuzzTemplates(f *testing.F) {
	f.Add(
		[]byte(
			`{"spec":{"template":{"metadata":{"annotations":{"ovn.kubernetes.io/port_security":"x"}},"spec":{"networks":[{"multus":{"networkName":"a/b"}}]}}}}`,
		),
	)
	f.Fuzz(func(t *testing.T, raw []byte) {
		req := workloadRequest(t, "Deployment", nil, nil)
		req.Object.Raw = raw
		if a, err := guardOf(honouring()).Workload(t.Context(), req); err == nil && len(a.Denials()) > 0 {
			t.Errorf("%s was refused: %q", raw, a.Denials())
		}
		req = machineRequest(t, "virtualmachines", nil, nil)
		req.Object.Raw = raw
		if _, err := guardOf(
			honouring(),
		).Machine(t.Context(), req); err != nil && json.Valid(raw) &&
			strings.Contains(err.Error(), "invalid character") {
			t.Errorf("%s: %v", raw, err)
		}
	})
}
