package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/explain"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/overview"
	"github.com/ovnguard/ovnguard/internal/report"
)

// parse reads the query of a request, as a whole or not at all.
func parse(r *http.Request) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fault(http.StatusBadRequest, "the query cannot be read: want name=value&name=value")
	}
	return query, nil
}

// status answers with the cluster on one screen.
func (s *Server) status(ctx context.Context, r *http.Request, of scope) ([]byte, error) {
	query, err := parse(r)
	if err != nil {
		return nil, err
	}
	all := query.Get(paramAll)
	if query.Has(paramAll) && all != "true" && all != "false" {
		return nil, fault(http.StatusBadRequest, "?all=%s: want true or false", all)
	}
	v := s.views.get()
	if err := v.has(of.namespace); err != nil {
		return nil, err
	}
	out := NewStatus()
	out.Time, out.Version, out.Notes = new(v.at.UTC()), s.Version, append(out.Notes, s.notes(of)...)
	picture := overview.Picture{Verdicts: v.verdicts, Only: of.namespace}
	total, by, actions := v.sum(&picture)
	out.enter(total, by, actions, all == "true", func(rule string) string {
		line := "ovnguard audit --severity=high --rule=" + rule
		if of.namespace != "" {
			line += " --namespace=" + of.namespace
		}
		return line
	})
	out.Health = s.Health(ctx)
	out.Health.Policies = overview.PoliciesOf(v.state, of.namespace)
	out.Health.Nodes = append([]overview.Node{}, overview.NodesOf(v.state)...)
	if of.tenant {
		out.Health = out.Health.forTenant()
	}
	return indented(out)
}

