package inventory

// SubnetOf returns the subnet that the IP resource of the port names; "" where it is not known.
func (inv *State) SubnetOf(port string) string {
	if r := inv.entry(port).record; r != nil {
		return r.Subnet
	}
	return ""
}

// Kept returns the kind of owner that keeps the port of that name while no pod runs, and the pod or machine that it is
// kept for; "" where none does.
func (inv *State) Kept(port string) (kind string, of PodKey) {
	r := inv.entry(port).record
	if r == nil || r.Keeper == "" {
		return "", PodKey{}
	}
	return r.Keeper, r.Of
}

// ClaimedBy returns a pod other than me that has the port of that name and has not ended. One that is being deleted has
// it for as long as its grace period lasts. The launchers of a machine share its ports; machine is its name where I am
// one, and "" where not.
func (inv *State) ClaimedBy(port string, me PodKey, machine string) (other PodKey, taken bool) {
	for c := range inv.entry(port).podNICs() {
		duplicate := machine != "" && c.pod.Namespace == me.Namespace && c.pod.Owner == machine && c.pod.Name != machine
		if c.pod.PodKey != me && !c.pod.Finished && !duplicate {
			return c.pod.PodKey, true
		}
	}
	return PodKey{}, false
}
