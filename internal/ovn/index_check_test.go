package ovn

import "testing"

// checkIndexes fails unless every index returns exactly what a walk over all ports finds.
func checkIndexes(t *testing.T, s *Snapshot) {
	t.Helper()
	type counts map[string]int
	byName, bySwitch := counts{}, counts{}
	for p := range s.Ports().All() {
		byName[p.Name]++
		switchKey(p, func(k string) { bySwitch[k]++ })
		if s.Port(p.Name) != p || s.Ports().Get(p.UUID) != p {
			t.Fatalf("port %s is not found by its name or UUID", p.Name)
		}
	}
	check := func(what string, want counts, got func(string) int) {
		for key, n := range want {
			if g := got(key); g != n {
				t.Fatalf("%s %q gives %d ports, want %d", what, key, g, n)
			}
		}
	}
	count := func(all func(func(*Port) bool)) (n int) {
		all(func(*Port) bool { n++; return true })
		return n
	}
	check("switch", bySwitch, func(k string) int { return count(s.SwitchPorts(k)) })
	for what, sizes := range map[string][2]int{
		"names":    {s.portsByName.ports.size, s.Ports().Len()},
		"switches": {s.portsBySwitch.ports.size, sum(bySwitch)},
	} {
		if sizes[0] != sizes[1] {
			t.Fatalf("the index of %s has %d entries, want %d", what, sizes[0], sizes[1])
		}
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
