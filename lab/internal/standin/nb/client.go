package nb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// podKey is the external_ids key that names a port's pod.
const podKey = "pod"

// Client reads a cache of the Northbound database and writes to it. The server sends a client its own changes before it
// answers the transaction that made them, so a read after a write sees that write.
type Client struct {
	ovs      client.Client
	endpoint string
	log      logr.Logger
	tiers    bool

	// routers is held from the look-up of a router's name to its creation: a VPC and its first subnet both ask for the
	// router, and the schema has no index on Logical_Router.name that would refuse a second one.
	routers sync.Mutex
}

// Dial connects to endpoint ("unix:/path", "tcp:host:port") and fills the cache. The client connects again by itself
// when the server goes away; writes wait for that.
func Dial(ctx context.Context, endpoint string, log *slog.Logger) (*Client, error) {
	c := &Client{endpoint: endpoint, log: logr.FromSlogHandler(log.Handler()).V(1)}
	var err error
	if c.tiers, err = c.findTiers(ctx); err != nil {
		return nil, err
	}
	m, err := databaseModel(c.tiers)
	if err != nil {
		return nil, fmt.Errorf("northbound model: %w", err)
	}
	m.SetIndexes(map[string][]model.ClientIndex{
		"Logical_Switch_Port": {{Columns: []model.ColumnKey{{Column: "external_ids", Key: podKey}}}},
		"Logical_Switch":      {{Columns: []model.ColumnKey{{Column: "name"}}}},
		"Logical_Router":      {{Columns: []model.ColumnKey{{Column: "name"}}}},
	})
	if c.ovs, err = c.connect(ctx, m); err != nil {
		return nil, err
	}
	if _, err := c.ovs.Monitor(ctx, c.ovs.NewMonitor(monitored(c.tiers)...)); err != nil {
		c.ovs.Close()
		return nil, fmt.Errorf("monitor the Northbound database at %s: %w", endpoint, err)
	}
	return c, nil
}

func (c *Client) connect(ctx context.Context, m model.ClientDBModel) (client.Client, error) {
	ovs, err := client.NewOVSDBClient(m,
		client.WithEndpoint(c.endpoint),
		client.WithLogger(&c.log),
		client.WithReconnect(5*time.Second, backoff.NewConstantBackOff(200*time.Millisecond)),
	)
	if err != nil {
		return nil, fmt.Errorf("northbound client for %s: %w", c.endpoint, err)
	}
	if err := ovs.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connect to the Northbound database at %s: %w", c.endpoint, err)
	}
	return ovs, nil
}

// findTiers asks the server for its schema and reports whether ACLs have tiers in it.
func (c *Client) findTiers(ctx context.Context) (bool, error) {
	m, err := model.NewClientDBModel(Database, map[string]model.Model{"Logical_Switch": &LogicalSwitch{}})
	if err != nil {
		return false, fmt.Errorf("northbound model: %w", err)
	}
	ovs, err := c.connect(ctx, m)
	if err != nil {
		return false, err
	}
	defer ovs.Close()
	return ovs.Schema().Table("ACL").Column("tier") != nil, nil
}

// HasTiers reports whether the database's schema has tiers of ACLs.
func (c *Client) HasTiers() bool { return c.tiers }

// Close ends the connection.
func (c *Client) Close() { c.ovs.Close() }

// Port returns the Logical_Switch_Port with that name; ok is false if there is none.
func (c *Client) Port(ctx context.Context, name string) (p LogicalSwitchPort, ok bool, err error) {
	p = LogicalSwitchPort{Name: name}
	ok, err = found(c.ovs.Get(ctx, &p))
	return p, ok, err
}

// PortsOfPod returns the ports with key ("namespace/name") in external_ids:pod, by name.
func (c *Client) PortsOfPod(ctx context.Context, key string) ([]LogicalSwitchPort, error) {
	var ports []LogicalSwitchPort
	err := c.ovs.Where(&LogicalSwitchPort{ExternalIDs: map[string]string{podKey: key}}).List(ctx, &ports)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return nil, fmt.Errorf("list ports of pod %s: %w", key, err)
	}
	sortPorts(ports)
	return ports, nil
}

