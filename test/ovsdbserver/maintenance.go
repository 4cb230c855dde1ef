package ovsdbserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// Compact makes the server write its database file again, without the history.
func (s *Server) Compact(ctx context.Context) error {
	_, err := s.Control(ctx, "ovsdb-server/compact")
	return err
}

// Backup writes the server's rows to a file, as a database of a single server.
func (s *Server) Backup(ctx context.Context, database, file string) error {
	out, err := Tool(ctx, "ovsdb-client", "backup", s.Endpoint(), database)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// Restore replaces all rows of the server by a backup. Every row gets a new UUID.
func (s *Server) Restore(ctx context.Context, database, file string) error {
	backup, err := os.Open(filepath.Clean(file))
	if err != nil {
		return fmt.Errorf("read the backup: %w", err)
	}
	defer func() { _ = backup.Close() }() // it was only read
	cmd := exec.CommandContext(ctx, "ovsdb-client", "restore", s.Endpoint(), database)
	cmd.Stdin = backup
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ovsdb-client restore: %w: %s", err, out)
	}
	return nil
}

// Convert makes the server convert to another schema while it runs.
func (s *Server) Convert(ctx context.Context, schema string) error {
	_, err := Tool(ctx, "ovsdb-client", "convert", s.Endpoint(), schema)
	return err
}

// Replace stops the server, if it runs, and starts it again with a copy of another database file.
func (s *Server) Replace(ctx context.Context, file string) error {
	s.Kill()
	if err := s.remove(); err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return fmt.Errorf("read the database file: %w", err)
	}
	if err := os.WriteFile(s.File, data, 0o600); err != nil {
		return fmt.Errorf("write the database file: %w", err)
	}
	return s.Start(ctx)
}

// remove removes the database file, and the lock that a killed server leaves next to it.
func (s *Server) remove() error {
	if s.cmd != nil {
		return errors.New("the server runs")
	}
	lock := filepath.Join(filepath.Dir(s.File), "."+filepath.Base(s.File)+".~lock~")
	for _, path := range []string{s.File, lock} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the old database: %w", err)
		}
	}
	return nil
}
