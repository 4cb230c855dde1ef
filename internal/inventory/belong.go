package inventory

// NamespaceOf returns the namespace that the holder belongs to: that of a port's pod, of a Vip or of a Service. It is
// empty for what belongs to no namespace or to several, and where it cannot be told.
func (inv *State) NamespaceOf(h Holder) string {
	switch h.Kind {
	case HeldByPort:
		return inv.entry(h.Name).namespace()
	case HeldByVip:
		return inv.vips.Get(h.Name).Namespace
	case HeldByService, HeldByBalancer, HeldByExternal:
		return h.namespace()
	case HeldByRule:
		return inv.fixedAt.Get(h).Namespace
	case HeldByGateway, HeldBySubnet, HeldByRouter, HeldByNode, HeldByNodes, HeldByShared, HeldByPool, HeldByServices,
		HeldByEIP, HeldByFIP, HeldByFIPInside:
	}
	return ""
}
