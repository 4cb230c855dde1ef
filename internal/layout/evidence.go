// Package layout works out how Kube-OVN is laid out in a cluster: which accounts write its keys, the names of its
// default router and of the nodes' subnet, and the address of the Northbound database. It decides from evidence that
// others gather, and names the source of each value.
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

// roles are the roles with a writer that must be known.
var roles = []Role{Controller, Daemon}

// programs are the commands of the containers of a role: the script of Kube-OVN's image, or the program itself.
var programs = map[string]Role{
	"start-controller.sh": Controller, "kube-ovn-controller": Controller,
	"start-cniserver.sh": Daemon, "kube-ovn-daemon": Daemon,
}

// RoleOf returns the role of a container by its command. Names and labels do not count: they differ from chart to
// chart.
func RoleOf(command []string) (Role, bool) {
	for _, word := range command {
		if strings.HasPrefix(word, "-") {
			continue // only --image could name a program, another one
		}
		for part := range strings.FieldsSeq(word) {
			if role, ok := programs[path.Base(part)]; ok {
				return role, true
			}
		}
	}
	return "", false
}

// Variable is an environment variable of a container.
type Variable struct {
	Name, Value string
	// Elsewhere means that the value is in a ConfigMap, a Secret or a field, and is not known.
	Elsewhere bool
}

// Workload is something that runs one of Kube-OVN's programs.
type Workload struct {
	Role Role
	// Kind is the object's kind, such as "Deployment".
	Kind, Namespace, Name string
	// Account is the name of the service account; empty means "default".
	Account string
	// Command is everything that the container starts with: its command and then its arguments.
	Command []string
	Env     []Variable
	// Image is the container's.
	Image string
	// TLSSecret is the Secret in its namespace that it mounts where Kube-OVN looks for certificates; empty for none.
	TLSSecret string
}

// String names the workload as kubectl does.
func (w Workload) String() string { return w.Kind + " " + w.Namespace + "/" + w.Name }

// User returns the user name of the workload at the API server.
func (w Workload) User() string {
	account := w.Account
	if account == "" {
		account = "default"
	}
	return "system:serviceaccount:" + w.Namespace + ":" + account
}

// flag returns the value of a flag, and whether it is given; known is false if the value is not in the workload. The
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

// expand substitutes variables as a kubelet does; known is false if one is not in the workload.
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
			value = "$(" + name + ")" // a kubelet leaves it as it is
		}
		known = known && (here || !given)
		expanded, text = expanded+before+value, after
	}
}

// variable returns a variable of the environment, and whether it is set; known is false if its value is not in the
// workload.
func (w Workload) variable(name string) (value string, given, known bool) {
	i := slices.IndexFunc(w.Env, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		return "", false, true
	}
	return w.Env[i].Value, true, !w.Env[i].Elsewhere
}

// Rights are a user's rights in the whole cluster, according to the API server.
type Rights struct {
	// Lacks are rights that a writer of Kube-OVN's keys has and the user does not.
	Lacks []string
	// Unknown says why the API server could not be asked; empty where it could.
	Unknown string
}

func (r Rights) has() bool { return len(r.Lacks) == 0 && r.Unknown == "" }

// Wanted are the flags of this program about the layout. A flag that is not given is empty, or nil.
type Wanted struct {
	Accounts   []string
	Router     string
	NodeSwitch string
	KeepVMIP   *bool
	NonPrimary *bool
	Northbound string
	// NorthboundFrom names the source of Northbound where that is not the flag, such as "$OVN_NB_DB".
	NorthboundFrom string
}

// Evidence is what is known of the layout.
type Evidence struct {
	Wanted Wanted
	// Workloads run Kube-OVN's programs, or claim to: anyone who may make workloads can name any program.
	Workloads []Workload
	// Unread says which workloads could not be read, and why; empty where all could.
	Unread string
	// Rights are the rights of the workloads' users. A user that is missing here was not asked for.
	Rights map[string]Rights
	// Noted is the layout that this program, or the one before it, worked out earlier; nil for none. It replaces workloads
	// that are absent at the moment.
	Noted *Noted
}

// Noted is the part of a layout that is kept.
type Noted struct {
	Accounts   []string `json:"accounts"`
	Northbound string   `json:"northbound,omitempty"`
}

// Users returns the users of the workloads that need a check of their rights, with older workloads first: the argument
// must be in order of creation. It returns at most that many, so that anyone who may make workloads cannot make the API
// server answer questions at will.
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

// as returns a sentence that names the user of the workload.
func (w Workload) as() string { return fmt.Sprintf("%s runs as %s", w, w.User()) }
