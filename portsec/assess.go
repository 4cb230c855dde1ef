package portsec

// Reading is what one era makes of a column, besides what it should be.
type Reading struct {
	Era    Era
	Column Column
	Set    Set
	// Checked is false where the era does not apply port_security to ports of this type.
	Checked bool
	// Excess is what the port may send beyond what it should, Loss what it should be able to send and is not.
	Excess, Loss []Pair
}

// Open reports whether the source of what the port sends is not checked in this era.
func (r Reading) Open() bool { return !r.Checked || r.Set.Open() }

// Unenforced reports whether the column is not empty and yet not checked in this era: because nothing of it can be
// used, or because of the port's type.
func (r Reading) Unenforced() bool {
	return r.Set.Unenforced() || !r.Checked && len(r.Column.Elements) > 0
}

// Protected reports whether the port can send nothing but what it should in this era.
func (r Reading) Protected() bool { return !r.Open() && len(r.Excess) == 0 }

// Assessment is a column as each plausible era reads it.
type Assessment struct {
	Readings []Reading
}

// Assess compares the column of a port of the type ("" for that of a pod) with what it should be, in each era that may
// be the one that enforces.
func Assess(eras []Era, portType string, column []string, want Set) Assessment {
	a := Assessment{Readings: make([]Reading, len(eras))}
	for i, era := range eras {
		r := Reading{Era: era, Column: Parse(era, column), Checked: era.Checks(portType)}
		r.Set = r.Column.Set()
		enforced := r.Set
		if !r.Checked {
			enforced = Set{era: era}
		}
		r.Excess, r.Loss = Excess(enforced, want), Loss(enforced, want)
		a.Readings[i] = r
	}
	return a
}

// Protected reports whether the port is protected in every plausible era. There must be one.
func (a Assessment) Protected() bool {
	return len(a.Readings) > 0 && len(a.Where(func(r Reading) bool { return !r.Protected() })) == 0
}

// Where returns the eras whose reading is such, as with Reading.Open or Reading.Unenforced.
func (a Assessment) Where(such func(Reading) bool) []Era {
	var out []Era
	for _, r := range a.Readings {
		if such(r) {
			out = append(out, r.Era)
		}
	}
	return out
}
