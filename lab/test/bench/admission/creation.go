package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// How pods are created.
const (
	creationRounds = 16 // and twice as many where there is a bar
	creationTime   = 4 * time.Second
	// creationSwap is how often the two sides exchange their cores, an even number of times in a round.
	creationSwap = creationTime / 8
	// creationFirst is the time for creating pods before the rounds, which fills caches; creationRest is the time for the
	// remaining work on created pods.
	creationFirst = 3 * time.Second
	creationRest  = 250 * time.Millisecond
)

// setting is the part between a request and the store of a place.
type setting struct {
	name string
	// begin starts it, with the program at this path.
	begin func(p *place, ctx context.Context, program string) error
	// strict reports whether pods get port_security.
	strict bool
}

// Settings.
var (
	nothing  = setting{name: "nothing", begin: func(*place, context.Context, string) error { return nil }}
	peer     = setting{name: "a bare webhook that writes the same patch", begin: (*place).registerBare, strict: true}
	webhooks = setting{name: "ovnguard's webhooks", begin: guarded(), strict: true}
	policies = setting{name: "the policies in the API server alone", begin: (*place).policiesAlone, strict: true}
	both     = setting{name: "policies and webhooks", begin: guarded("--admission-policies"), strict: true}
	least    = setting{
		name:   "a policy in the API server that sets one annotation",
		begin:  (*place).registerLeast,
		strict: true,
	}
)

// creations measures pod creations per second through the API server in each setting.
func creations(ctx context.Context, program string) ([]row, error) {
	// Each side has one core, and a Go process that starts there would see only that one.
	if err := os.Setenv("GOMAXPROCS", "1"); err != nil {
		return nil, err
	}
	var table []row
	for _, pair := range []struct {
		ours, theirs setting
		bar          float64
	}{
		{peer, nothing, 0},
		{webhooks, peer, webhookBar},
		{both, least, policyBar},
		{policies, least, 0},
		{least, nothing, 0},
		{both, nothing, 0},
	} {
		rounds := creationRounds
		if pair.bar > 0 {
			rounds *= 2
		}
		ours, theirs, err := sideBySide(ctx, program, rounds, pair.ours, pair.theirs)
		if err != nil {
			return nil, fmt.Errorf("%s beside %s: %w", pair.ours.name, pair.theirs.name, err)
		}
		table = append(table, compare("pod creations with "+pair.ours.name, pair.theirs.name, ours, theirs, pair.bar))
	}
	return table, nil
}

// sideBySide returns the rates of two settings. Each has a place of its own, and pods are created in both at the same
// time, with all processes of one on one core and all of the other on another, and the cores are exchanged all the
// time: the other load of the machine changes from second to second and from core to core, and so it affects both
// equally.
func sideBySide(ctx context.Context, program string, rounds int, a, b setting) (ratesA, ratesB rates, err error) {
	progress("pod creations with %s beside %s: getting ready", a.name, b.name)
	cores, err := cores()
	if err != nil {
		return nil, nil, err
	}
	sides := []*side{{setting: a}, {setting: b}}
	defer func() {
		for _, s := range sides {
			if s.place != nil {
				err = errors.Join(err, s.place.close())
			}
		}
	}()
	if err := together(sides, func(s *side) error { return s.begin(ctx, program) }); err != nil {
		return nil, nil, err
	}
	for round := range rounds {
		progress("pod creations, round %d of %d", round+1, rounds)
		if err := makeRound(ctx, sides, cores); err != nil {
			return nil, nil, err
		}
		if err := wait(ctx, creationRest); err != nil {
			return nil, nil, err
		}
	}
	if err := together(sides, func(s *side) error { return s.check(ctx) }); err != nil {
		return nil, nil, err
	}
	return sides[0].rates[1:], sides[1].rates[1:], nil // without the first one, which filled the caches
}

// makeRound creates pods in both places.
func makeRound(ctx context.Context, sides []*side, cores [2]int) error {
	var running [2][]int
	for i, s := range sides {
		var err error
		if running[i], err = s.place.processes(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	swapped := make(chan error, 1)
	go func() {
		var errs []error
		for n := 0; ctx.Err() == nil; n++ {
			for i := range sides {
				errs = append(errs, keepTo(running[i], cores[(i+n)%2]))
			}
			_ = wait(ctx, creationSwap) // the end of the wait ends the round
		}
		swapped <- errors.Join(errs...)
	}()
	err := together(sides, func(s *side) error { return s.makePods(creationTime) })
	cancel()
	return errors.Join(err, <-swapped)
}

// together calls do for both sides at the same time.
func together(sides []*side, do func(*side) error) error {
	errs := make([]error, len(sides))
	var wg sync.WaitGroup
	for i, s := range sides {
		wg.Go(func() {
			if err := do(s); err != nil {
				errs[i] = fmt.Errorf("%s: %w", s.name, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// wait waits, unless somebody ends the program meanwhile.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
