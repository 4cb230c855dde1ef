package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// project is where people read about the program.
const project = "https://github.com/ovnguard/ovnguard"

// SARIF writes the findings in the Static Analysis Results Interchange Format 2.1.0.
func SARIF(w io.Writer, s Summary) error {
	run := sarif.NewRunWithInformationURI("ovnguard", project)
	if s.Version != "" {
		run.Tool.Driver.Version = &s.Version
	}
	for _, r := range audit.Rules() {
		rule := run.AddRule(r.ID).WithName(r.Name).WithDescription(r.Summary).
			WithHelpURI(project + "/blob/main/docs/audit.md#" + anchor(r)).
			WithDefaultConfiguration(sarif.NewReportingConfiguration().WithLevel(level(r.Severity))).
			WithProperties(sarif.NewPropertyBag().Add("security-severity", score(r.Severity)))
		rule.WithFullDescription(rule.ShortDescription)
	}
	err := s.each(func(f audit.Finding, change string) error {
		run.AddRule(f.Rule.ID) // an earlier report may have rules that this release has not
		r := sarif.NewRuleResult(f.Rule.ID).
			WithRuleIndex(run.GetRuleIndex(f.Rule.ID)).
			WithLevel(level(f.Rule.Severity)).
			WithMessage(sarif.NewTextMessage(answer.Plain(f.Message))).
			AddLocation(location(f)).
			WithPartialFingerprints(map[string]string{"ovnguard/v1": fingerprint(f)}).
			WithProperties(properties(f))
		if s.Changes != nil {
			r.WithBaselineState(map[string]string{
				changeCame: "new", changeWent: "absent", "": "unchanged",
			}[change])
		}
		run.AddResult(r)
		return nil
	})
	if err != nil {
		return err
	}
	run.AddInvocation(invocation(s))
	var out bytes.Buffer
	if err := sarif.NewReport().AddRun(run).PrettyWrite(&out); err != nil {
		return err
	}
	if !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	_, err = answer.VisibleJSON{To: w}.Write(out.Bytes())
	return err
}

// invocation has the ports that could not be judged, and the notes.
func invocation(s Summary) *sarif.Invocation {
	i := sarif.NewInvocation().WithExecutionSuccessful(true)
	if !s.Time.IsZero() {
		i.WithEndTimeUtc(rfc3339(s.Time))
	}
	notify := func(level, text string) {
		i.AddToolExecutionNotification(
			sarif.NewNotification().WithLevel(level).WithMessage(sarif.NewTextMessage(answer.Plain(text))),
		)
	}
	for _, port := range slices.Sorted(maps.Keys(s.Unknown)) {
		notify("warning", port+" could not be judged: "+s.Unknown[port])
	}
	for _, n := range s.Notes {
		notify("note", n)
	}
	return i
}

// location names the pod or the port. There is no file, so its path is made from these names.
func location(f audit.Finding) *sarif.Location {
	kind, name := "port", f.Port
	switch {
	case f.Pod != "":
		kind, name = "pod", f.Pod
	case f.Workload.Name != "":
		kind, name = strings.ToLower(f.Workload.Kind), f.Workload.Name
	case f.Port == "":
		kind, name = "cluster", "cluster"
	}
	path := []string{kind, name}
	if f.Namespace != "" {
		path = []string{"namespace", f.Namespace, kind, name}
	}
	full := strings.Join(path, "/")
	for i := range path {
		path[i] = url.PathEscape(path[i])
	}
	artifact := sarif.NewSimpleArtifactLocation(strings.Join(path, "/"))
	return sarif.NewLocationWithPhysicalLocation(sarif.NewPhysicalLocation().WithArtifactLocation(artifact)).
		AddLogicalLocation(sarif.NewLogicalLocation().
			WithKind("resource").WithName(answer.Plain(name)).WithFullyQualifiedName(answer.Plain(full)))
}

// properties returns the fields of a finding that SARIF has no place for.
func properties(f audit.Finding) *sarif.PropertyBag {
	bag := sarif.NewPropertyBag().Add("severity", string(f.Rule.Severity))
	for key, text := range map[string]string{
		"port": f.Port, "namespace": f.Namespace, "pod": f.Pod, "provider": string(f.Provider),
		"workload": workload(f), "fix": f.Fix,
	} {
		if text != "" {
			bag.Add(key, text)
		}
	}
	return bag
}

// fingerprint returns a hash that is the same for the same finding in each run.
func fingerprint(f audit.Finding) string {
	sum := sha256.Sum256([]byte(identityOf(&f)))
	return hex.EncodeToString(sum[:])
}

// level returns the level of a severity, which SARIF has three of.
func level(s audit.Severity) string {
	switch s {
	case audit.Critical, audit.High:
		return "error"
	case audit.Medium:
		return "warning"
	case audit.Low, audit.Info:
	}
	return "note"
}

// score returns the severity as a number of CVSS, by which GitHub orders alerts.
func score(s audit.Severity) string {
	switch s {
	case audit.Critical:
		return "9.5"
	case audit.High:
		return "8.0"
	case audit.Medium:
		return "5.5"
	case audit.Low:
		return "2.0"
	case audit.Info:
	}
	return "0.0"
}

// anchor returns the anchor of a rule's section in docs/audit.md.
func anchor(r audit.Rule) string {
	return strings.ToLower(r.ID) + "-" + r.Name + "-" + string(r.Severity)
}
