package ovsdbserver

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// raftPort is where the servers of a cluster talk to each other, each in its own network namespace.
const raftPort = "6643"

// Cluster is a RAFT cluster of real servers. They talk to each other over a network of their own, which can be cut, and
// to clients over unix sockets, which cannot.
type Cluster struct {
	// Servers are the members, in the order in which they joined.
	Servers []*Server
	// Database is the name of the database that all of them serve.
	Database string

	dir     string
	network *network
}

// CreateCluster makes a cluster of an even or odd number of servers and starts it. contents is a schema, or a database
// file of a single server such as `ovsdb-client backup` writes. The cluster must be closed.
func CreateCluster(ctx context.Context, dir, contents string, servers int) (*Cluster, error) {
	c := &Cluster{dir: dir}
	var err error
	if c.network, err = newNetwork(ctx, servers); err != nil {
		return nil, err
	}
	for i := range servers {
		name := "s" + strconv.Itoa(i+1)
		s := New(dir, name, filepath.Join(dir, name+".db"))
		s.enter = c.network.hosts[i].enter()
		c.Servers = append(c.Servers, s)
	}
	if err := c.Found(ctx, contents); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Found makes the cluster again from contents, in place of the old one, and starts all servers. None may run.
func (c *Cluster) Found(ctx context.Context, contents string) error {
	first := c.Servers[0]
	for _, s := range c.Servers {
		if err := s.remove(); err != nil {
			return err
		}
	}
	if _, err := Tool(ctx, "ovsdb-tool", "create-cluster", first.File, contents, c.address(0)); err != nil {
		return err
	}
	name, err := Tool(ctx, "ovsdb-tool", "db-name", first.File)
	if err != nil {
		return err
	}
	c.Database = strings.TrimSpace(name)
	for i, s := range c.Servers {
		if i > 0 {
			if _, err := Tool(
				ctx,
				"ovsdb-tool",
				"join-cluster",
				s.File,
				c.Database,
				c.address(i),
				c.address(0),
			); err != nil {
				return err
			}
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
		// One at a time: the next one joins a complete cluster.
		if err := c.waitRole(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) address(i int) string { return "tcp:" + c.network.address(i) + ":" + raftPort }

// Close ends all servers and their network.
func (c *Cluster) Close() {
	for _, s := range c.Servers {
		s.Kill()
	}
	c.network.close()
}

// Endpoints returns the servers' unix sockets as a comma list.
func (c *Cluster) Endpoints() string {
	all := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		all[i] = s.Endpoint()
	}
	return strings.Join(all, ",")
}

// waitRole waits until a server is a member and knows its leader.
func (c *Cluster) waitRole(ctx context.Context, s *Server) error {
	return within(ctx, s.name+" to be a member of the cluster", func() bool {
		status, err := c.Status(ctx, s)
		return err == nil && status["Status"] == "cluster member" && status["Leader"] != "" &&
			status["Leader"] != "unknown"
	})
}

// Status returns a server's report about its cluster, by the words of `ovs-appctl cluster/status`.
func (c *Cluster) Status(ctx context.Context, s *Server) (map[string]string, error) {
	out, err := s.Control(ctx, "cluster/status", c.Database)
	if err != nil {
		return nil, err
	}
	status := make(map[string]string)
	for line := range strings.Lines(out) {
		if key, value, found := strings.Cut(line, ": "); found {
			status[key] = strings.TrimSpace(value)
		}
	}
	return status, nil
}

// Leader waits until one of the given servers leads the cluster, and returns it. All are asked if none is given.
// Servers that do not run are not asked.
func (c *Cluster) Leader(ctx context.Context, among ...*Server) (leader *Server, err error) {
	if len(among) == 0 {
		among = c.Servers
	}
	err = within(ctx, "a leader", func() bool {
		for _, s := range among {
			if s.cmd == nil {
				continue
			}
			if status, err := c.Status(ctx, s); err == nil && status["Role"] == "leader" {
				leader = s
				return true
			}
		}
		return false
	})
	return leader, err
}

// Others returns the members without some of them.
func (c *Cluster) Others(without ...*Server) []*Server {
	return slices.DeleteFunc(slices.Clone(c.Servers), func(s *Server) bool { return slices.Contains(without, s) })
}

// MoveLeadership makes the leader hand over to another member, and returns the new leader.
func (c *Cluster) MoveLeadership(ctx context.Context) (*Server, error) {
	old, err := c.Leader(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.Fail(ctx, old, "transfer-leadership"); err != nil {
		return nil, err
	}
	return c.Leader(ctx, c.Others(old)...)
}

// Fail starts one of ovsdb-server's built-in failures, such as "crash-before-sending-append-request" or
// "stop-raft-rpc"; `ovs-appctl cluster/failure-test` has their names.
func (c *Cluster) Fail(ctx context.Context, s *Server, scenario string) error {
	_, err := s.Control(ctx, "cluster/failure-test", scenario)
	return err
}

// Cut takes servers off the cluster's network: their traffic with each other is lost without a notice.
func (c *Cluster) Cut(ctx context.Context, servers ...*Server) error {
	return c.each(servers, func(i int) error { return c.network.cut(ctx, i) })
}

// Join undoes Cut.
func (c *Cluster) Join(ctx context.Context, servers ...*Server) error {
	return c.each(servers, func(i int) error { return c.network.join(ctx, i) })
}

func (c *Cluster) each(servers []*Server, do func(int) error) error {
	for _, s := range servers {
		i := slices.Index(c.Servers, s)
		if i < 0 {
			return errors.New("the server is not of this cluster")
		}
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// within waits until a condition holds.
func within(ctx context.Context, what string, holds func() bool) error {
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		if holds() {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("waited %s for %s", startTimeout, what)
}
