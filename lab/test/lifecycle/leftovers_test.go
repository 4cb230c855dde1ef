//go:build integration

package lifecycle

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// leftovers lists what a lab has on the machine: processes, network
// namespaces, and links (bridges among them) in the machine's own namespace.
func leftovers(t *testing.T, path string) []string {
	t.Helper()
	dir, err := state.FindDir(path)
	if err != nil {
		t.Fatal(err)
	}
	found := processesOf(t, dir.Marker())
	namespaces, err := os.ReadDir("/var/run/netns")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, namespace := range namespaces {
		if strings.Contains(namespace.Name(), dir.ID()) {
			found = append(found, "network namespace "+namespace.Name())
		}
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if strings.Contains(link.Attrs().Name, dir.ID()) {
			found = append(found, link.Type()+" "+link.Attrs().Name)
		}
	}
	return found
}
