package ovn

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// The mirror gives up a server that sends bytes without a whole message, although it is never silent. A stream looks
// like that after the quote at the end of a string was lost.
func TestNothingWholeIsGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		begin, more string
		want        error
	}{
		"string without end": {begin: `{"id":1,"result":"`, more: `abc`, want: errMute},
		"control byte":       {begin: `{"id":1,"result":"` + "\x00", more: `abc`, want: errJSON},
		"nothing":            {want: errSilent},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				const probe = 5 * time.Second
				s := &session{mirror: &Mirror{config: Config{Probe: probe}}}
				s.conn = newConn(ours, func(string, []byte) error { return nil })
				ctx, stop := context.WithTimeout(t.Context(), time.Hour)
				defer stop()
				said := make(chan struct{})
				go func() {
					defer close(said)
					if c.begin == "" {
						return
					}
					_, err := io.WriteString(theirs, c.begin)
					for err == nil {
						time.Sleep(100 * time.Millisecond)
						_, err = io.WriteString(theirs, c.more)
					}
				}()
				heard := make(chan struct{})
				go func() {
					defer close(heard)
					_, _ = io.Copy(io.Discard, theirs) // the probes
				}()
				err := s.alive(ctx, probe, nil)
				if !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
				s.conn.close(err)
				_ = theirs.Close() // closes both ends
				<-said
				<-heard
			})
		})
	}
}

// The mirror follows a server for as long as it sends whole messages, without needing a probe.
func TestBusyServerIsNotGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		const probe = 5 * time.Second
		s := &session{mirror: &Mirror{config: Config{Probe: probe}}}
		s.conn = newConn(ours, func(string, []byte) error { return nil })
		said := make(chan struct{})
		go func() {
			defer close(said)
			for {
				if _, err := io.WriteString(theirs, `{"id":null,"method":"update3","params":[]}`); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		ctx, stop := context.WithTimeout(t.Context(), 3*messageProbes*probe)
		defer stop()
		if err := s.alive(ctx, probe, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want none before the time is over", err)
		}
		s.conn.close(nil)
		_ = theirs.Close() // closes both ends
		<-said
	})
}
