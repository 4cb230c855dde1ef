package reach

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Group is pods that are made from one workload, or one pod, or all pods of a namespace.
type Group struct {
	Namespace string `json:"namespace"`
	// Workload is what made the pods, as "Deployment web", or "Pod web-0"; "" for all of the namespace.
	Workload string `json:"workload,omitempty"`
	Pods     int    `json:"pods"`
}

// String returns it as tables have it.
func (g Group) String() string {
	switch {
	case g.Workload == "":
		return fmt.Sprintf("namespace %s (%d pods)", g.Namespace, g.Pods)
	case g.Pods == 1:
		return g.Namespace + "/" + g.Workload
	}
	return fmt.Sprintf("%s/%s (%d pods)", g.Namespace, g.Workload, g.Pods)
}

// Line is what one group may send to another one.
type Line struct {
	From Group `json:"from"`
	To   Group `json:"to"`
	// Senders is how many of the groups in From do so.
	Senders int `json:"senders"`
	// Honest are the packets that come with the senders' own sources, and Forged those that only come with others.
	Honest []string `json:"honest"`
	Forged []string `json:"forged"`
	// As is an address by which forged ones come.
	As string `json:"as,omitempty"`
	// Unknown means that something about it is not known.
	Unknown bool `json:"unknown,omitempty"`
}

// unit is the ports of a group.
type unit struct {
	Group

	// ports stand for the group: one of those that may forge the most.
	port *Port
}

// Matrix returns what comes to the pods of a namespace: from each of its workloads, and from other namespaces together.
// A pod that may forge the most stands for the pods of its workload. Packets are those to look at; none for those that
// tell.
func (c *Cluster) Matrix(namespace string, packets []Packet) []Line {
	rules := c.Rules()
	units := c.units()
	var lines []Line
	for _, to := range units {
		if to.Namespace != namespace {
			continue
		}
		others := make(map[string]*Line)
		for _, from := range units {
			if from.port == to.port {
				if from.Pods == 1 {
					continue
				}
				from.port = c.sibling(from.port)
			}
			line := lineOf(from, to, rules.Cell(from.port, to.port, packets))
			if from.Namespace == namespace {
				lines = append(lines, line)
				continue
			}
			if others[from.Namespace] == nil {
				others[from.Namespace] = &Line{
					From: Group{Namespace: from.Namespace}, To: to.Group, Honest: []string{}, Forged: []string{},
				}
			}
			others[from.Namespace].join(line)
		}
		for _, name := range slices.Sorted(maps.Keys(others)) {
			lines = append(lines, *others[name])
		}
	}
	return lines
}

// units returns the groups of pods by what made them, in order.
func (c *Cluster) units() []unit {
	at := make(map[[2]string]int)
	var units []unit
	pods := make(map[[2]string]map[int]bool)
	for i := range c.ports {
		p := &c.ports[i]
		if p.pod < 0 {
			continue
		}
		key := [2]string{p.Namespace, cmp.Or(p.Workload, "Pod "+p.Pod)}
		j, known := at[key]
		if !known {
			j = len(units)
			at[key] = j
			units = append(units, unit{Group{Namespace: key[0], Workload: key[1]}, p})
			pods[key] = make(map[int]bool)
		}
		pods[key][p.pod] = true
		if p.forges.wider(&units[j].port.forges) {
			units[j].port = p
		}
	}
	for key, j := range at {
		units[j].Pods = len(pods[key])
	}
	slices.SortFunc(units, func(a, b unit) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workload, b.Workload))
	})
	return units
}

// sibling returns a port of another pod of the same workload.
func (c *Cluster) sibling(of *Port) *Port {
	for i := range c.ports {
		if p := &c.ports[i]; p.pod >= 0 && p.pod != of.pod && p.Namespace == of.Namespace && p.Workload == of.Workload {
			return p
		}
	}
	return of
}

// wider reports whether more can be forged than by another port.
func (f *forgery) wider(o *forgery) bool {
	return f.any && !o.any || !o.any && len(f.packets) > len(o.packets)
}

func lineOf(from, to unit, cell Cell) Line {
	l := Line{
		From: from.Group, To: to.Group, Honest: cell.Honest.Texts(), Forged: cell.Forged.Texts(), Unknown: cell.Unknown,
	}
	if cell.Forged.Any() {
		l.As = cell.As.IP.String()
	}
	if cell.Honest.Any() || cell.Forged.Any() {
		l.Senders = 1
	}
	return l
}

// join adds what a group of the namespace may send.
func (l *Line) join(o Line) {
	l.From.Pods += o.From.Pods
	l.Senders += o.Senders
	add := func(to *[]string, texts []string) {
		for _, text := range texts {
			if !slices.Contains(*to, text) {
				*to = append(*to, text)
			}
		}
	}
	add(&l.Honest, o.Honest)
	add(&l.Forged, o.Forged)
	l.As = cmp.Or(l.As, o.As)
	l.Unknown = l.Unknown || o.Unknown
}
