package audit

import "slices"

// Protection says in a word what a port may send, for a summary.
type Protection string

// Protections.
const (
	// Protected ports send from their own MAC and addresses, or are disabled.
	Protected Protection = "protected"
	// Extended ports may do more by permission, and are not open.
	Extended Protection = "extended"
	// OpenByPermission ports send from any MAC and address, and somebody permits that.
	OpenByPermission Protection = "open-by-permission"
	// Widened ports may send more than was decided, and are not open.
	Widened Protection = "widened"
	// Opened ports send from any MAC and address, and nobody permits that.
	Opened Protection = "open"
	// NotKnown are ports that could not be judged, and ports that OVN does not have.
	NotKnown Protection = "unknown"
	// NotJudged are ports out of scope.
	NotJudged Protection = "out-of-scope"
)

// Protection returns what the port may send.
func (r Result) Protection() Protection {
	permits := func(l PermittedLevel) bool {
		return slices.ContainsFunc(r.Permitted, func(p Permission) bool { return p.Level == l })
	}
	switch {
	case r.State == OutOfScope:
		return NotJudged
	case r.Open:
		return Opened
	case permits(PermittedOpen):
		return OpenByPermission
	case r.Wide, r.Has(southboundDiffers.rule):
		return Widened
	case r.State == Unknown, r.Has(podWithoutPort.rule):
		return NotKnown
	case len(r.Permitted) > 0:
		return Extended
	}
	return Protected
}
