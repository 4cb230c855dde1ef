package report

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/jstemmer/go-junit-report/v2/junit"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// JUnit writes the findings as results of tests, a suite for each rule. A finding that breaks is a failure, any other
// one is skipped, and a rule without findings has one test that passed. A port that could not be judged is an error in
// a suite of its own.
func JUnit(w io.Writer, s Summary) error {
	suites := junit.Testsuites{Name: "ovnguard audit"}
	byRule := make(map[string][]audit.Finding)
	for _, f := range s.Findings {
		byRule[f.Rule.ID] = append(byRule[f.Rule.ID], f)
	}
	id := 0
	add := func(suite junit.Testsuite) {
		suite.ID, suite.Time = id, "0"
		if !s.Time.IsZero() {
			suite.Timestamp = s.Time.UTC().Format("2006-01-02T15:04:05") // the schema has no zone
		}
		id++
		suites.AddSuite(suite)
	}
	for _, rule := range audit.Rules() {
		if len(s.Filter.Rules) > 0 && !slices.Contains(s.Filter.Rules, rule.ID) {
			continue
		}
		suite := junit.Testsuite{Name: rule.ID + " " + rule.Name}
		for _, f := range byRule[rule.ID] {
			suite.AddTestcase(s.testcase(f))
		}
		if len(byRule[rule.ID]) == 0 {
			suite.AddTestcase(junit.Testcase{Name: "no findings", Classname: rule.ID})
		}
		add(suite)
	}
	if len(s.Unknown) > 0 {
		suite := junit.Testsuite{Name: "ports that could not be judged"}
		for _, port := range slices.Sorted(maps.Keys(s.Unknown)) {
			why := answer.Plain(s.Unknown[port])
			suite.AddTestcase(junit.Testcase{
				Name: answer.Plain(port), Classname: string(audit.Unknown),
				Error: &junit.Result{Message: why, Type: string(audit.Unknown)},
			})
		}
		add(suite)
	}
	return suites.WriteXML(w)
}

func (s Summary) testcase(f audit.Finding) junit.Testcase {
	text := fmt.Sprintf("port: %s\n", answer.OrDash(f.Port))
	if f.Fix != "" {
		text += fmt.Sprintf("fix: %s\n", answer.Plain(f.Fix))
	}
	result := &junit.Result{Message: answer.Plain(f.Message), Type: string(f.Rule.Severity), Data: text}
	c := junit.Testcase{Name: answer.Plain(about(f)), Classname: f.Rule.ID}
	if s.breaks(f) {
		c.Failure = result
	} else {
		c.Skipped = result
	}
	return c
}
