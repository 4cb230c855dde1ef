//go:build integration

package e2e

import (
	"maps"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// fromTemplate tries to make a pod in a namespace as the controller of a workload does, with the label of stamped templates where that is
// said.
func (p person) fromTemplate(t *testing.T, ns, name string, annotations map[string]string, labelled bool) (*corev1.Pod, error) {
	t.Helper()
	w := wish{annotations: annotations}
	if labelled {
		w.labels = map[string]string{admissionpolicy.TemplateLabel: admissionpolicy.TemplateStrict}
	}
	pod := &corev1.Pod{ObjectMeta: w.template().ObjectMeta, Spec: w.template().Spec}
	if pod.Name = name; name == "" {
		pod.GenerateName = "web-"
	}
	return p.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
}

// The label that says that a pod's template was made strict is worth nothing to who writes it on a pod: with it, a pod gets what it gets
// without, and where no webhook answers, it is refused.
func TestThreat26TemplateLabel(t *testing.T) {
	withPolicies(t)
	p := tenant(t)
	stamps := stamps()
	with := func(more map[string]string) map[string]string {
		out := maps.Clone(stamps)
		maps.Copy(out, more)
		return out
	}
	cases := []struct {
		name, podName string
		annotations   map[string]string
	}{
		{"nothing else", "", nil},
		{"the record alone", "", map[string]string{policy.RecordAnnotation: admissionpolicy.Record}},
		{"the stamp", "", stamps},
		{"the stamp and a chosen name", "chosen", stamps},
		{"off", "", map[string]string{portSecurity: "false"}},
		{"off with the record", "", with(map[string]string{portSecurity: "false"})},
		{"forwarding", "", with(map[string]string{layer2Forward: "true"})},
		{"an allocated address", "", with(map[string]string{"ovn.kubernetes.io/allocated": "true"})},
		{"the stamp of another one", "", with(map[string]string{policy.RecordAnnotation: policy.AskedRecord})},
		{"networks", "", with(map[string]string{"k8s.v1.cni.cncf.io/networks": "nowhere/net"})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want, wantErr := p.fromTemplate(t, tenantNamespace, c.podName, c.annotations, false)
			got, err := p.fromTemplate(t, tenantNamespace, c.podName, c.annotations, true)
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("with the label: %v; without: %v", err, wantErr)
			}
			if err != nil {
				return
			}
			// Whether it asked, who forges a record may say of himself.
			delete(got.Annotations, policy.RecordAnnotation)
			delete(want.Annotations, policy.RecordAnnotation)
			if !maps.Equal(got.Annotations, want.Annotations) || got.Annotations[portSecurity] != "true" {
				t.Errorf("with the label %v, without %v", got.Annotations, want.Annotations)
			}
		})
	}
	if err := guard.Kill(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := guard.Start(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	for _, c := range cases {
		t.Run(c.name+", no webhook answers", func(t *testing.T) {
			got, err := p.fromTemplate(t, tenantNamespace, c.podName, c.annotations, true)
			switch {
			case c.name == "the stamp", c.name == "the stamp of another one":
				if err != nil || got.Annotations[portSecurity] != "true" {
					t.Errorf("%v, %v", got.Annotations, err)
				}
			case err == nil || !strings.Contains(err.Error(), "ovnguard"):
				t.Errorf("%v, %v; want it to be refused", got.Annotations, err)
			}
		})
	}
}

// The label comes to templates that have labels, and is left where somebody selects by it: no selector is made of it, and no workload is
// kept from changing.
func TestTemplateLabelAndSelectors(t *testing.T) {
	withPolicies(t)
	ns := namespace(t, nil)
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	template := func(labels map[string]string, annotations map[string]string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations}, Spec: podSpec()}
	}
	t.Run("a ReplicationController without labels", func(t *testing.T) {
		rc := &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "old"}, Spec: corev1.ReplicationControllerSpec{Template: new(template(nil, nil))}}
		if got, err := world.Kube.CoreV1().ReplicationControllers(ns).Create(t.Context(), rc, dry); err == nil {
			t.Errorf("it came to select by %v", got.Spec.Selector)
		}
		rc.Spec.Template.Labels = map[string]string{"app": "old"}
		got, err := world.Kube.CoreV1().ReplicationControllers(ns).Create(t.Context(), rc, dry)
		if err != nil || !stampedTemplate(got.Spec.Template) || len(got.Spec.Selector) != 1 || got.Spec.Selector["app"] != "old" {
			t.Errorf("%v, selector %v, %+v", err, got.Spec.Selector, got.Spec.Template.ObjectMeta)
		}
	})
	t.Run("a Job without labels", func(t *testing.T) {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "old"}, Spec: batchv1.JobSpec{Template: template(nil, nil)}}
		job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		got, err := world.Kube.BatchV1().Jobs(ns).Create(t.Context(), job, dry)
		if err != nil || !stamp(got.Spec.Template.Annotations) {
			t.Errorf("%v, %+v", err, got.Spec.Template.ObjectMeta)
		}
	})
	t.Run("selected by", func(t *testing.T) {
		labels := map[string]string{"app": "selects", admissionpolicy.TemplateLabel: admissionpolicy.TemplateStrict}
		asks := map[string]string{"k8s.v1.cni.cncf.io/networks": "a/b"}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "selects"}, Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template(labels, asks),
		}}
		got, err := world.Kube.AppsV1().Deployments(ns).Create(t.Context(), d, dry)
		if err != nil || got.Spec.Template.Labels[admissionpolicy.TemplateLabel] == "" {
			t.Errorf("Deployment: %v, %+v", err, got.Spec.Template.ObjectMeta)
		}
		rc := &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "selects"}, Spec: corev1.ReplicationControllerSpec{
			Selector: labels, Template: new(template(labels, asks)),
		}}
		controller, err := world.Kube.CoreV1().ReplicationControllers(ns).Create(t.Context(), rc, dry)
		if err != nil || controller.Spec.Template.Labels[admissionpolicy.TemplateLabel] == "" {
			t.Errorf("ReplicationController: %v, %+v", err, controller.Spec.Template.ObjectMeta)
		}
		cron := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "selects"}, Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template(labels, asks)}},
		}}
		cron.Spec.JobTemplate.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		jobs, err := world.Kube.BatchV1().CronJobs(ns).Create(t.Context(), cron, dry)
		if err != nil || jobs.Spec.JobTemplate.Spec.Template.Labels[admissionpolicy.TemplateLabel] != "" {
			t.Errorf("CronJob, which selects by nothing: %v, %+v", err, jobs.Spec.JobTemplate.Spec.Template.ObjectMeta)
		}
	})
}

