package inventory

// Refused is what admission last refused of an account that Kube-OVN's own workloads run under: ports may not be made
// for it.
type Refused struct {
	// User is the account, What is what it asked for, and Why what it was answered.
	User, What, Why string
}

// SetRefused enters what an account of Kube-OVN's was refused. It touches no port.
func (inv *Inventory) SetRefused(r Refused) []string {
	if inv.refused.Get(r.User) != r {
		inv.refused.Set(inv.edit, r.User, r)
		inv.affected[Subject{Kind: SubjectAccount, Name: r.User}] = true
	}
	return nil
}

// DeleteRefused says that an account was refused nothing lately.
func (inv *Inventory) DeleteRefused(user string) []string {
	inv.refused.Delete(inv.edit, user)
	inv.affected[Subject{Kind: SubjectAccount, Name: user}] = true
	return nil
}
