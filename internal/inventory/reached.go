package inventory

import (
	"fmt"
	"slices"
	"strings"
)

// Reached is what is wrong of one policy of the network, or of one gateway, when it is seen together with what ports
// may forge. It is never changed once it is in the inventory.
type Reached struct {
	// Kind, Namespace and Name are those of the policy: a NetworkPolicy, another kind, or a SecurityGroup. Of a gateway
	// they are those of the pod.
	Kind, Namespace, Name string
	// Void is nil where no forged source walks through the policy.
	Void *Void
	// Unrealised is nil where OVN does what the policy asks for.
	Unrealised *Unrealised
	// Ungoverned are the ports of a gateway that no egress policy bounds.
	Ungoverned []string
}

// Void says how forged sources walk through a policy.
type Void struct {
	// Forgers are some of the ports that may do so, and Targets some of what they come to. The numbers count all.
	Forgers, Targets           []string
	ForgersTotal, TargetsTotal int
	// Elsewhere means that one of the ports is in another namespace than what it comes to.
	Elsewhere bool
	// Example is one way through, in words.
	Example string
}

// Unrealised says what passes that must not, and what is stopped that must pass. The lists name some, the numbers count
// all that were looked at.
type Unrealised struct {
	Passes, Stops           []string
	PassesTotal, StopsTotal int
}

// Radius is what a port could do with sources that are not its own.
type Radius struct {
	// Poses is how many other pods it may pose as, rounded.
	Poses int
	// Opens are some of the things that it comes to by that, such as "shop/db-1 (tcp/5432) through NetworkPolicy
	// shop/allow-web"; OpensTotal counts all.
	Opens      []string
	OpensTotal int
}

// Rounded returns a number that stays the same while what it counts changes a little: numbers over 20 are rounded down
// to their first two digits.
func Rounded(n int) int {
	unit := 1
	for n/unit >= 100 {
		unit *= 10
	}
	if n > 20 && unit == 1 {
		unit = 10
	}
	return n / unit * unit
}

// String returns it in words; "" for nothing.
func (r *Radius) String() string {
	if r == nil || r.Poses == 0 && r.OpensTotal == 0 {
		return ""
	}
	more := ""
	if r.Poses > 20 {
		more = "more than "
	}
	text := fmt.Sprintf("it may pose as %s%d other pods", more, r.Poses)
	if r.Poses == 1 {
		text = "it may pose as 1 other pod"
	}
	if len(r.Opens) > 0 {
		text += " and so comes to " + strings.Join(r.Opens, ", ")
	}
	if left := r.OpensTotal - len(r.Opens); left > 0 {
		text += fmt.Sprintf(" and through %d more rules", left)
	}
	return text
}

func (r *Radius) equal(o *Radius) bool {
	return r.Poses == o.Poses && r.OpensTotal == o.OpensTotal && slices.Equal(r.Opens, o.Opens)
}

// Equal reports whether both say the same.
func (r Reached) Equal(o Reached) bool {
	return r.Kind == o.Kind && r.Namespace == o.Namespace && r.Name == o.Name &&
		slices.Equal(r.Ungoverned, o.Ungoverned) && r.Void.equal(o.Void) && r.Unrealised.equal(o.Unrealised)
}

func (v *Void) equal(o *Void) bool {
	if v == nil || o == nil {
		return v == o
	}
	return v.ForgersTotal == o.ForgersTotal && v.TargetsTotal == o.TargetsTotal && v.Elsewhere == o.Elsewhere &&
		v.Example == o.Example && slices.Equal(v.Forgers, o.Forgers) && slices.Equal(v.Targets, o.Targets)
}

func (u *Unrealised) equal(o *Unrealised) bool {
	if u == nil || o == nil {
		return u == o
	}
	return u.PassesTotal == o.PassesTotal && u.StopsTotal == o.StopsTotal && slices.Equal(u.Passes, o.Passes) &&
		slices.Equal(u.Stops, o.Stops)
}

// Subject returns what the facts are about.
func (r *Reached) Subject() Subject {
	if len(r.Ungoverned) > 0 {
		return Subject{SubjectGateway, r.Namespace, r.Name}
	}
	return Subject{SubjectPolicy, r.Namespace, r.Kind + "/" + r.Name}
}

// SetReached enters what is wrong of policies and gateways, and what ports could do with sources that are not their
// own, by their names: what is not among it has nothing of it. It returns the ports for which that
// changes.
func (inv *Inventory) SetReached(all []Reached, radii map[string]Radius) (touched []string) {
	now := make(map[Subject]Reached, len(all))
	for _, r := range all {
		now[r.Subject()] = r
	}
	for _, t := range slices.Collect(inv.reached.Keys()) {
		if _, still := now[t]; !still {
			inv.reached.Delete(inv.edit, t)
			inv.affected[t] = true
		}
	}
	for t, r := range now {
		if before, ok := inv.reached.Find(t); !ok || !before.Equal(r) {
			inv.reached.Set(inv.edit, t, r)
			inv.affected[t] = true
		}
	}
	for _, port := range slices.Collect(inv.radii.Keys()) {
		if _, still := radii[port]; !still {
			inv.radii.Delete(inv.edit, port)
			touched = append(touched, port)
		}
	}
	for port, r := range radii {
		if before := inv.radii.Get(port); before == nil || !before.equal(&r) {
			inv.radii.Set(inv.edit, port, &r)
			touched = append(touched, port)
		}
	}
	return touched
}

// HasReached reports whether exactly this is known to be wrong of policies and gateways, and of what ports could do
// with sources that are not their own.
func (inv *State) HasReached(all []Reached, radii map[string]Radius) bool {
	if len(all) != inv.reached.Len() || len(radii) != inv.radii.Len() {
		return false
	}
	for i := range all {
		if has, ok := inv.reached.Find(all[i].Subject()); !ok || !has.Equal(all[i]) {
			return false
		}
	}
	for port, r := range radii {
		if has := inv.radii.Get(port); has == nil || !has.equal(&r) {
			return false
		}
	}
	return true
}