// Ports returns the ports for which match is true, by name.
func (c *Client) Ports(ctx context.Context, match func(*LogicalSwitchPort) bool) ([]LogicalSwitchPort, error) {
	var ports []LogicalSwitchPort
	if err := c.ovs.WhereCache(match).List(ctx, &ports); err != nil {
		return nil, fmt.Errorf("list ports: %w", err)
	}
	sortPorts(ports)
	return ports, nil
}

func sortPorts(ports []LogicalSwitchPort) {
	slices.SortFunc(ports, func(a, b LogicalSwitchPort) int { return strings.Compare(a.Name, b.Name) })
}

// Switches returns every logical switch.
func (c *Client) Switches(ctx context.Context) ([]LogicalSwitch, error) {
	var list []LogicalSwitch
	if err := c.ovs.List(ctx, &list); err != nil {
		return nil, fmt.Errorf("list logical switches: %w", err)
	}
	return list, nil
}

// Switch returns the logical switch with that name.
func (c *Client) Switch(ctx context.Context, name string) (LogicalSwitch, bool, error) {
	var list []LogicalSwitch
	err := c.ovs.Where(&LogicalSwitch{Name: name}).List(ctx, &list)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return LogicalSwitch{}, false, fmt.Errorf("logical switch %s: %w", name, err)
	}
	if len(list) == 0 {
		return LogicalSwitch{}, false, nil
	}
	return list[0], true, nil
}

// CreatePort puts a new port on a logical switch. It is an error if the switch does not exist.
func (c *Client) CreatePort(ctx context.Context, switchName string, p LogicalSwitchPort) error {
	ls, ok, err := c.Switch(ctx, switchName)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("create port %s: logical switch %s does not exist", p.Name, switchName)
	}
	p.UUID = "port"
	create, err := c.ovs.Create(&p)
	if err != nil {
		return fmt.Errorf("create port %s: %w", p.Name, err)
	}
	attach, err := c.mutateSwitchPorts(&ls, ovsdb.MutateOperationInsert, p.UUID)
	if err != nil {
		return fmt.Errorf("create port %s: %w", p.Name, err)
	}
	return c.transact(ctx, "create port "+p.Name, append(create, attach...))
}

// UpdatePort writes columns of an existing port; fields are pointers into p, one for each column.
func (c *Client) UpdatePort(ctx context.Context, p *LogicalSwitchPort, fields ...any) error {
	ops, err := c.ovs.Where(&LogicalSwitchPort{UUID: p.UUID}).Update(p, fields...)
	if err != nil {
		return fmt.Errorf("update port %s: %w", p.Name, err)
	}
	return c.transact(ctx, "update port "+p.Name, ops)
}

// DeletePort removes a port from its logical switch, which deletes the row. A port that does not exist is no error.
func (c *Client) DeletePort(ctx context.Context, name string) error {
	p, ok, err := c.Port(ctx, name)
	if err != nil || !ok {
		return err
	}
	var holders []LogicalSwitch
	if err := c.ovs.WhereCache(func(ls *LogicalSwitch) bool { return slices.Contains(ls.Ports, p.UUID) }).
		List(ctx, &holders); err != nil {
		return fmt.Errorf("delete port %s: %w", name, err)
	}
	var ops []ovsdb.Operation
	for i := range holders {
		op, err := c.mutateSwitchPorts(&holders[i], ovsdb.MutateOperationDelete, p.UUID)
		if err != nil {
			return fmt.Errorf("delete port %s: %w", name, err)
		}
		ops = append(ops, op...)
	}
	return c.transact(ctx, "delete port "+name, ops)
}

// EnsureSwitch makes a logical switch with these external_ids if there is none of that name.
func (c *Client) EnsureSwitch(ctx context.Context, name string, externalIDs map[string]string) error {
	if _, ok, err := c.Switch(ctx, name); err != nil || ok {
		return err
	}
	ops, err := c.ovs.Create(&LogicalSwitch{Name: name, ExternalIDs: externalIDs})
	if err != nil {
		return fmt.Errorf("create logical switch %s: %w", name, err)
	}
	return c.transact(ctx, "create logical switch "+name, ops)
}

