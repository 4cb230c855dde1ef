// Package layout works out how Kube-OVN is laid out in a cluster: who writes its keys, how its default router and the
// nodes' subnet are called, and where the Northbound database is. It decides from evidence that others gather, and says
// of each value where it is from.
package layout

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Role says which of Kube-OVN's two programs that write its keys a workload runs.
type Role string

// Roles. The names are those of the workloads in Kube-OVN's manifests.
const (
	// Controller allocates addresses and writes rows and annotations.
	Controller Role = "kube-ovn-controller"
	// Daemon plugs NICs on each node; it writes IP resources and some annotations.
	Daemon Role = "kube-ovn-cni"
)

// roles are those of which the writer must be known.
var roles = []Role{Controller, Daemon}

// programs are what the containers of a role start: the script of Kube-OVN's image, or the program itself.
var programs = map[string]Role{
	"start-controller.sh": Controller, "kube-ovn-controller": Controller,
	"start-cniserver.sh": Daemon, "kube-ovn-daemon": Daemon,
}

// RoleOf says which role a container has, by what it starts. Names and labels do not count: they differ from chart to
// chart.
func RoleOf(command []string) (Role, bool) {
	for _, word := range command {
		if strings.HasPrefix(word, "-") {
			continue // of flags, only --image could name a program, and it is another one's
		}
		for part := range strings.FieldsSeq(word) {
			if role, ok := programs[path.Base(part)]; ok {
				return role, true
			}
		}
	}
	return "", false
}

// Variable is one of a container's environment.
type Variable struct {
	Name, Value string
	// Elsewhere means that the value is in a ConfigMap, a Secret or a field, and is not known.
	Elsewhere bool
}

// Workload is something that runs one of Kube-OVN's programs.
type Workload struct {
	Role Role
	// Kind is such as "Deployment".
	Kind, Namespace, Name string
	// Account is the name of the service account; empty means "default".
	Account string
	// Command is all that the container starts with: its command and then its arguments.
	Command []string
	Env     []Variable
	// Image is the container's.
	Image string
	// TLSSecret is the Secret in its namespace that it mounts where Kube-OVN looks for certificates; empty for none.
	TLSSecret string
}

// String names the workload as kubectl does.
func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// User is the user as which the workload reaches the API server.
func (w Workload) User() string {
	account := w.Account
	if account == "" {
		account = "default"
	}
	return "system:serviceaccount:" + w.Namespace + ":" + account
}

// flag returns the value of a flag, and whether it is given; known is false where its value is not in the workload. The
// last one counts, as it does for the program.
func (w Workload) flag(name string) (value string, given, known bool) {
	for i, word := range w.Command {
		switch v, is := strings.CutPrefix(word, "--"+name); {
		case !is:
		case strings.HasPrefix(v, "="):
			value, given = v[1:], true
		case v != "":
		case i+1 < len(w.Command) && !strings.HasPrefix(w.Command[i+1], "-"):
			value, given = w.Command[i+1], true
		default:
			value, given = "", true
		}
	}
	value, known = w.expand(value)
	return value, given, known
}

// expand puts in variables as a kubelet does; known is false where one is not in the workload.
func (w Workload) expand(text string) (expanded string, known bool) {
	known = true
	for {
		before, rest, ok := strings.Cut(text, "$(")
		if !ok {
			return expanded + text, known
		}
		name, after, ok := strings.Cut(rest, ")")
		if !ok {
			return expanded + text, known
		}
		value, given, here := w.variable(name)
		if !given {
			value = "$(" + name + ")" // a kubelet leaves it
		}
		known = known && (here || !given)
		expanded, text = expanded+before+value, after
	}
}

// variable returns a variable of the environment, and whether it is set; known is false where its value is not in the
// workload.
func (w Workload) variable(name string) (value string, given, known bool) {
	i := slices.IndexFunc(w.Env, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		return "", false, true
	}
	return w.Env[i].Value, true, !w.Env[i].Elsewhere
}

// Rights is what the API server says of what a user may do everywhere.
type Rights struct {
	// Lacks are rights that a writer of Kube-OVN's keys has and the user does not.
	Lacks []string
	// Unknown says why it could not be asked; empty where it could.
	Unknown string
}

func (r Rights) has() bool { return len(r.Lacks) == 0 && r.Unknown == "" }

// Wanted are the flags of this program that say how Kube-OVN is laid out. What is empty, or nil, was not given.
type Wanted struct {
	Accounts   []string
	Router     string
	NodeSwitch string
	KeepVMIP   *bool
	NonPrimary *bool
	Northbound string
}

// Evidence is what is known of how Kube-OVN is laid out.
type Evidence struct {
	Wanted Wanted
	// Workloads run Kube-OVN's programs, or claim to: who may make workloads can name any program.
	Workloads []Workload
	// Unread says what of the workloads could not be read, and why; empty where all could.
	Unread string
	// Rights are those of the workloads' users. A user that is not there was not asked for.
	Rights map[string]Rights
	// Noted is what was worked out before, by this program or by the one before it; nil for nothing. It stands in for
	// workloads that are not there at the moment.
	Noted *Noted
}

// Noted is what is kept of a layout.
type Noted struct {
	Accounts   []string `json:"accounts"`
	Northbound string   `json:"northbound,omitempty"`
}

// Users returns the users of the workloads whose rights must be known, those of older workloads first: workloads must
// be in the order in which they were made. No more than most are asked for, so that whoever may make workloads does not
// have the API server asked at will.
func Users(workloads []Workload, most int) []string {
	var users []string
	for _, w := range workloads {
		if u := w.User(); !slices.Contains(users, u) && len(users) < most {
			users = append(users, u)
		}
	}
	return users
}

func (w Workload) with(detail string) string { return detail + " of " + w.String() }

// as says as whom the workload runs.
func (w Workload) as() string { return fmt.Sprintf("%s runs as %s", w, w.User()) }
