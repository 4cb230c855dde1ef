package rows

import (
	"slices"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/inventory"
)

// A real Kube-OVN uses the names for the ends of links that the inventory relies on, so that a port with a gateway's
// MAC is found.
func TestRouterPortsOfARecordedFile(t *testing.T) {
	d := recorded(t)
	ports, _, err := Ports(d)
	if err != nil {
		t.Fatal(err)
	}
	inv, macs := inventory.New(), make(map[string]string)
	for _, p := range RouterPorts(d) {
		inv.SetRouterPort(p)
		macs[p.Name] = p.MAC
	}
	if len(macs) != 8 || macs["vpc1-vpc1-net"] != "3a:f5:bc:29:98:06" {
		t.Errorf("ports of routers: %v", macs)
	}
	for _, p := range ports {
		inv.SetRow(Of(p))
	}
	for _, p := range ports {
		if p.Type != "router" {
			continue
		}
		router := p.Name[len(p.Switch)+1:]
		inv.SetRow(
			&inventory.Row{
				UUID:      "x",
				Name:      "poser",
				Switch:    p.Switch,
				Addresses: []string{macs[router+"-"+p.Switch] + " 10.66.6.6"},
			},
		)
		duplicates := inv.Port("poser", time.Time{}).Duplicates
		if len(duplicates) != 1 || !duplicates[0].MAC || len(duplicates[0].Others) == 0 ||
			!slices.Contains(duplicates[0].Others, p.Name) {
			t.Errorf("with the gateway's MAC on %s: %+v", p.Switch, duplicates)
		}
	}
}