// DeleteSwitch deletes a logical switch with its ports.
func (c *Client) DeleteSwitch(ctx context.Context, name string) error {
	ls, ok, err := c.Switch(ctx, name)
	if err != nil || !ok {
		return err
	}
	ops, err := c.ovs.Where(&LogicalSwitch{UUID: ls.UUID}).Delete()
	if err != nil {
		return fmt.Errorf("delete logical switch %s: %w", name, err)
	}
	return c.transact(ctx, "delete logical switch "+name, ops)
}

// Router returns the logical router with that name.
func (c *Client) Router(ctx context.Context, name string) (LogicalRouter, bool, error) {
	var list []LogicalRouter
	err := c.ovs.Where(&LogicalRouter{Name: name}).List(ctx, &list)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return LogicalRouter{}, false, fmt.Errorf("logical router %s: %w", name, err)
	}
	if len(list) == 0 {
		return LogicalRouter{}, false, nil
	}
	return list[0], true, nil
}

// EnsureRouter makes a logical router with these external_ids if there is none of that name.
func (c *Client) EnsureRouter(ctx context.Context, name string, externalIDs map[string]string) error {
	c.routers.Lock()
	defer c.routers.Unlock()
	if _, ok, err := c.Router(ctx, name); err != nil || ok {
		return err
	}
	ops, err := c.ovs.Create(&LogicalRouter{Name: name, ExternalIDs: externalIDs})
	if err != nil {
		return fmt.Errorf("create logical router %s: %w", name, err)
	}
	return c.transact(ctx, "create logical router "+name, ops)
}

// DeleteRouter deletes a logical router with its ports.
func (c *Client) DeleteRouter(ctx context.Context, name string) error {
	lr, ok, err := c.Router(ctx, name)
	if err != nil || !ok {
		return err
	}
	ops, err := c.ovs.Where(&LogicalRouter{UUID: lr.UUID}).Delete()
	if err != nil {
		return fmt.Errorf("delete logical router %s: %w", name, err)
	}
	return c.transact(ctx, "delete logical router "+name, ops)
}

// RouterPort returns the Logical_Router_Port with that name.
func (c *Client) RouterPort(ctx context.Context, name string) (LogicalRouterPort, bool, error) {
	p := LogicalRouterPort{Name: name}
	ok, err := found(c.ovs.Get(ctx, &p))
	return p, ok, err
}

// EnsureRouterPort puts a port on a router, or sets the networks of an existing port of that name.
func (c *Client) EnsureRouterPort(ctx context.Context, router string, p LogicalRouterPort) error {
	old, ok, err := c.RouterPort(ctx, p.Name)
	if err != nil {
		return err
	}
	if ok {
		if slices.Equal(sorted(old.Networks), sorted(p.Networks)) {
			return nil
		}
		old.Networks = p.Networks
		ops, err := c.ovs.Where(&LogicalRouterPort{UUID: old.UUID}).Update(&old, &old.Networks)
		if err != nil {
			return fmt.Errorf("update router port %s: %w", p.Name, err)
		}
		return c.transact(ctx, "update router port "+p.Name, ops)
	}
	lr, ok, err := c.Router(ctx, router)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("create router port %s: logical router %s does not exist", p.Name, router)
	}
	p.UUID = "routerport"
	ops, err := c.ovs.Create(&p)
	if err != nil {
		return fmt.Errorf("create router port %s: %w", p.Name, err)
	}
	attach, err := c.ovs.Where(&LogicalRouter{UUID: lr.UUID}).Mutate(&lr, model.Mutation{
		Field: &lr.Ports, Mutator: ovsdb.MutateOperationInsert, Value: []string{p.UUID},
	})
	if err != nil {
		return fmt.Errorf("create router port %s: %w", p.Name, err)
	}
	return c.transact(ctx, "create router port "+p.Name, append(ops, attach...))
}

