package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/overview"
)

// table writes the report for people. No control character is printed, whatever names contain.
func (r *statusReport) table(out io.Writer, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = plain(fmt.Sprint(c))
		}
		_, _ = fmt.Fprintln(w, strings.Join(text, "\t")) // Flush says what went wrong
	}
	if r.Ports == nil {
		line("ports could not be judged")
	} else {
		line("NAMESPACE", "PORTS", "PROTECTED", "EXTENDED", "PERMITTED", "WIDENED", "OPEN", "UNKNOWN", "URGENT")
		row := func(name string, c overview.Counts, urgent int) {
			line(name, c.Total(), c.Protected, c.Extended, c.OpenByPermission, c.Widened, c.Open, c.Unknown, urgent)
		}
		all := 0
		for _, a := range r.Action {
			all += a.Findings
		}
		row("(all)", *r.Ports, all)
		for _, n := range r.Namespaces {
			row(n.Name, n.Counts, n.Urgent)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Ports != nil {
		line(fmt.Sprintf("permitted: open by permission; urgent: critical and high findings; %s out of scope",
			counted(r.Ports.OutOfScope, "port")))
	}
	if r.MoreNamespaces > 0 {
		line(fmt.Sprintf("and %s more: -A lists all", counted(r.MoreNamespaces, "namespace")))
	}
	line()
	r.actions(line)
	line()
	healthTable(&r.Health, r.Time != nil, line, now)
	for _, n := range r.Notes {
		line("note: " + n)
	}
	return w.Flush()
}

func (r *statusReport) actions(line func(...any)) {
	switch {
	case r.Ports == nil:
		line("needs action now: not known")
	case len(r.Action) == 0:
		line("needs action now: nothing, there are no critical or high findings")
	default:
		line("needs action now:")
	}
	for _, a := range r.Action {
		line(
			"  "+a.Severity,
			a.Rule+" "+a.Name,
			fmt.Sprintf("%d in %s", a.Findings, counted(a.Namespaces, "namespace")),
			a.Command,
		)
	}
}

// healthTable writes what protection rests on. served means that a controller said it.
func healthTable(h *api.Health, served bool, line func(...any), now time.Time) {
	absent := func(text string) string {
		if served {
			return "not shown to users who may list pods in one namespace alone"
		}
		return text
	}
	line("health:")
	line("  northbound", databaseText(&h.Northbound, now))
	switch {
	case h.Southbound == nil && served:
		line("  southbound", "not followed by the controller; its --sb names it")
	case h.Southbound == nil:
		line("  southbound", "not asked; --sb names it")
	default:
		line("  southbound", databaseText(h.Southbound, now))
	}
	if h.APIServer == nil {
		line("  api server", absent("not asked: the cluster is a file"))
	} else {
		line("  api server", fmt.Sprintf("reached at %s, Kubernetes %s", h.APIServer.Address, h.APIServer.Version))
	}
	if h.Webhooks == nil {
		line("  webhooks", absent("not known from files"))
	} else {
		line("  webhooks", webhooksText(h.Webhooks))
	}
	line("  policies", policiesText(h.Policies))
	line("  eras", erasText(h.Nodes))
	if h.Layout == nil {
		line("  kube-ovn", absent("not known from files; flags and the usual names count"))
	} else {
		line("  kube-ovn", layoutText(h))
	}
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