// In a namespace that may hold exceptions, pods of a template that was stamped before are shown to the webhooks.
func TestStampedPodsAreExcepted(t *testing.T) {
	withPolicies(t)
	ns := namespace(t, nil)
	p := admin(t)
	policyOver(t, ns, v1alpha1.PortSecurityPolicySpec{
		Exceptions: &v1alpha1.ExceptionRules{Namespaces: []string{ns}}, Limits: v1alpha1.Limits{MaxLevel: v1alpha1.LevelOpen},
	})
	stamps := stamps()
	grantIn(t, ns, func(e *v1alpha1.PortSecurityExceptionSpec) { e.Grant.Level = v1alpha1.LevelOpen })
	eventually(t, "the exception to be in effect for pods of a stamped template", func() (bool, error) {
		// The API server takes up each policy for itself, and may refuse it until then.
		pod, err := p.fromTemplate(t, ns, "", stamps, true)
		return err == nil && pod.Annotations[portSecurity] != "true", nil
	})
	plain, err := p.fromTemplate(t, ns, "", stamps, false)
	if err != nil || plain.Annotations[portSecurity] == "true" {
		t.Errorf("without the label: %v, annotations %v", err, plain.Annotations)
	}
	elsewhere, err := p.fromTemplate(t, tenantNamespace, "", stamps, true)
	if err != nil || !stamp(elsewhere.Annotations) {
		t.Errorf("in another namespace: %v, annotations %v", err, elsewhere.Annotations)
	}
}
