package openreports

import (
	"strings"
	"time"

	reportsv1alpha1 "github.com/openreports/reports-api/apis/openreports.io/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// MaxResults is how many results a report holds at most. Its summary counts all of them.
const MaxResults = 100

const (
	// source is who reports.
	source = "ovnguard"
	// category is what all results are about.
	category = "Port Security"
	// fail is the outcome of a requirement that is not met.
	fail = "fail"
	// textLimit bounds each text of a result, in bytes, so that a full report stays far below what the API server
	// takes.
	textLimit = 1024
)

// Properties of a result.
const (
	propertyPort         = "port"
	propertyProvider     = "provider"
	propertyFix          = "fix"
	propertyPolicy       = "portSecurityPolicy"
	propertyPortSecurity = "portSecurity"
	propertyAddresses    = "addresses"
	propertyIdentity     = "identity"
	propertyExcess       = "excess"
	propertyLoss         = "loss"
)

// body is what a Report and a ClusterReport have in common.
type body struct {
	summary reportsv1alpha1.ReportSummary
	results []reportsv1alpha1.ReportResult
}

// bodyOf returns the report of these failures, which are ordered, the worst first. A result that was there before keeps
// its time; the others get now.
func bodyOf(failures []Failure, before []reportsv1alpha1.ReportResult, now time.Time) body {
	since := make(map[string]metav1.Timestamp, len(before))
	for _, r := range before {
		since[identityOf(&r)] = r.Timestamp
	}
	b := body{summary: reportsv1alpha1.ReportSummary{Fail: len(failures)}}
	for _, f := range failures[:min(len(failures), MaxResults)] {
		r := resultOf(f)
		r.Timestamp = metav1.Timestamp{Seconds: now.Unix()}
		if t, ok := since[identityOf(&r)]; ok {
			r.Timestamp = t
		}
		b.results = append(b.results, r)
	}
	return b
}

// identityOf reports whether two results are about the same thing. Of what is no port, what is said tells it.
func identityOf(r *reportsv1alpha1.ReportResult) string {
	uid := ""
	if len(r.Subjects) > 0 {
		uid = string(r.Subjects[0].UID)
	}
	if r.Properties[propertyPort] == "" && uid == "" {
		uid = r.Description
	}
	return strings.Join([]string{r.Policy, r.Properties[propertyPort], uid}, " ")
}

func resultOf(f Failure) reportsv1alpha1.ReportResult {
	r := reportsv1alpha1.ReportResult{
		Source: source, Policy: f.Rule.ID, Rule: f.Rule.Name, Category: category,
		Severity: severityOf(f.Rule.Severity), Result: fail, Scored: true,
		Description: publish.Shorten(f.Message, textLimit),
		Properties:  map[string]string{propertyPort: publish.Shorten(f.Port, textLimit)},
	}
	switch {
	case f.Pod != "":
		r.Subjects = []corev1.ObjectReference{podOf(f)}
	case f.Workload.UID != "":
		r.Subjects = []corev1.ObjectReference{workloadOf(f)}
	}
	for key, text := range map[string]string{
		propertyProvider:     string(f.Provider),
		propertyFix:          f.Fix,
		propertyPolicy:       f.Policy,
		propertyPortSecurity: strings.Join(f.Evidence.PortSecurity, ", "),
		propertyAddresses:    strings.Join(f.Evidence.Addresses, ", "),
		propertyIdentity:     f.Evidence.Identity,
		propertyExcess:       strings.Join(f.Evidence.Excess, ", "),
		propertyLoss:         strings.Join(f.Evidence.Loss, ", "),
	} {
		switch {
		case text == "":
		case key == propertyFix && len(text) > textLimit: // half a command is worse than none
		default:
			r.Properties[key] = publish.Shorten(text, textLimit)
		}
	}
	return r
}

// severityOf returns the severity in the words of OpenReports, which has those of the audit.
func severityOf(s audit.Severity) reportsv1alpha1.ResultSeverity {
	return reportsv1alpha1.ResultSeverity(s)
}
