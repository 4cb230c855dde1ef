package ovn

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-kubernetes/libovsdb/cache"
	"github.com/ovn-kubernetes/libovsdb/client"
	"github.com/ovn-kubernetes/libovsdb/model"
)

func isTLS(endpoint string) bool { return strings.HasPrefix(endpoint, "ssl:") }

// follow makes one connection and follows the database over it until it is lost. It tells whether the database was read.
//
// libovsdb can reconnect by itself, but panics when that fails for too long and says nothing of rows that went away
// meanwhile. So each connection gets a client of its own here, and the mirror compares what it reads with what it had.
func (m *Mirror) follow(ctx context.Context) (synced bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the OVSDB client failed: %v\n%s", r, debug.Stack())
		}
	}()
	dbModel, err := northboundModel()
	if err != nil {
		return false, err
	}
	dirty := newDirty()
	c, err := m.newClient(dbModel, dirty)
	if err != nil {
		return false, err
	}
	dial, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := c.Connect(dial); err != nil {
		return false, fmt.Errorf("connect to %s: %w", m.config.Endpoints, err)
	}
	defer c.Close()
	c.Cache().AddEventHandler(dirty)
	if err := monitorAll(dial, c); err != nil {
		return false, err
	}
	r := reader{cache: c.Cache()}
	dirty.take() // all that is marked so far is in what is read now
	m.replace(r.all())
	m.config.Log.Info("the Northbound database is followed", "endpoint", c.CurrentEndpoint(), "ports", len(m.Ports()))

	probe := time.NewTicker(probeEvery)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return true, ctx.Err()
		case <-c.DisconnectNotify():
			return true, errConnectionLost
		case <-dirty.signal:
			m.apply(&r, dirty)
		case <-probe.C:
			if err := echo(ctx, c); err != nil {
				return true, err
			}
		}
	}
}

func (m *Mirror) newClient(dbModel model.ClientDBModel, dirty *dirty) (client.Client, error) {
	log := logr.New(lossSink{dirty})
	options := []client.Option{client.WithLogger(&log)}
	if len(m.endpoints) > 1 {
		// The client's watch over a cluster's leader never ends, so each lost connection leaves a sleeping goroutine behind.
		// A single server has no leader to lose, and is spared it.
		options = append(options, client.WithLeaderOnly(true))
	}
	for _, e := range m.endpoints {
		options = append(options, client.WithEndpoint(e))
		if isTLS(e) {
			config, err := m.config.TLS.clientConfig()
			if err != nil {
				return nil, err
			}
			options = append(options, client.WithTLSConfig(config))
		}
	}
	c, err := client.NewOVSDBClient(dbModel, options...)
	if err != nil {
		return nil, fmt.Errorf("set up the OVSDB client: %w", err)
	}
	return c, nil
}

// monitorAll has the server send the columns that are modelled, and all changes of them.
func monitorAll(ctx context.Context, c client.Client) error {
	port, logicalSwitch, global := &portRow{}, &switchRow{}, &globalRow{}
	_, err := c.Monitor(ctx, c.NewMonitor(
		client.WithTable(port, &port.Name, &port.Type, &port.Addresses, &port.PortSecurity, &port.ExternalIDs, &port.Enabled),
		client.WithTable(logicalSwitch, &logicalSwitch.Name, &logicalSwitch.Ports),
		client.WithTable(global, &global.Options),
	))
	if err != nil {
		return fmt.Errorf("follow the Northbound database: %w", err)
	}
	return nil
}

func echo(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if err := c.Echo(ctx); err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	return nil
}

// apply takes over the rows that changed. Events only name them; their content is read from the client's cache, so that it
// does not matter how many events there were.
func (m *Mirror) apply(r *reader, dirty *dirty) {
	rows, lost := dirty.take()
	if lost {
		m.config.Log.Info("the OVSDB client dropped events; everything is read again")
		m.replace(r.all())
		return
	}
	touched := make(map[string]bool)
	for row := range rows {
		switch row.table {
		case portTable:
			touched[row.uuid] = true
		case switchTable:
			for uuid := range r.readSwitch(row.uuid) {
				touched[uuid] = true
			}
		case globalTable:
			m.setVersion(r.version())
		}
	}
	for uuid := range touched {
		m.update(uuid, r.port(uuid))
	}
}

// reader reads rows out of the client's cache.
type reader struct {
	cache *cache.TableCache
	// switchOf gives the name of the switch that holds a port, by UUIDs.
	switchOf map[string]string
	// members gives the ports of a switch with the switch's name, by UUIDs.
	members map[string]map[string]string
}

// all reads everything.
func (r *reader) all() (ports map[string]*Port, version string) {
	r.switchOf, r.members = make(map[string]string), make(map[string]map[string]string)
	for uuid := range r.cache.Table(switchTable).RowsShallow() {
		r.readSwitch(uuid)
	}
	ports = make(map[string]*Port)
	for uuid, row := range r.cache.Table(portTable).Rows() {
		if p, ok := row.(*portRow); ok {
			ports[uuid] = p.port(r.switchOf[uuid])
		}
	}
	return ports, r.version()
}

// readSwitch reads one switch anew and gives the ports that came to it or left it. A switch may hold thousands, and each
// new port is a change of the switch, so the others are not touched.
func (r *reader) readSwitch(uuid string) map[string]bool {
	touched := make(map[string]bool)
	before := r.members[uuid]
	var now map[string]string
	if row, ok := r.cache.Table(switchTable).Row(uuid).(*switchRow); ok && row != nil {
		now = make(map[string]string, len(row.Ports))
		for _, port := range row.Ports {
			now[port] = row.Name
		}
	}
	for port, name := range before {
		// A port that moved may have been seen on its new switch already.
		if _, stays := now[port]; !stays && r.switchOf[port] == name {
			delete(r.switchOf, port)
			touched[port] = true
		}
	}
	for port, name := range now {
		if r.switchOf[port] != name {
			r.switchOf[port] = name
			touched[port] = true
		}
	}
	r.members[uuid] = now
	return touched
}

// port reads one port; nil where it is gone.
func (r *reader) port(uuid string) *Port {
	row, ok := r.cache.Table(portTable).Row(uuid).(*portRow)
	if !ok || row == nil {
		return nil
	}
	return row.port(r.switchOf[uuid])
}

// version gives the release out of what ovn-northd writes, such as "23.03.1-20.27.0-70.6".
func (r *reader) version() string {
	for _, row := range r.cache.Table(globalTable).RowsShallow() {
		if g, ok := row.(*globalRow); ok {
			release, _, _ := strings.Cut(g.Options["northd_internal_version"], "-")
			return release
		}
	}
	return ""
}
