package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// claimsTold is up to how many claims are told of at a time.
const claimsTold = 3

// Unsettled says for which claims the exception lacks the consent, and what to do; "" where it has all.
func Unsettled(e *policy.Exception, claims []Claim) string {
	var texts []string
	more := 0
	for i := range claims {
		switch c := &claims[i]; {
		case c.settled(e):
		case len(texts) == claimsTold:
			more++
		default:
			texts = append(texts, c.Text(e))
		}
	}
	switch {
	case more >= claimsToTell-claimsTold:
		texts = append(texts, fmt.Sprintf("and at least %d more", more))
	case more > 0:
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// Text says whose a claim is, and what has to be done for it to be granted: for people. What is of another namespace is
// only said to be taken.
func (c *Claim) Text(e *policy.Exception) string {
	at := fmt.Sprintf("spec.grant.pairs[%d].", c.Pair)
	named := c.Named(e)
	of := c.What + " belongs to " + c.Whose
	switch {
	case c.Hidden:
		of = c.What + " is taken"
	case c.Free:
		of = c.What + " is an address of " + c.Whose + ", and Kube-OVN may give it to a later pod"
	case strings.Contains(c.What, "/"):
		of = c.What + " has addresses of " + c.Whose
	}
	switch {
	case len(c.Consents) == 0:
		return at + c.Field + ": " + of + ", and can never be granted to others; " + c.instead(e)
	case named != nil:
		return fmt.Sprintf(
			"%ssharedWith: nobody with the verb \"share\" on %s has written or approved this, so %s is not "+
				"shared; ask a user with that verb to approve it or to write it again",
			at,
			named.owners(),
			c.What,
		)
	}
	consent := &c.Consents[0]
	if c.Hidden && consent.private() {
		return fmt.Sprintf(
			"%s%s: %s; %s, or name its owner in sharedWith (needs the verb \"share\" on the owner's namespace)",
			at,
			c.Field,
			of,
			c.instead(e),
		)
	}
	return fmt.Sprintf("%s%s: %s; %s, or write sharedWith: %s (needs the verb \"share\" on %s)",
		at, c.Field, of, c.instead(e), consent.SharedWith, consent.owners())
}

// instead says what to do where nobody shall be asked.
func (c *Claim) instead(e *policy.Exception) string {
	switch {
	case c.Field == "mac":
		return "name another MAC"
	case c.Free:
		return "create a Vip with this address and spec.namespace " + e.Namespace
	case e.Pairs[c.Pair].Prefix.IsSingleIP():
		return "name another address"
	}
	return "narrow it"
}

// private reports whether the consent names a namespace.
func (c *Consent) private() bool {
	return slices.ContainsFunc(c.Owners, func(o policy.Share) bool { return o.Resource == policy.Namespaces })
}

// owners names the rights; one of them is wanted.
func (c *Consent) owners() string {
	texts := make([]string, len(c.Owners))
	for i, o := range c.Owners {
		texts[i] = o.String()
	}
	return strings.Join(texts, " or ")
}
