package admission

import (
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Check is one reason for admission to refuse a pod.
type Check struct {
	// ID names it in refusals, metrics and docs/admission.md, and stays what it is: "OVGA10".
	ID string
	// Name says in a word or two what it is about.
	Name string
	// Always means that it refuses whatever the mode of the policy: what it keeps out would harm others, or would come to
	// count once the policy enforces.
	Always bool
	// Passing means that what it refuses may be let in when it is asked for again, as it is.
	Passing bool
	// Summary says what it refuses, as a sentence without a full stop.
	Summary string
}

// Checks are all there are, by ID. Each is declared beside the functions that make it.
var Checks = []*Check{
	tooMuch,
	outOfTime,
	notReadYet,
	unreadableNetworks,
	fixedNetworks,
	misleadingInterface,
	outsideOVN,
	portSecurityOff,
	layer2Forward,
	grantedAddress,
	takesVip,
	chosenAddress,
	chosenMAC,
	foreignSubnet,
	ownKey,
	machineKey,
	anotherPort,
	externalAddress,
	securityGroup,
	forgedOwner,
	portOfOther,
	notAllocated,
	loosened,
	adoption,
	decisionForgotten,
	undoMark,
}

// under returns the mode of the check's refusals under a policy with this mode.
func (c *Check) under(mode policy.Mode) policy.Mode {
	if c.Always {
		return policy.Enforce
	}
	return mode
}
