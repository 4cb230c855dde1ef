package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/report"
)

// auditOutput are the flags about the output of an audit: filters, format, file, and the findings that make it fail.
type auditOutput struct {
	output
	since      string
	fixesOnly  bool
	everywhere bool
	namespace  string
	provider   string
	class      string
	severity   string
	rules      []string
	failOn     string
	selector   selector

	// These are set when the flags above are checked.
	write   report.Writer
	filter  report.Filter
	earlier *report.Earlier
}

// allowed words the values of a flag.
func allowed[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func formatNames() (names []string) {
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func failOnValues() []audit.Severity { return append(audit.Severities(), report.Never) }

func (o *auditOutput) addFlags(flags *pflag.FlagSet) {
	o.addFormats(flags, formatNames())
	flags.StringVarP(&o.namespace, "namespace", "n", "", "show only this namespace")
	flags.BoolVarP(&o.everywhere, "all-namespaces", "A", false, "show all namespaces; this is the default")
	flags.StringSliceVar(&o.rules, "rule", nil, "show only findings of these rules, such as OVG003,OVG005 or open")
	flags.StringVar(
		&o.severity,
		"severity",
		"",
		"show only findings with this severity or a worse one: "+allowed(audit.Severities()),
	)
	flags.StringVar(
		&o.provider,
		"provider",
		"",
		"show only NICs of this provider, such as ovn or net1.default.ovn",
	)
	o.selector.addFlag(flags)
	flags.StringVar(&o.class, "class", "", "show only ports of this class: "+allowed(audit.Classes()))
	flags.StringVar(
		&o.failOn,
		"fail-on",
		string(audit.Low),
		"the least severe finding that makes the exit code 1: "+allowed(failOnValues()),
	)
	flags.BoolVar(&o.fixesOnly, "fixes-only", false, "write only the commands that put the findings right")
	flags.StringVar(
		&o.since,
		"since",
		"",
		"file with an earlier report of -o json or yaml: shows which findings came and which went",
	)
}

// check returns the errors in the flags, and sets the fields that follow from them. It reads the file of --since before
// anything is written, because --output-file may name the same file.
func (o *auditOutput) check(flags *pflag.FlagSet) error {
	return errors.Join(o.checkFormat(flags), o.checkFilter(flags), o.checkFiles())
}

func (o *auditOutput) checkFormat(flags *pflag.FlagSet) error {
	var errs []error
	formats := report.Formats()
	i := slices.IndexFunc(formats, func(f report.Format) bool { return f.Name == o.format })
	switch {
	case i < 0:
		errs = append(errs, fmt.Errorf("--output: %q: want %s", o.format, allowed(formatNames())))
	case o.fixesOnly && flags.Changed("output") && o.format != "table":
		errs = append(errs, fmt.Errorf(
			"--fixes-only: -o %s: the commands are written as lines for a shell; leave -o out", o.format,
		))
	case o.fixesOnly:
		o.write = report.Fixes
	default:
		o.write = formats[i].Write
	}
	if !slices.Contains(failOnValues(), audit.Severity(o.failOn)) {
		errs = append(errs, fmt.Errorf("--fail-on: %q: want %s", o.failOn, allowed(failOnValues())))
	}
	return errors.Join(errs...)
}

func (o *auditOutput) checkFilter(flags *pflag.FlagSet) error {
	var errs []error
	o.filter = report.Filter{
		Namespace: o.namespace, Provider: kubeovn.Provider(o.provider), Class: audit.Class(o.class),
		Severity: audit.Severity(o.severity), Selector: o.selector.text,
	}
	errs = append(errs, o.selector.parse())
	if flags.Changed("namespace") {
		switch wrong := validation.IsDNS1123Label(o.namespace); {
		case o.everywhere:
			errs = append(errs, fmt.Errorf(
				"--namespace: %q: --all-namespaces asks for all of them; leave one of the two out", o.namespace,
			))
		case len(wrong) > 0:
			errs = append(errs, fmt.Errorf("--namespace: %q: want the name of a namespace: %s", o.namespace, wrong[0]))
		}
	}
	if flags.Changed("provider") {
		// A provider is the prefix of an annotation key.
		if wrong := validation.IsDNS1123Subdomain(o.provider); len(wrong) > 0 {
			errs = append(errs, fmt.Errorf(
				"--provider: %q: want ovn for the default network, or ATTACHMENT.NAMESPACE.ovn: %s",
				o.provider, wrong[0],
			))
		}
	}
	if flags.Changed("class") && !slices.Contains(audit.Classes(), o.filter.Class) {
		errs = append(errs, fmt.Errorf("--class: %q: want %s", o.class, allowed(audit.Classes())))
	}
	if flags.Changed("severity") && !slices.Contains(audit.Severities(), o.filter.Severity) {
		errs = append(errs, fmt.Errorf("--severity: %q: want %s", o.severity, allowed(audit.Severities())))
	}
	for _, text := range o.rules {
		rule, err := ruleOf(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("--rule: %w", err))
		} else if !slices.Contains(o.filter.Rules, rule.ID) {
			o.filter.Rules = append(o.filter.Rules, rule.ID)
		}
	}
	if flags.Changed("rule") && len(o.rules) == 0 {
		errs = append(errs, errors.New("--rule: \"\": want IDs of rules, such as OVG003; `ovnguard rules` lists them"))
	}
	slices.Sort(o.filter.Rules)
	return errors.Join(errs...)
}

func (o *auditOutput) checkFiles() error {
	var errs []error
	if o.since != "" {
		data, err := os.ReadFile(o.since)
		if err != nil {
			errs = append(errs, fmt.Errorf("--since: %w", err))
		} else if e, err := report.Read(data); err != nil {
			errs = append(errs, fmt.Errorf(
				"--since: %s: want a report that `ovnguard audit -o json` wrote: %w", o.since, err,
			))
		} else {
			o.earlier = &e
		}
	}
	return errors.Join(append(errs, o.checkFile())...)
}

// ruleOf returns the rule with that ID or name.
func ruleOf(text string) (audit.Rule, error) {
	rules := audit.Rules()
	for _, r := range rules {
		if strings.EqualFold(text, r.ID) || text == r.Name {
			return r, nil
		}
	}
	ids := make([]string, len(rules))
	for i, r := range rules {
		ids[i] = r.ID
	}
	return audit.Rule{}, unknownID(text, ids)
}

// put writes the report.
func (o *auditOutput) put(out io.Writer, s report.Summary) error {
	return o.putText(out, func(w io.Writer) error { return o.write(w, s) })
}

// complete enters what only the command knows: which findings count, and what an earlier report had.
func (o *auditOutput) complete(s *report.Summary) {
	s.FailOn = audit.Severity(o.failOn)
	if o.earlier != nil {
		s.Compare(o.since, *o.earlier)
	}
}

// selects finds the pods that --selector picks. It returns an error if it picks none, or if the filter names a
// namespace or a provider that the cluster does not have. The report would have no findings then, and look clean.
func (o *auditOutput) selects(p *picture) error {
	var errs []error
	if err := p.checkNamespace(o.filter.Namespace); err != nil {
		errs = append(errs, err)
	} else if o.selector.given() {
		var err error
		o.filter.Pods, err = o.selector.pods(&p.inv.State, o.filter.Namespace)
		errs = append(errs, err)
	}
	if provider := o.filter.Provider; provider != "" {
		var has []string
		for _, j := range p.judged {
			if j.Provider != "" && !slices.Contains(has, string(j.Provider)) {
				has = append(has, string(j.Provider))
			}
		}
		slices.Sort(has)
		if len(has) > 0 && !slices.Contains(has, string(provider)) {
			errs = append(errs, fmt.Errorf(
				"--provider: %q: no NIC has it; NICs have %s", string(provider), strings.Join(has, ", "),
			))
		}
	}
	return errors.Join(errs...)
}
