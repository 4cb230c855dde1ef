package repair

import (
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// newPod is how long a pod counts as new: what is decided about it first may take several looks, since its owner and
// the exceptions for it are read by connections of their own.
const newPod = time.Minute

// Decided is what was decided about a port, as far as it matters whether that changes.
type Decided struct {
	// Repairs means that policy wants the port to be put right.
	Repairs bool
	// BaseLevel and BaseForwarding are without exceptions and Vips, the others with them.
	BaseLevel, Level           policy.Level
	BaseForwarding, Forwarding policy.Forwarding
	Pairs                      []portsec.AddressPair
	Terms                      []policy.Term
}

func decidedOf(d *policy.Decision) Decided {
	return Decided{
		Repairs:   d.Mode == policy.Enforce && d.Repair == policy.RepairOn,
		BaseLevel: d.BaseLevel, BaseForwarding: d.BaseForwarding,
		Level: d.Level, Forwarding: d.Forwarding, Pairs: d.Pairs, Terms: d.Terms,
	}
}

func (d *Decided) sameBase(o *Decided) bool {
	return d.Repairs == o.Repairs && d.BaseLevel == o.BaseLevel && d.BaseForwarding == o.BaseForwarding
}

// looser reports whether d gives the port something that o does not.
func (d *Decided) looser(o *Decided) bool {
	gives := func(x *Decided) policy.Decision {
		return policy.Decision{Level: x.Level, Forwarding: x.Forwarding, Pairs: x.Pairs}
	}
	return gives(d).Looser(gives(o))
}

// lostTerms says what became of the exceptions that counted by an earlier decision and do not now: withheld, where one
// is what it was and policy does not let it count any more; ended, where one has expired, was deleted, was changed, or
// is not for this pod any more.
func (d *Decided) lostTerms(earlier *Decided) (withheld, ended bool) {
	for _, was := range earlier.Terms {
		if !was.Counts {
			continue
		}
		i := slices.IndexFunc(d.Terms, func(t policy.Term) bool { return t.Name == was.Name })
		switch {
		case i < 0 || !d.Terms[i].Asked.Equal(was.Asked) || !d.Terms[i].Expires.Equal(was.Expires):
			ended = true
		case !d.Terms[i].Counts:
			withheld = true
		}
	}
	return withheld, ended
}

// Settle returns the history of a port that is right by this decision.
func (h History) Settle(d *policy.Decision) History {
	now := decidedOf(d)
	h.Settled = &now
	return h
}

// Counts reports whether a change of the port follows from a changed decision, so that the brake counts it. What
// restores a column to an unchanged decision, ends an exception, or gives a new pod what it is granted first does not:
// a tenant, or whoever writes the database, could otherwise hold repair for everybody by many such changes.
func (h History) Counts(p *inventory.Port, now time.Time) bool {
	d := decidedOf(&p.Decision)
	switch was := h.Settled; {
	case !h.Began.IsZero() && now.Sub(h.Began) < newPod:
		return false
	case was == nil:
		return !recorded(p)
	default:
		withheld, ended := d.lostTerms(was)
		if !d.sameBase(was) {
			return !ended
		}
		return withheld || d.looser(was)
	}
}

// GrantsOnly reports whether nothing but grants changed since the port was right last, so that what ended of them can
// be taken away while what is new waits.
func (h History) GrantsOnly(p *inventory.Port) bool {
	d := decidedOf(&p.Decision)
	return h.Settled != nil && d.sameBase(h.Settled)
}

// recorded reports whether admission noted on the pod the decision that still stands, grants apart. It tells drift
// from a changed decision where nothing is remembered, after a start. Whoever forges the note takes the brake's
// protection from their own port alone.
func recorded(p *inventory.Port) bool {
	r, ok := policy.ReadRecord(p.Pod.Annotations)[p.Provider]
	granted := func(from string) bool {
		return from == string(policy.FromException) || from == string(policy.FromVIP)
	}
	d := &p.Decision
	level := granted(r.From) || r.Level == d.BaseLevel.String() || r.Level == d.Level.String()
	forwarding := granted(r.ForwardingFrom) ||
		r.Layer2Forward == d.BaseForwarding.String() || r.Layer2Forward == d.Forwarding.String()
	return ok && level && forwarding
}
