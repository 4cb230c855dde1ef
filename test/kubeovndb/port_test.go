package kubeovndb_test

import (
	"testing"

	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// Unique values differ between any two ports.
func TestPortsDiffer(t *testing.T) {
	db := kubeovndb.Database{Ports: 100_000}
	seen := make(map[string]bool, 6*db.Ports)
	for n := range db.Ports + 1000 {
		p := db.Port(n)
		for _, s := range []string{p.UUID, p.Name, p.Pod, p.MAC, p.IPs[0], p.IPs[1]} {
			if seen[s] {
				t.Fatalf("%q of port %d is taken", s, n)
			}
			seen[s] = true
		}
	}
}
