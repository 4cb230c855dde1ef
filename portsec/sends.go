package portsec

// sends judges a frame from the port as E1 to E3 do: first by its source address, then, for ARP and neighbour
// discovery, by what it claims.
func (s *Set) sends(p *packet) Verdict {
	if p.etherType == typeARP {
		return s.sendsARP(p)
	}
	v, ok := s.source(p)
	if ok && p.isDiscovery() {
		return s.sendsDiscovery(p)
	}
	return v
}

// source judges a frame by its source address; ok means that it may.
func (s *Set) source(p *packet) (v Verdict, ok bool) {
	listed := false
	if h := s.find(p.src); h != nil {
		if listed = true; h.bare {
			return allow(AnyAddress), true
		}
		if v, ok = sendsIP(p, h.ip4, h.ip6, macSpan(h.mac), false); ok {
			return v, true
		}
	}
	for i := range s.routers {
		r := &s.routers[i]
		for _, m := range r.mac4 {
			if m.has(p.src, 0) {
				if listed = true; !r.hasIP() {
					return allow(AnyAddress), true
				}
				if v, ok = sendsIP(p, r.ip4, nil, m, false); ok {
					return v, true
				}
			}
		}
		for _, m := range r.mac6 {
			if m.has(p.src, 0) {
				if listed = true; !r.hasIP() {
					return allow(AnyAddress), true
				}
				if v, ok = sendsIP(p, nil, r.ip6, m, false); ok {
					return v, true
				}
			}
		}
	}
	switch {
	case !listed:
		return drop(UnlistedMAC), false
	case p.etherType == typeIP4:
		return drop(UnlistedIP4), false
	case p.etherType == typeIP6:
		return drop(UnlistedIP6), false
	}
	return drop(ProtocolDropped), false
}

// sendsIP reports whether a MAC with the addresses may send an IP packet from its source. anyCode lets MLD reports and
// duplicate address detection have any code.
func sendsIP(p *packet, ip4, ip6 []span, mac span, anyCode bool) (Verdict, bool) {
	switch {
	case p.etherType == typeIP4 && len(ip4) > 0:
		switch {
		case anyHas(ip4, p.ipSrcHi, 0):
			return allow(IP4Source), true
		case p.isDHCPRequest():
			return allow(DHCPRequest), true
		}
	case p.etherType == typeIP6 && len(ip6) > 0:
		switch {
		case anyHas(ip6, p.ipSrcHi, p.ipSrcLo):
			return allow(IP6Source), true
		case linkLocalSpan(mac).has(p.ipSrcHi, p.ipSrcLo):
			return allow(IP6LinkLocal), true
		case !p.isUnspecifiedToLink() || p.dport != 0 && !anyCode:
		case p.isICMP6(mldReport1), p.isICMP6(mldReport2):
			return allow(MLDReport), true
		case p.isICMP6(neighbourSolicitation):
			return allow(DuplicateDetection), true
		}
	}
	return Verdict{}, false
}

func (s *Set) sendsARP(p *packet) Verdict {
	listed, claimed := false, false
	if h := s.find(p.src); h != nil {
		if v, ok := h.sendsARP(p); ok {
			return v
		}
		listed, claimed = true, p.arpSHA == h.key
	}
	for i := range s.routers {
		r := &s.routers[i]
		if r.key != p.src {
			continue
		}
		listed = true
		if !anyHas(r.mac4, p.arpSHA, 0) {
			continue
		}
		if claimed = true; !r.hasIP() || anyHas(r.ip4, p.ipSrcHi, 0) {
			return allow(ARPSender)
		}
	}
	switch {
	case !listed:
		return drop(UnlistedMAC)
	case !claimed:
		return drop(UnlistedARPMAC)
	}
	return drop(UnlistedARPAddress)
}

// sendsARP reports whether the host is the sender that an ARP message names.
func (h *host) sendsARP(p *packet) (Verdict, bool) {
	if p.arpSHA == h.key && (h.bare || anyHas(h.ip4, p.ipSrcHi, 0)) {
		return allow(ARPSender), true
	}
	return Verdict{}, false
}

