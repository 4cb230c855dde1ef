package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// settles is how long what has just started is left alone until it is measured.
const settles = 5 * time.Second

// keepStore ends the API server and keeps what its store holds, for creationRate to begin with.
func (b *bench) keepStore() error {
	if err := b.scene.Lab.KillComponent(controlplane.APIServer); err != nil {
		return err
	}
	return os.CopyFS(b.kept, os.DirFS(b.store))
}

// creationRate gives creations per second in a setting, with an API server that has just started and the store as it was kept: one that
// has held more objects takes longer for each, and who comes later would pay for who came before.
func (b *bench) creationRate(ctx context.Context, s *setting) (float64, error) {
	fail := func(err error) (float64, error) { return 0, fmt.Errorf("%s: %w", s.name, err) }
	if err := b.restartServer(ctx); err != nil {
		return fail(err)
	}
	if err := s.begin(ctx); err != nil {
		return fail(err)
	}
	select {
	case <-ctx.Done():
		return fail(ctx.Err())
	case <-time.After(settles):
	}
	rate, err := b.create(ctx, s)
	if err := errors.Join(err, b.stopGuard(), b.scene.Lab.KillComponent(controlplane.APIServer)); err != nil {
		return fail(err)
	}
	return rate, nil
}

// restartServer starts the API server with the store as it was kept.
func (b *bench) restartServer(ctx context.Context) error {
	if err := os.RemoveAll(b.store); err != nil {
		return err
	}
	if err := os.CopyFS(b.store, os.DirFS(b.kept)); err != nil {
		return err
	}
	return b.scene.Lab.RestartComponent(ctx, controlplane.APIServer)
}
