package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/test/kubeovndb"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// makerSubject writes a database file in a process of its own, so that its memory counts for no measured program: a
// started program has its parent's peak as its own.
type makerSubject struct {
	path string
	make func(path, schema string) error
}

func (s *makerSubject) sync(context.Context) error {
	return s.make(s.path, ovsdbserver.NorthboundSchema)
}

func (s *makerSubject) watch(context.Context, int, func()) ([]time.Duration, error) {
	return nil, errors.ErrUnsupported
}

func (s *makerSubject) lookups() ([]time.Duration, error) { return nil, errors.ErrUnsupported }

// fileSubject reads a database file instead of a server.
type fileSubject struct {
	db   kubeovndb.Database
	path string
}

func (s *fileSubject) sync(context.Context) error {
	data, err := os.ReadFile(s.path)
	if err != nil {
		return fmt.Errorf("read the file: %w", err)
	}
	d, err := dbfile.Read(string(data))
	if err != nil {
		return err
	}
	some := s.db.Port(s.db.Ports - 1)
	row := d.Rows("Logical_Switch_Port")[some.UUID]
	if d.Loss != nil || len(d.Rows("Logical_Switch_Port")) < s.db.Ports || row == nil ||
		row.String("name") != some.Name {
		return fmt.Errorf("%s: %d ports, loss %v", s.path, len(d.Rows("Logical_Switch_Port")), d.Loss)
	}
	return nil
}

func (s *fileSubject) watch(context.Context, int, func()) ([]time.Duration, error) {
	return nil, errors.ErrUnsupported
}

func (s *fileSubject) lookups() ([]time.Duration, error) { return nil, errors.ErrUnsupported }