// sendsDiscovery judges neighbour discovery whose source address may pass.
func (s *Set) sendsDiscovery(p *packet) Verdict {
	solicitation := p.isICMP6(neighbourSolicitation)
	switch {
	case solicitation && !s.era.Has(SolicitationDrop):
		return allow(Solicitation)
	case p.dport != 0:
	case solicitation:
		if s.mayClaim(p, p.sourceLL, true) {
			return allow(Solicitation)
		}
		return drop(ForeignSolicitation)
	case s.mayClaim(p, p.targetLL, false):
		return allow(Advertisement)
	}
	if solicitation {
		return drop(ForeignSolicitation)
	}
	return drop(ForeignAdvertisement)
}

// mayClaim reports whether a message of neighbour discovery may give the link-layer address and, unless it is a
// solicitation, advertise its target.
func (s *Set) mayClaim(p *packet, claimed uint64, solicitation bool) bool {
	h := s.find(p.src)
	if h != nil && (claimed == 0 || claimed == h.key) && (solicitation || h.mayAdvertise(s.era, p)) {
		return true
	}
	for i := range s.routers {
		r := &s.routers[i]
		if r.key == p.src && (claimed == 0 || anyHas(r.mac6, claimed, 0)) && (solicitation || r.mayAdvertise(p)) {
			return true
		}
	}
	if !s.era.lendsDiscovery() {
		return false
	}
	// Some rules forget the source MAC, so that each listed MAC lends them to all that got so far.
	for i := range s.hosts {
		h := &s.hosts[i]
		if claimed != 0 && claimed != h.key {
			continue
		}
		if hi, lo := linkLocalOf(h.key); solicitation || h.noIP6 || p.targetHi == hi && p.targetLo == lo {
			return true
		}
	}
	return false
}

// lendsDiscovery reports whether rules for neighbour discovery that look at no source MAC let something pass. In E1
// they let nothing pass: those for advertisements ask for another hop limit, and solicitations pass anyway.
func (e Era) lendsDiscovery() bool { return e.Has(AdvertisementLimit) && !e.Has(DiscoverySource) }

// mayAdvertise reports whether the host may advertise the target.
func (h *host) mayAdvertise(era Era, p *packet) bool {
	if anyHas(h.ip6, p.targetHi, p.targetLo) {
		return true
	}
	if !era.Has(AdvertisementLimit) {
		return false // its other rules want a hop limit of 225, which no neighbour discovery has
	}
	hi, lo := linkLocalOf(h.key)
	return h.noIP6 || p.targetHi == hi && p.targetLo == lo
}

func (r *router) mayAdvertise(p *packet) bool {
	hi, lo := linkLocalOf(r.key)
	return len(r.ip6) == 0 || anyHas(r.ip6, p.targetHi, p.targetLo) || p.targetHi == hi && p.targetLo == lo
}

// sendsE0 judges a frame from the port as E0 does: by its MAC, by its IP address, and by what ARP and neighbour
// discovery claim. What none of these concerns passes.
func (s *Set) sendsE0(p *packet) Verdict {
	h := s.find(p.src)
	discovery := p.isDiscovery() && p.dport == 0
	switch {
	case s.Open() && p.etherType == typeARP:
		return drop(ARPUnusable)
	case s.Open() && discovery:
		return drop(DiscoveryUnusable)
	case s.Open():
		return allow(ColumnUnusable)
	case h == nil:
		return drop(UnlistedMAC)
	case p.etherType == typeARP && p.arpSHA != h.key:
		return drop(UnlistedARPMAC)
	case p.etherType == typeARP:
		if v, ok := h.sendsARP(p); ok {
			return v
		}
		return drop(UnlistedARPAddress)
	case p.etherType != typeIP4 && p.etherType != typeIP6:
		return allow(OtherProtocol)
	}
	v := allow(AnyAddress)
	if h.hasIP() {
		var ok bool
		switch v, ok = sendsIP(p, h.ip4, h.ip6, macSpan(h.mac), true); {
		case !ok && p.etherType == typeIP4:
			return drop(UnlistedIP4)
		case !ok:
			return drop(UnlistedIP6)
		}
	}
	switch {
	case !discovery:
		return v
	case p.isICMP6(neighbourSolicitation):
		if (p.sourceLL == 0 || p.sourceLL == h.key) && (len(h.ip6) > 0 || h.bare) {
			return allow(Solicitation)
		}
		return drop(ForeignSolicitation)
	case (p.targetLL == 0 || p.targetLL == h.key) && h.mayAdvertise(E0, p):
		return allow(Advertisement)
	}
	return drop(ForeignAdvertisement)
}
