//go:build integration

package standin

import (
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// portsNamed returns the rows named base, or base with a provider behind it, in the recording's form.
func (w *world) portsNamed(base string) []recordedPort {
	w.t.Helper()
	ctx := w.t.Context()
	check(w.t, w.reader.Sync(ctx))
	rows, err := w.reader.Ports(ctx, func(row *nb.LogicalSwitchPort) bool {
		return row.Name == base || strings.HasPrefix(row.Name, base+".")
	})
	check(w.t, err)
	switches, err := w.reader.Switches(ctx)
	check(w.t, err)
	groups, err := w.reader.PortGroups(ctx)
	check(w.t, err)
	list := make([]recordedPort, 0, len(rows))
	for _, row := range rows {
		p := recordedPort{
			Name:         row.Name,
			Type:         row.Type,
			Addresses:    sortedCopy(row.Addresses),
			PortSecurity: sortedCopy(row.PortSecurity),
			ExternalIDs:  row.ExternalIDs,
			Options:      row.Options,
			Enabled:      row.Enabled,
			Tag:          row.Tag,
			TagRequest:   row.TagRequest,
			DHCPv4:       setOrNot(row.DHCPv4Options),
			DHCPv6:       setOrNot(row.DHCPv6Options),
			Groups:       []string{},
		}
		for _, m := range []*map[string]string{&p.ExternalIDs, &p.Options} {
			if *m == nil {
				*m = map[string]string{}
			}
		}
		for _, ls := range switches {
			if slices.Contains(ls.Ports, row.UUID) {
				p.Switch += ls.Name // a second switch would show
			}
		}
		for _, g := range groups {
			if slices.Contains(g.Ports, row.UUID) {
				p.Groups = append(p.Groups, g.Name)
			}
		}
		slices.Sort(p.Groups)
		list = append(list, p)
	}
	return list
}

// edit writes a row that was recorded after an edit by hand, its groups included.
func (w *world) edit(p recordedPort) {
	w.t.Helper()
	ctx := w.t.Context()
	row, ok, err := w.reader.Port(ctx, p.Name)
	check(w.t, err)
	if !ok {
		w.t.Fatalf("no port %s to edit", p.Name)
	}
	row.Type, row.Addresses, row.PortSecurity = p.Type, p.Addresses, p.PortSecurity
	row.ExternalIDs, row.Options, row.Enabled = p.ExternalIDs, p.Options, p.Enabled
	row.Tag, row.TagRequest = p.Tag, p.TagRequest // ovn-northd, which does not run here, answered a request with the tag
	check(
		w.t,
		w.reader.UpdatePort(
			ctx,
			&row,
			&row.Type,
			&row.Addresses,
			&row.PortSecurity,
			&row.ExternalIDs,
			&row.Options,
			&row.Enabled,
			&row.Tag,
			&row.TagRequest,
		),
	)
	groups, err := w.reader.PortGroups(ctx)
	check(w.t, err)
	for _, g := range groups {
		if !slices.Contains(p.Groups, g.Name) {
			check(w.t, w.reader.LeavePortGroup(ctx, g.Name, row.UUID))
		}
	}
}

// virtualPorts returns the options of the virtual rows that name their parents; parents are sorted, since their order
// is chance.
func (w *world) virtualPorts() map[string]map[string]string {
	w.t.Helper()
	check(w.t, w.reader.Sync(w.t.Context()))
	rows, err := w.reader.Ports(
		w.t.Context(),
		func(row *nb.LogicalSwitchPort) bool { return row.Type == nb.TypeVirtual },
	)
	check(w.t, err)
	out := map[string]map[string]string{}
	for _, row := range rows {
		out[row.Name] = sortParents(row.Options)
	}
	return out
}

func sortParents(options map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range options {
		list := strings.Split(value, ",")
		slices.Sort(list)
		out[key] = strings.Join(list, ",")
	}
	return out
}

func sortedCopy(list []string) []string {
	out := append([]string{}, list...)
	slices.Sort(out)
	return out
}

func setOrNot(uuid *string) string {
	if uuid == nil {
		return ""
	}
	return "set"
}
