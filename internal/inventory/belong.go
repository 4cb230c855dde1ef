package inventory

// NamespaceOf returns the namespace that the holder belongs to: that of a port's pod, of a Vip or of a Service. It is
// empty for what belongs to no namespace or to several, and where it cannot be told.
func (inv *State) NamespaceOf(h Holder) string {
	switch h.Kind {
	case HeldByPort:
		return inv.slot(h.Name).namespace()
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

// namespace returns that of the pods that claim the port, or of the pod that it is kept for; empty where they are of
// several namespaces, or there is none.
func (s *slot) namespace() string {
	if s.claim.pod == nil {
		if s.record != nil {
			return s.record.Of.Namespace
		}
		return ""
	}
	namespace := s.claim.pod.Namespace
	if s.rare != nil {
		for _, c := range s.rare.claims {
			if c.pod.Namespace != namespace {
				return ""
			}
		}
	}
	return namespace
}
