//go:build integration

package e2e

import (
	"encoding/json"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// stamp tells that annotations of a template say what its ordinary pods get.
func stamp(annotations map[string]string) bool {
	return annotations[portSecurity] == "true" && annotations[policy.RecordAnnotation] == admissionpolicy.Record
}

// stamps are the annotations that such a template has.
func stamps() map[string]string {
	return map[string]string{portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record}
}

// stampedTemplate tells that a template is made strict, with the label by which the API server knows its pods.
func stampedTemplate(template *corev1.PodTemplateSpec) bool {
	return stamp(template.Annotations) && template.Labels[admissionpolicy.TemplateLabel] == admissionpolicy.TemplateStrict
}

// The templates of workloads are made strict once, and their pods come strict. A Deployment and what it controls agree about the
// template, so that nothing is rolled out by it.
func TestStampedTemplates(t *testing.T) {
	withPolicies(t)
	ns := namespace(t, nil)
	createWorkloads(t, ns, nil)
	for _, pod := range workloadPods(t, ns) {
		if !stamp(pod.Annotations) && pod.Labels["app"] != "statefulset" { // whose pods have names that somebody chose
			t.Errorf("pod %s has annotations %v", pod.Name, pod.Annotations)
		}
		strictInOVN(t, ns, pod.Name)
	}
	apps := world.Kube.AppsV1()
	deployment, err := apps.Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	daemons, err := apps.DaemonSets(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	job, err := world.Kube.BatchV1().Jobs(ns).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for kind, template := range map[string]corev1.PodTemplateSpec{"Deployment": deployment.Spec.Template, "DaemonSet": daemons.Spec.Template, "Job": job.Spec.Template} {
		if !stampedTemplate(&template) {
			t.Errorf("the template of the %s has labels %v, annotations %v", kind, template.Labels, template.Annotations)
		}
	}
	sets, err := apps.ReplicaSets(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(sets.Items) != 1 || deployment.Generation != 1 {
		t.Errorf("%d ReplicaSets, generation %d, %v; want one of each", len(sets.Items), deployment.Generation, err)
	}

	t.Run("what is not changed otherwise is left alone", func(t *testing.T) {
		// As somebody who knows nothing of it writes it again.
		deployment, err := apps.Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, forget := range []func(*metav1.ObjectMeta){
			func(m *metav1.ObjectMeta) { m.Annotations = nil },
			func(m *metav1.ObjectMeta) { delete(m.Labels, admissionpolicy.TemplateLabel) },
			func(m *metav1.ObjectMeta) { m.Annotations, m.Labels = nil, map[string]string{"app": "deployment"} },
		} {
			written := deployment.DeepCopy()
			forget(&written.Spec.Template.ObjectMeta)
			got, err := apps.Deployments(ns).Update(t.Context(), written, metav1.UpdateOptions{})
			if err != nil || !stampedTemplate(&got.Spec.Template) || got.Generation != 1 {
				t.Errorf("%v, %+v, generation %d; want the stamp, and no new generation", err, got.Spec.Template.ObjectMeta, got.Generation)
			}
		}
	})
	t.Run("a rollout follows the namespace", func(t *testing.T) {
		restart, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
			"annotations": map[string]string{"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			namespace, what string
			want            bool
		}{
			{"false", "the stamp to be taken off in a namespace that is open", false},
			{"", "the stamp to be kept in a namespace that is strict", true},
		} {
			body, err := annotationPatch(map[string]string{portSecurity: c.namespace})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := world.Kube.CoreV1().Namespaces().Patch(t.Context(), ns, types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
			eventually(t, c.what, func() (bool, error) {
				got, err := apps.Deployments(ns).Patch(t.Context(), "web", types.StrategicMergePatchType, restart, metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
				if err != nil {
					return false, err
				}
				annotations := got.Spec.Template.Annotations
				_, recorded := annotations[policy.RecordAnnotation]
				_, labelled := got.Spec.Template.Labels[admissionpolicy.TemplateLabel]
				return stamp(annotations) == c.want && recorded == c.want && (annotations[portSecurity] == "true") == c.want && labelled == c.want, nil
			})
		}
	})
	t.Run("only what is ordinary", func(t *testing.T) { notStamped(t, ns) })
}

// notStamped checks that a template that asks for something, is on the host's network or belongs to another object is nobody's
// business but the webhooks'.
func notStamped(t *testing.T, ns string) {
	template := func(edit func(*corev1.PodTemplateSpec)) corev1.PodTemplateSpec {
		out := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "x"}}, Spec: podSpec()}
		if edit != nil {
			edit(&out)
		}
		return out
	}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	for name, c := range map[string]struct {
		edit    func(*corev1.PodTemplateSpec)
		owners  []metav1.OwnerReference
		stamped bool
	}{
		"ordinary":          {stamped: true},
		"owned by one":      {owners: []metav1.OwnerReference{{APIVersion: "example.org/v1", Kind: "App", Name: "a", UID: "1"}}, stamped: true},
		"controlled":        {owners: []metav1.OwnerReference{{APIVersion: "example.org/v1", Kind: "App", Name: "a", UID: "1", Controller: new(true)}}},
		"host network":      {edit: func(p *corev1.PodTemplateSpec) { p.Spec.HostNetwork = true }},
		"asks to be strict": {edit: func(p *corev1.PodTemplateSpec) { p.Annotations = map[string]string{portSecurity: "true"} }},
		"asks to be open":   {edit: func(p *corev1.PodTemplateSpec) { p.Annotations = map[string]string{portSecurity: "false"} }},
		"asks for networks": {edit: func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"k8s.v1.cni.cncf.io/networks": "a/b"}
		}},
		"stamped, and asks for networks now": {edit: func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{"k8s.v1.cni.cncf.io/networks": "a/b", portSecurity: "true", policy.RecordAnnotation: admissionpolicy.Record}
			p.Labels[admissionpolicy.TemplateLabel] = admissionpolicy.TemplateStrict
		}},
		"stamped, and asks to be open now": {edit: func(p *corev1.PodTemplateSpec) {
			p.Annotations = map[string]string{portSecurity: "false", policy.RecordAnnotation: admissionpolicy.Record}
			p.Labels[admissionpolicy.TemplateLabel] = admissionpolicy.TemplateStrict
		}},
	} {
		set := &appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Name: "x", OwnerReferences: c.owners},
			Spec:       appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}, Template: template(c.edit)},
		}
		got, err := world.Kube.AppsV1().ReplicaSets(ns).Create(t.Context(), set, dry)
		_, labelled := got.Spec.Template.Labels[admissionpolicy.TemplateLabel]
		if err != nil || stamp(got.Spec.Template.Annotations) != c.stamped || labelled != c.stamped {
			t.Errorf("%s: %v, %+v; want stamped %v", name, err, got.Spec.Template.ObjectMeta, c.stamped)
		}
	}
	job := batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template(func(p *corev1.PodTemplateSpec) { p.Spec.RestartPolicy = corev1.RestartPolicyNever })}}
	got, err := world.Kube.BatchV1().CronJobs(ns).Create(t.Context(), &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "x"}, Spec: batchv1.CronJobSpec{Schedule: "0 0 1 1 *", JobTemplate: job},
	}, dry)
	if err != nil || !stampedTemplate(&got.Spec.JobTemplate.Spec.Template) {
		t.Errorf("CronJob: %v, %v", err, got)
	}
	// A tenant who writes the stamp where it does not hold gains nothing: it says no more than strict.
	p := tenant(t)
	pod, err := p.generated(t, map[string]string{policy.RecordAnnotation: admissionpolicy.Record, portSecurity: "false"})
	if err != nil || pod.Annotations[portSecurity] != "true" {
		t.Errorf("a forged stamp: %v, %v", pod.Annotations, err)
	}
}