// findings answers with the report of an audit.
func (s *Server) findings(_ context.Context, r *http.Request, of scope) ([]byte, error) {
	filter, err := filterOf(r, of)
	if err != nil {
		return nil, err
	}
	v := s.views.get()
	if err := v.selects(filter); err != nil {
		return nil, err
	}
	var judged []report.Judged
	for i := range v.verdicts {
		j := v.verdicts[i]
		if of.tenant {
			var ok bool
			if j, ok = v.forTenant(&j, of.namespace); !ok {
				continue
			}
		}
		judged = append(judged, report.Judged{Verdict: j})
	}
	summary := report.Summarise(judged, report.Options{
		Filter: filter, Notes: s.notes(of), Time: v.at, Version: s.Version,
	})
	if n := len(summary.Findings) + len(summary.Permitted) + len(summary.Unknown); n > maxItems {
		return nil, fault(
			http.StatusBadRequest,
			"there are %d findings, permissions and unknown ports, and an answer has at most %d: "+
				"ask for a namespace, a rule or a severity",
			n,
			maxItems,
		)
	}
	var out bytes.Buffer
	if err := report.JSON(&out, summary); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// filterOf reads what is selected.
func filterOf(r *http.Request, of scope) (report.Filter, error) {
	query, err := parse(r)
	if err != nil {
		return report.Filter{}, err
	}
	f := report.Filter{
		Namespace: of.namespace, Provider: kubeovn.Provider(query.Get(paramProvider)),
		Class: audit.Class(query.Get(paramClass)), Severity: audit.Severity(query.Get(paramSeverity)),
	}
	if query.Has(paramClass) && !slices.Contains(audit.Classes(), f.Class) {
		return f, fault(http.StatusBadRequest, "?class=%s: want one of %v", f.Class, audit.Classes())
	}
	if query.Has(paramSeverity) && !slices.Contains(audit.Severities(), f.Severity) {
		return f, fault(http.StatusBadRequest, "?severity=%s: want one of %v", f.Severity, audit.Severities())
	}
	rules := audit.Rules()
	for _, list := range query[paramRule] {
		for text := range strings.SplitSeq(list, ",") {
			at := slices.IndexFunc(
				rules,
				func(r audit.Rule) bool { return strings.EqualFold(r.ID, text) || r.Name == text },
			)
			if at < 0 {
				return f, fault(http.StatusBadRequest, "?rule=%s: want IDs of rules, such as OVG003", text)
			}
			if !slices.Contains(f.Rules, rules[at].ID) {
				f.Rules = append(f.Rules, rules[at].ID)
			}
		}
	}
	slices.Sort(f.Rules)
	return f, nil
}

// ports answers with a part of all ports, in the order of their names.
func (s *Server) ports(_ context.Context, r *http.Request, of scope) ([]byte, error) {
	query, err := parse(r)
	if err != nil {
		return nil, err
	}
	limit := usualPorts
	if text := query.Get(paramLimit); query.Has(paramLimit) {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxPorts {
			return nil, fault(http.StatusBadRequest, "?limit=%s: want a number from 1 to %d", text, maxPorts)
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get(paramContinue))
	if err != nil {
		return nil, fault(http.StatusBadRequest, "?continue: want what an earlier answer has as continue")
	}
	v := s.views.get()
	if err := v.has(of.namespace); err != nil {
		return nil, err
	}
	out := report.Ports{Time: v.at, Version: s.Version, Notes: s.notes(of)}
	order := v.ordered()
	from, _ := slices.BinarySearchFunc(order, string(after), func(i int, name string) int {
		return strings.Compare(v.verdicts[i].Port, name)
	})
	for _, i := range order[from:] {
		verdict := &v.verdicts[i]
		if verdict.Port == string(after) || of.namespace != "" && verdict.Pod.Namespace != of.namespace {
			continue
		}
		if len(out.Items) == limit {
			out.Continue = base64.RawURLEncoding.EncodeToString([]byte(out.Items[limit-1].Port))
			break
		}
		out.Items = append(out.Items, v.item(verdict, of))
	}
	var text bytes.Buffer
	if err := report.PortsJSON(&text, out); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// port answers with the decision for the port of a pod.
func (s *Server) port(_ context.Context, r *http.Request, of scope) ([]byte, error) {
	name := r.PathValue("port")
	return s.explain(of, fmt.Sprintf("there is no port %q that a pod has", name), func(v *monitor.Verdict) bool {
		return v.Port == name && v.Pod.Name != ""
	})
}

// pod answers with the decisions for all ports of a pod.
func (s *Server) pod(_ context.Context, r *http.Request, of scope) ([]byte, error) {
	pod := inventory.PodKey{Namespace: of.namespace, Name: r.PathValue("pod")}
	return s.explain(of, fmt.Sprintf("pod %s has no port in OVN: it does not exist, or is on the host's network", pod),
		func(v *monitor.Verdict) bool { return v.Pod == pod })
}

// explain answers with the decisions for the ports of a pod that are picked; none says that there are none.
func (s *Server) explain(of scope, none string, picks func(*monitor.Verdict) bool) ([]byte, error) {
	v := s.views.get()
	var ports []inventory.Port
	for i := range v.verdicts {
		verdict := &v.verdicts[i]
		if !isPort(verdict) || !picks(verdict) || of.namespace != "" && verdict.Pod.Namespace != of.namespace {
			continue
		}
		p := v.state.Port(verdict.Port, v.at)
		if p.Pod == nil || p.Pod.PodKey != verdict.Pod {
			continue // it changed before it was judged again
		}
		p.Decision.Steps = explain.Steps(v.state, &p, v.at)
		if of.tenant {
			p = explainedForTenant(p)
		}
		ports = append(ports, p)
	}
	if len(ports) == 0 {
		return nil, fault(http.StatusNotFound, "%s", none)
	}
	slices.SortStableFunc(ports, func(a, b inventory.Port) int { return explain.DefaultFirst(&a, &b) })
	var out bytes.Buffer
	if err := answer.WriteJSON(&out, explain.Decisions(ports)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// notes says what an answer does not have, or may not know.
func (s *Server) notes(of scope) []string {
	notes := []string{}
	if stale := s.Stale(); stale != "" {
		if of.tenant {
			stale = "not everything is followed at the moment, so that this may be older than it seems"
		}
		notes = append(notes, stale)
	}
	if of.tenant {
		notes = append(notes, fmt.Sprintf(
			"user %s may list pods in namespace %s and not in all: left out are other namespaces, nodes, the layout of "+
				"Kube-OVN, addresses of the databases, and what findings say of others",
			of.user.Username,
			of.namespace,
		))
	}
	return notes
}

// has returns an error where there is no such namespace, so that nothing would look like all is well.
func (v *view) has(namespace string) error {
	if namespace == "" ||
		slices.ContainsFunc(v.verdicts, func(j monitor.Verdict) bool { return j.Pod.Namespace == namespace }) {
		return nil
	}
	for _, ns := range v.state.Namespaces() {
		if ns.Name == namespace {
			return nil
		}
	}
	return fault(http.StatusNotFound, "namespace %q: the cluster has no such namespace, and no pod in it", namespace)
}

// selects returns an error where a filter names a namespace or a provider that there is not.
func (v *view) selects(f report.Filter) error {
	if err := v.has(f.Namespace); err != nil {
		return err
	}
	if f.Provider == "" || slices.ContainsFunc(v.verdicts, func(j monitor.Verdict) bool {
		return j.Provider == f.Provider && (f.Namespace == "" || j.Pod.Namespace == f.Namespace)
	}) {
		return nil
	}
	return fault(http.StatusNotFound, "provider %q: no NIC has it", string(f.Provider))
}

// item returns a port with its facts.
func (v *view) item(j *monitor.Verdict, of scope) report.Port {
	p := v.state.Port(j.Port, v.at)
	out := report.Port{Verdict: *j, Evidence: audit.EvidenceOf(p, v.eras)}
	if !of.tenant {
		return out
	}
	if p.Pod == nil || p.Pod.PodKey != j.Pod || audit.Disputed(&p) {
		out.Evidence = audit.Evidence{Class: j.Class}
	}
	out.Result = j.ForTenant(&p)
	return out
}
