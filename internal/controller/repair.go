package controller

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/audit"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/feed"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/publish"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/repair/apply"
	"github.com/ovnguard/ovnguard/portsec"
)

// RepairOptions bound what repair does.
type RepairOptions struct {
	// Enabled is false where nothing is ever changed, whatever policies say.
	Enabled bool
	// Rate is how many ports are changed each second, and at most twice as many at once.
	Rate int
	// Percent of all ports, and at least Floor ports, may change within ten minutes without a human's confirmation.
	Percent, Floor int
}

// BrakeWindow is the time in which ports are counted that change.
const BrakeWindow = 10 * time.Minute

// newRepairer returns what puts ports right by what the monitor says, while both sides are followed.
func newRepairer(
	o Options,
	live client.Client,
	queue *apply.Queue,
	m *monitor.Monitor,
	f *feed.Feed,
	told *events.Book,
	log logr.Logger,
) (*apply.Repairer, error) {
	counts, err := apply.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("tell this replica from others: %w", err)
	}
	return &apply.Repairer{
		Queue:   queue,
		Monitor: m,
		Mirror:  f.Northbound(),
		Pods:    live,
		Journal: &journal.Journal{Client: live, Namespace: o.Namespace, By: host, Now: time.Now},
		Eras:    m.Eras,
		Current: f.Current,
		Confirmed: func(ctx context.Context) time.Time {
			until, err := Confirmed(ctx, live, o.Namespace)
			if err != nil {
				log.Info("could not read whether a human has confirmed", "reason", err.Error())
			}
			return until
		},
		Brake:   repair.Brake{Percent: o.Repair.Percent, Floor: o.Repair.Floor, Window: BrakeWindow},
		Rate:    rate.NewLimiter(rate.Limit(o.Repair.Rate), 2*max(o.Repair.Rate, apply.Batch)),
		Log:     log,
		Metrics: counts,
		Held:    func(text string) { told.Tell(heldNotice(o.Namespace, text)) },
		Wrote: func(before *inventory.Port, change *journal.Entry) {
			told.Repaired(aboutPort(before), before.Pod.UID, repairOf(before, m.Eras(), change))
		},
		Now: time.Now,
	}, nil
}

// The ConfigMap by which a human confirms that many ports may change.
const (
	ConfirmationName = "ovnguard-repair"
	ConfirmationKey  = "confirmedUntil"
)

// Confirmed returns until when a human lets more ports change than the brake does; zero where nobody does.
func Confirmed(ctx context.Context, c client.Reader, namespace string) (time.Time, error) {
	var o corev1.ConfigMap
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ConfirmationName}, &o); err != nil {
		return time.Time{}, client.IgnoreNotFound(err)
	}
	if o.Data[ConfirmationKey] == "" {
		return time.Time{}, nil
	}
	until, err := time.Parse(time.RFC3339, o.Data[ConfirmationKey])
	if err != nil {
		return time.Time{}, fmt.Errorf(
			"ConfigMap %s/%s: data.%s: %w",
			namespace,
			ConfirmationName,
			ConfirmationKey,
			err,
		)
	}
	return until, nil
}

// heldNotice returns what is told in the program's namespace when changes wait for a human, and with "" when none does
// any more.
func heldNotice(namespace, text string) events.Notice {
	n := events.Notice{Namespace: namespace, Action: events.ActionRepair, Reason: events.ReasonRepairHeld, Text: text}
	if text == "" {
		n.Reason, n.Good, n.Text = events.ReasonRepairGoesOn, true, "no change of repair waits for a human any more"
	}
	return n
}

// aboutPort returns a finding that only names the port.
func aboutPort(p *inventory.Port) audit.Finding {
	return audit.Finding{Port: p.Name, Namespace: p.Pod.Namespace, Pod: p.Pod.Name, Provider: p.Provider}
}

// repairOf describes a change that repair made to a port. before is the port before the change, eras are those that may
// enforce.
func repairOf(before *inventory.Port, eras []portsec.Era, change *journal.Entry) events.Repair {
	out := events.Repair{Wrote: "row"}
	for _, f := range audit.Evaluate(*before, eras).Findings {
		if f.Rule.Severity != audit.Info {
			out.Rules = append(out.Rules, f.Rule.ID)
		}
	}
	var parts []string
	say := func(what, was, is string) {
		parts = append(parts, fmt.Sprintf("%s from %s to %s", what, publish.Shorten(was, valueLimit),
			publish.Shorten(is, valueLimit)))
	}
	for _, key := range slices.Sorted(maps.Keys(change.After.Annotations)) {
		out.Wrote = "annotation"
		if key != policy.RecordAnnotation {
			say("annotation "+key, orNone(change.Before.Annotations[key]), orNone(change.After.Annotations[key]))
		}
	}
	column := func(name string, was, is *[]string) {
		if was != nil && is != nil {
			say(name, fmt.Sprintf("%q", *was), fmt.Sprintf("%q", *is))
		}
	}
	column("port_security", change.Before.PortSecurity, change.After.PortSecurity)
	column("addresses", change.Before.Addresses, change.After.Addresses)
	if change.After.ExternalIDs != nil {
		parts = append(parts, "external_ids as Kube-OVN writes them")
	}
	out.Text = "ovnguard changed " + strings.Join(
		parts,
		", ",
	) + ", as decided by " + admission.PolicyTitle(
		before.Decision.Policy,
	)
	return out
}

// valueLimit is how many bytes of one value an Event has.
const valueLimit = 160

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return strconv.Quote(value)
}
