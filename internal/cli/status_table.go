package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/overview"
)

// answer returns the report in parts.
func (r *statusReport) answer(now time.Time) answer.Answer {
	return answer.Answer{
		Title: "ovnguard status", Document: r, Notes: r.Notes,
		Sections: []answer.Section{r.namespaces(), r.actions(), healthSection(&r.Health, r.Time != nil, now)},
	}
}

// namespaces returns the ports, all of them and by namespace.
func (r *statusReport) namespaces() answer.Section {
	if r.Ports == nil {
		return answer.Section{After: []string{"ports could not be judged"}}
	}
	s := answer.Section{Columns: answer.Columns(
		"Namespace", "Ports", "Protected", "Extended", "Permitted", "Widened", "Open", "Unknown", "Urgent",
	)}
	row := func(name string, c overview.Counts, urgent int) {
		s.Rows = append(s.Rows, answer.NewRow(name, c.Total(), c.Protected, c.Extended, c.OpenByPermission, c.Widened,
			c.Open, c.Unknown, urgent))
	}
	all := 0
	for _, a := range r.Action {
		all += a.Findings
	}
	row("(all)", *r.Ports, all)
	for _, n := range r.Namespaces {
		row(n.Name, n.Counts, n.Urgent)
	}
	s.After = []string{fmt.Sprintf("permitted: open by permission; urgent: critical and high findings; %s out of scope",
		counted(r.Ports.OutOfScope, "port"))}
	if r.MoreNamespaces > 0 {
		s.After = append(s.After, fmt.Sprintf("and %s more: -A lists all", counted(r.MoreNamespaces, "namespace")))
	}
	return s
}

// actions returns the critical and high findings by rule.
func (r *statusReport) actions() answer.Section {
	s := answer.Section{Title: "needs action now"}
	switch {
	case r.Ports == nil:
		s.After = []string{"not known"}
	case len(r.Action) == 0:
		s.After = []string{"nothing, there are no critical or high findings"}
	default:
		s.Columns = answer.Columns("Severity", "Rule", "Findings", "Command")
	}
	for _, a := range r.Action {
		s.Rows = append(s.Rows, answer.NewRow(
			a.Severity,
			a.Rule+" "+a.Name,
			actionText(a),
			a.Command,
		))
	}
	return s
}

// actionText counts the findings and the namespaces; those about no namespace have none.
func actionText(a overview.Action) string {
	if a.Namespaces == 0 {
		return strconv.Itoa(a.Findings)
	}
	return fmt.Sprintf("%d in %s", a.Findings, counted(a.Namespaces, "namespace"))
}

// healthSection returns the health as pairs of a part and its state. served means that a controller said it.
func healthSection(h *api.Health, served bool, now time.Time) answer.Section {
	s := answer.Section{Title: "health"}
	row := func(part, state string) { s.Rows = append(s.Rows, answer.NewRow(part, state)) }
	absent := func(text string) string {
		if served {
			return "not shown to users who may list pods in one namespace alone"
		}
		return text
	}
	row("northbound", databaseText(&h.Northbound, now))
	switch {
	case h.Southbound == nil && served:
		row("southbound", "not followed by the controller; its --sb names it")
	case h.Southbound == nil:
		row("southbound", "not asked; --sb names it")
	default:
		row("southbound", databaseText(h.Southbound, now))
	}
	if h.APIServer == nil {
		row("api server", absent("not asked: the cluster is a file"))
	} else {
		row("api server", fmt.Sprintf("reached at %s, Kubernetes %s", h.APIServer.Address, h.APIServer.Version))
	}
	if h.Webhooks == nil {
		row("webhooks", absent("not known from files"))
	} else {
		row("webhooks", webhooksText(h.Webhooks))
	}
	switch {
	case h.SelfTest != nil:
		row("self-test", selfTestText(h.SelfTest, now))
	case h.APIServer != nil:
		row("self-test", "not asked: the controller's API says it (--server); ovnguard selftest makes one")
	default:
		row("self-test", absent("not known from files"))
	}
	if h.Leader == nil {
		row("leader", absent("not known from files"))
	} else {
		row("leader", leaderText(h.Leader, now))
	}
	row("policies", policiesText(h.Policies))
	row("eras", erasText(h.Nodes))
	if h.Layout == nil {
		row("kube-ovn", absent("not known from files; flags and the usual names count"))
	} else {
		row("kube-ovn", layoutText(h))
	}
	return s
}