// DeleteRouterPort removes a port from its router.
func (c *Client) DeleteRouterPort(ctx context.Context, router, name string) error {
	p, ok, err := c.RouterPort(ctx, name)
	if err != nil || !ok {
		return err
	}
	lr, ok, err := c.Router(ctx, router)
	if err != nil || !ok {
		return err
	}
	ops, err := c.ovs.Where(&LogicalRouter{UUID: lr.UUID}).Mutate(&lr, model.Mutation{
		Field: &lr.Ports, Mutator: ovsdb.MutateOperationDelete, Value: []string{p.UUID},
	})
	if err != nil {
		return fmt.Errorf("delete router port %s: %w", name, err)
	}
	return c.transact(ctx, "delete router port "+name, ops)
}

// EnsureDHCP returns the UUID of the DHCP_Options row with these external_ids, after making or updating it.
func (c *Client) EnsureDHCP(ctx context.Context, want DHCPOptions) (string, error) {
	row, ok, err := c.dhcp(ctx, want.ExternalIDs)
	if err != nil {
		return "", err
	}
	if ok {
		if row.CIDR == want.CIDR && maps.Equal(row.Options, want.Options) {
			return row.UUID, nil
		}
		row.CIDR, row.Options = want.CIDR, want.Options
		ops, err := c.ovs.Where(&DHCPOptions{UUID: row.UUID}).Update(&row, &row.CIDR, &row.Options)
		if err != nil {
			return "", fmt.Errorf("update DHCP options of %s: %w", want.CIDR, err)
		}
		return row.UUID, c.transact(ctx, "update DHCP options of "+want.CIDR, ops)
	}
	ops, err := c.ovs.Create(&want)
	if err != nil {
		return "", fmt.Errorf("create DHCP options of %s: %w", want.CIDR, err)
	}
	if err := c.transact(ctx, "create DHCP options of "+want.CIDR, ops); err != nil {
		return "", err
	}
	row, ok, err = c.dhcp(ctx, want.ExternalIDs)
	if err == nil && !ok {
		err = fmt.Errorf("DHCP options of %s vanished right after they were made", want.CIDR)
	}
	return row.UUID, err
}

func (c *Client) dhcp(ctx context.Context, externalIDs map[string]string) (DHCPOptions, bool, error) {
	var list []DHCPOptions
	same := func(d *DHCPOptions) bool { return maps.Equal(d.ExternalIDs, externalIDs) }
	if err := c.ovs.WhereCache(same).List(ctx, &list); err != nil {
		return DHCPOptions{}, false, fmt.Errorf("list DHCP options: %w", err)
	}
	if len(list) == 0 {
		return DHCPOptions{}, false, nil
	}
	return list[0], true, nil
}

func (c *Client) mutateSwitchPorts(ls *LogicalSwitch, how ovsdb.Mutator, port string) ([]ovsdb.Operation, error) {
	ops, err := c.ovs.Where(&LogicalSwitch{UUID: ls.UUID}).Mutate(ls, model.Mutation{
		Field: &ls.Ports, Mutator: how, Value: []string{port},
	})
	if err != nil {
		return nil, fmt.Errorf("ports of logical switch %s: %w", ls.Name, err)
	}
	return ops, nil
}

// transact sends one transaction; what is its name in the error.
func (c *Client) transact(ctx context.Context, what string, ops []ovsdb.Operation) error {
	if len(ops) == 0 {
		return nil
	}
	results, err := c.ovs.Transact(ctx, ops...)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if _, err := ovsdb.CheckOperationResults(results, ops); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// found turns the error of a look-up into whether the row exists, or a real error.
func found(err error) (bool, error) {
	if errors.Is(err, client.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// Sync returns when the cache has everything that was in the database at the time of the call. The server sends all
// pending updates to a client before it answers the client's next transaction.
func (c *Client) Sync(ctx context.Context) error {
	comment := "cache is up to date"
	return c.transact(ctx, "sync", []ovsdb.Operation{{Op: ovsdb.OperationComment, Comment: &comment}})
}
