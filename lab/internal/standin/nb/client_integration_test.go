//go:build integration

package nb

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// TestForeignColumns shows that the cache follows a row when columns change that the model does not have, in the same
// transaction and before: ovn-northd sets "up" and "dynamic_addresses" of ports all the time.
func TestForeignColumns(t *testing.T) {
	c, endpoint := dial(t)
	ids := map[string]string{"pod": "ns/p"}
	if err := c.EnsureSwitch(t.Context(), "ls", nil); err != nil {
		t.Fatal(err)
	}
	if err := c.CreatePort(t.Context(), "ls", LogicalSwitchPort{Name: "p.ns", ExternalIDs: ids}); err != nil {
		t.Fatal(err)
	}
	set := func(columns ...string) {
		t.Helper()
		args := append(
			[]string{"--no-leader-only", "--db=" + endpoint, "set", "Logical_Switch_Port", "p.ns"},
			columns...)
		if out, err := exec.CommandContext(t.Context(), "ovn-nbctl", args...).CombinedOutput(); err != nil {
			t.Fatalf("ovn-nbctl: %v\n%s", err, out)
		}
	}
	set("up=false", "port_security=first")
	set("up=true")
	set("up=false", `dynamic_addresses="m 10.0.0.1"`, "port_security=second", "enabled=false")
	if err := c.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ports, err := c.PortsOfPod(t.Context(), "ns/p")
	if err != nil || len(ports) != 1 {
		t.Fatalf("ports %+v, %v", ports, err)
	}
	off := false
	want := LogicalSwitchPort{
		UUID:         ports[0].UUID,
		Name:         "p.ns",
		ExternalIDs:  ids,
		PortSecurity: []string{"second"},
		Enabled:      &off,
	}
	if diff := cmp.Diff(want, normal(ports[0])); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	ports[0].PortSecurity = nil
	if err := c.UpdatePort(t.Context(), &ports[0], &ports[0].PortSecurity); err != nil {
		t.Fatal(err)
	}
	if p, ok, err := c.Port(t.Context(), "p.ns"); err != nil || !ok || len(p.PortSecurity) != 0 {
		t.Errorf("after a write of its own the cache has %+v, %v, %v", p, ok, err)
	}
}

// TestOneRouterForAName shows that concurrent requests for a router lead to one row.
func TestOneRouterForAName(t *testing.T) {
	c, _ := dial(t)
	var asks errgroup.Group
	for range 20 {
		asks.Go(func() error { return c.EnsureRouter(t.Context(), "vpc", nil) })
	}
	if err := asks.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteRouter(t.Context(), "vpc"); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Router(t.Context(), "vpc"); err != nil || ok {
		t.Errorf("a second logical router of that name is left: %v, %v", ok, err)
	}
}

// dial returns a client of an empty Northbound database, and the database's endpoint.
func dial(t *testing.T) (c *Client, endpoint string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "nb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	server, err := ovsdbserver.Create(t.Context(), dir, "nb", ovsdbserver.NorthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	endpoint = server.Endpoint()
	if c, err = Dial(t.Context(), endpoint, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, endpoint
}

// normal replaces empty values by nil, as in a row that was never read.
func normal(p LogicalSwitchPort) LogicalSwitchPort {
	if len(p.Addresses) == 0 {
		p.Addresses = nil
	}
	if len(p.Options) == 0 {
		p.Options = nil
	}
	return p
}
