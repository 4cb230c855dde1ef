package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/leader"
)

// Bounds of what clocks may differ.
const (
	clockWarns = 5 * time.Second
	clockFails = time.Minute
)

// Times of looking at the Lease: a leader renews it every second.
const (
	renewWait = 4 * time.Second
	renewLook = 250 * time.Millisecond
)

// clock is how far another machine's clock is ahead of this one's, and by how much that may be wrong.
type clock struct{ ahead, doubt time.Duration }

// clockBetween returns the clock that showed a time at some moment between two of this machine's.
func clockBetween(shown, from, to time.Time) clock {
	half := to.Sub(from) / 2
	return clock{shown.Sub(from.Add(half)), half}
}

// minus returns how far the clock is ahead of another one.
func (c clock) minus(other clock) clock { return clock{c.ahead - other.ahead, c.doubt + other.doubt} }

// differs returns by how much the clocks differ at least.
func (c clock) differs() time.Duration { return max(c.ahead.Abs()-c.doubt, 0) }

// String says by how much the clock differs.
func (c clock) String() string {
	way := "ahead of"
	if c.ahead < 0 {
		way = "behind"
	}
	return c.ahead.Abs().Round(time.Second).String() + " " + way
}

// clocks checks this machine's clock, and that of the replica that leads, against the API server's.
func (o *doctorOptions) clocks(ctx context.Context, d *diagnosis) error {
	config, err := o.rest()
	if err != nil {
		return err
	}
	server, err := serverClock(ctx, config)
	if err != nil {
		d.add("clocks", unmade, "", "the API server does not say what time it is: %v", err)
		return nil
	}
	d.ownClock(server)
	replica, at, err := leaderClock(ctx, config, o.program)
	if err != nil {
		d.add("clocks", warn, "", "the clock of the controller is not known: %v", err)
		return nil
	}
	d.leaderClock(replica, at.minus(server))
	return nil
}

// ownClock notes what the API server's clock, as seen from this machine, says of this machine's.
func (d *diagnosis) ownClock(server clock) {
	own := clock{-server.ahead, server.doubt}
	d.clock(
		own,
		"this machine's clock agrees with that of the API server",
		fmt.Sprintf(
			"this machine's clock is %s that of the API server: what the commands judge by time is wrong here, "+
				"such as which exceptions have ended",
			own,
		),
		"set this machine's clock by NTP",
	)
}

// leaderClock notes by how much the clock of the replica that leads differs from the API server's.
func (d *diagnosis) leaderClock(replica string, c clock) {
	d.clock(
		c,
		"the clock of the controller agrees with that of the API server",
		fmt.Sprintf(
			"the clock of the controller is %s that of the API server, at replica %s: exceptions end or begin to "+
				"count at the wrong time, and certificates that are valid may count as ended or as not yet valid",
			c,
			replica,
		),
		"set the clocks of all nodes by NTP",
	)
}

// clock notes a comparison of two clocks.
func (d *diagnosis) clock(c clock, agrees, differs, fix string) {
	switch by := c.differs(); {
	case by > clockFails:
		d.add("clocks", fail, fix, "%s", differs)
	case by > clockWarns:
		d.add("clocks", warn, fix, "%s", differs)
	default:
		d.add("clocks", pass, "", "%s", agrees)
	}
}

// roundTrip is a function as an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serverClock returns the clock of the API server, as its header Date shows it in whole seconds.
func serverClock(ctx context.Context, config *rest.Config) (clock, error) {
	var date string
	var from, to time.Time
	at := rest.CopyConfig(config)
	at.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			from = time.Now()
			answer, err := next.RoundTrip(r)
			if to = time.Now(); err == nil {
				date = answer.Header.Get("Date")
			}
			return answer, err
		})
	})
	client, err := discovery.NewDiscoveryClientForConfig(at)
	if err != nil {
		return clock{}, err
	}
	if _, err := client.RESTClient().Get().AbsPath("/version").DoRaw(ctx); err != nil {
		return clock{}, err
	}
	shown, err := http.ParseTime(date)
	if err != nil {
		return clock{}, fmt.Errorf("header Date: %q: %w", date, err)
	}
	const half = time.Second / 2
	c := clockBetween(shown.Add(half), from, to)
	return clock{c.ahead, c.doubt + half}, nil
}

// leaderClock returns the clock of the replica that leads, as it renews the Lease in the namespace of the program.
func leaderClock(ctx context.Context, config *rest.Config, namespace string) (replica string, c clock, err error) {
	before, first := time.Now(), time.Time{}
	for end := before.Add(renewWait); ; {
		held, err := leader.ReadHolder(ctx, config, namespace)
		now := time.Now()
		switch {
		case apierrors.IsNotFound(err):
			return "", clock{}, fmt.Errorf("no replica has led in namespace %s (--program-namespace)", namespace)
		case apierrors.IsForbidden(err):
			return "", clock{}, fmt.Errorf("it takes the right to get leases in namespace %s: %w", namespace, err)
		case err != nil:
			return "", clock{}, err
		case held.Identity == "":
			return "", clock{}, errors.New("no replica leads now")
		case first.IsZero():
			first = held.Renewed
		case !held.Renewed.Equal(first):
			return held.Identity, clockBetween(held.Renewed, before, now), nil
		}
		if now.After(end) {
			return "", clock{}, errors.New("no replica leads now: the last one does not renew the Lease")
		}
		before = now
		select {
		case <-ctx.Done():
			return "", clock{}, ctx.Err()
		case <-time.After(renewLook):
		}
	}
}
