package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
)

// watching is how a command answers again and again.
type watching struct {
	on    bool
	every time.Duration
}

func (w *watching) addFlags(flags *pflag.FlagSet) {
	flags.BoolVarP(
		&w.on,
		"watch",
		"w",
		false,
		"answer again and again, until the command is interrupted; the exit code is "+
			"that of the last answer",
	)
	flags.DurationVar(&w.every, "interval", 10*time.Second, "with --watch: how long to wait after each answer")
}

// clearScreen has a terminal show nothing but what follows.
const clearScreen = "\x1b[H\x1b[2J"

// lastState is the state of the last answer, which the exit code tells after an interrupt.
type lastState struct{ error }

// Unwrap returns the state.
func (s lastState) Unwrap() error { return s.error }

// run answers once, or with --watch until ctx ends. once must read everything again.
func (w *watching) run(ctx context.Context, out, errs io.Writer, once func(context.Context, io.Writer) error) error {
	if !w.on {
		return once(ctx, out)
	}
	if w.every <= 0 {
		return usage(fmt.Errorf("--interval: %s: must be more than 0", w.every))
	}
	var state error
	for n := 0; ; n++ {
		var text bytes.Buffer
		err := once(ctx, &text)
		if ctx.Err() != nil { // in the middle of an answer
			return ended(state)
		}
		exit, known := errors.AsType[*exitError](err)
		if err != nil && (!known || exit.code == exitUsage) {
			return err
		}
		state = err
		switch {
		case n > 0 && isTerminal(out):
			_, err = fmt.Fprint(out, clearScreen)
		case n > 0 && text.Len() > 0:
			_, err = fmt.Fprintln(out)
		default:
			err = nil
		}
		if err == nil {
			_, err = out.Write(text.Bytes())
		}
		if err != nil {
			return unreachable(fmt.Errorf("write the answer: %w", err))
		}
		if state != nil && state.Error() != "" {
			_, _ = fmt.Fprintln(errs, "ovnguard:", state) // nobody is left to tell
		}
		select {
		case <-ctx.Done():
			return ended(state)
		case <-time.After(w.every):
		}
	}
}

// ended returns the state of the last answer; it was told already.
func ended(state error) error {
	if exit, ok := errors.AsType[*exitError](state); ok {
		return lastState{&exitError{code: exit.code}}
	}
	return nil
}