// databaseText says how the database was read.
func databaseText(d *api.Database, now time.Time) string {
	switch {
	case !d.Reached && d.Endpoint == "":
		return "NOT REACHED: " + d.Error
	case d.Endpoint == "" && d.OVN == "":
		return "reached"
	case d.Endpoint == "":
		return "reached, OVN " + d.OVN
	}
	at := d.Endpoint
	if d.From != "" {
		at += " (" + d.From + ")"
	}
	if !d.Reached {
		return "NOT REACHED at " + at + ": " + d.Error
	}
	words := []string{"reached at " + at}
	if d.Read == "file" {
		words = []string{"read from file " + at}
		if d.Written != nil {
			words = append(words, "written "+age(*d.Written, now))
		} else {
			words = append(words, "which does not say when it was written")
		}
	}
	if d.OVN != "" {
		words = append(words, "OVN "+d.OVN)
	}
	if len(d.Plaintext) > 0 {
		words = append(words, "WITHOUT TLS")
	}
	if d.Damage != "" {
		words = append(words, "DAMAGED")
	}
	return strings.Join(words, ", ")
}

// webhooksText says what is registered.
func webhooksText(w *api.Webhooks) string {
	if w.Error != "" {
		return "not known: " + w.Error
	}
	if w.Registered == 0 {
		return "NOT REGISTERED: pods are not changed or refused; run ovnguard controller"
	}
	var fails []string
	for _, p := range slices.Sorted(maps.Keys(w.Policies)) {
		fails = append(fails, fmt.Sprintf("%s %d", p, w.Policies[p]))
	}
	text := fmt.Sprintf("%d of %d registered, failurePolicy %s", w.Registered, w.Wanted, strings.Join(fails, ", "))
	if len(w.Weak) > 0 {
		text += fmt.Sprintf(", WEAKENED: %d let requests through unanswered", len(w.Weak))
	}
	switch {
	case w.Silent != "":
		return text + ", NO ANSWER: " + w.Silent
	case w.URL:
		return text + ", at " + w.At + "; the API server does not tell whether it answers"
	}
	return text + ", Service " + w.At + " has ready endpoints"
}

// selfTestText says what the self-test found.
func selfTestText(s *api.SelfTest, now time.Time) string {
	if s.Result == "" || s.Time == nil {
		return "HAS NOT RUN YET: it runs when the webhook serves"
	}
	when := age(*s.Time, now)
	switch {
	case s.Result == "pass" && s.Says == "":
		return "passes, " + when
	case s.Result == "pass":
		return "passes, " + when + ": " + s.Says
	case s.Faulty:
		text := fmt.Sprintf("FAILS (%s), %s: %s", s.Result, when, s.Says)
		if s.Passed != nil {
			return text + "; it passed " + age(*s.Passed, now)
		}
		return text + "; it has never passed"
	}
	return fmt.Sprintf("shows nothing (%s), %s: %s", s.Result, when, s.Says)
}

// leaderText says which replica leads.
func leaderText(l *api.Leader, now time.Time) string {
	switch {
	case l.Error != "":
		return "not known: " + l.Error
	case l.Renewed == nil:
		return "NONE: no replica has led in the namespace of the program; nothing is repaired or reported"
	case l.Replica == "":
		return "NONE: the last leader renewed its Lease " + age(*l.Renewed, now) + "; nothing is repaired or reported"
	case l.Since == nil:
		return l.Replica
	}
	return l.Replica + " since " + age(*l.Since, now)
}

// counted returns a number of things, in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func policiesText(p overview.Policies) string {
	var modes []string
	for _, m := range slices.Sorted(maps.Keys(p.Modes)) {
		modes = append(modes, fmt.Sprintf("%d %s", p.Modes[m], m))
	}
	text := "none, the built-in default counts"
	if len(modes) > 0 {
		text = strings.Join(modes, ", ")
	}
	return fmt.Sprintf("%s; %s; %d of %s enforce", text, counted(p.Exceptions, "exception"), p.Enforcing,
		counted(p.Namespaces, "namespace"))
}

func erasText(nodes []overview.Node) string {
	if len(nodes) == 0 {
		return "not known by node; --sb tells"
	}
	by := make(map[string][]string)
	for _, n := range nodes {
		eras := strings.Join(n.Eras, " or ")
		by[eras] = append(by[eras], n.Name)
	}
	var out []string
	for _, eras := range slices.Sorted(maps.Keys(by)) {
		names := by[eras]
		const most = 5
		text := strings.Join(names[:min(len(names), most)], " ")
		if more := len(names) - most; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		out = append(out, eras+": "+text)
	}
	return strings.Join(out, "; ")
}

func layoutText(h *api.Health) string {
	if !h.Layout.Clear() {
		return "NOT KNOWN: " + h.Layout.Unclear[0].String()
	}
	return fmt.Sprintf("in namespace %s, router %s, node switch %s; ovnguard doctor says more",
		h.Layout.Namespace.Is, h.Layout.Router.Is, h.Layout.NodeSwitch.Is)
}
