package discovery

import (
	"context"
	"fmt"
	"strings"
	"time"

	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// refusedFor is how long a refusal of an account of Kube-OVN's is found after the last one.
const refusedFor = 10 * time.Minute

// refusal is what an account was refused, and when.
type refusal struct {
	what string
	at   time.Time
}

// NoteRefusals returns a webhook that reports to k when it refuses an account of Kube-OVN's workloads; label is its
// name in metrics.
func (k *KubeOVN) NoteRefusals(label string, h ctrladmission.Handler) ctrladmission.Handler {
	return refusing{h, k, label}
}

// refusing is a webhook that reports when it refuses an account of Kube-OVN's workloads.
type refusing struct {
	ctrladmission.Handler

	kubeOVN *KubeOVN
	label   string
}

// Handle implements ctrladmission.Handler.
func (r refusing) Handle(ctx context.Context, req ctrladmission.Request) ctrladmission.Response {
	response := r.Handler.Handle(ctx, req)
	dryRun := req.DryRun != nil && *req.DryRun // it must leave nothing behind
	if user := req.UserInfo.Username; !response.Allowed && !dryRun && r.kubeOVN.runs(user) {
		why := "no reason was given"
		if response.Result != nil {
			why = response.Result.Message
		}
		what := req.Resource.Resource
		if req.SubResource != "" {
			what += "/" + req.SubResource
		}
		name := strings.TrimPrefix(req.Namespace+"/"+req.Name, "/")
		r.kubeOVN.tellRefused(
			r.label,
			inventory.Refused{User: user, What: fmt.Sprintf("%s of %s %s", req.Operation, what, name), Why: why},
		)
	}
	return response
}

// tellRefused says at once that an account of Kube-OVN's was refused: by a metric, a finding and an Event.
func (k *KubeOVN) tellRefused(label string, r inventory.Refused) {
	k.refusals.WithLabelValues(r.User, label).Inc()
	k.mu.Lock()
	before, now := k.refused[r.User], time.Now()
	k.refused[r.User] = refusal{r.What, now}
	k.mu.Unlock()
	if before.what == r.What && now.Sub(before.at) < time.Minute {
		return // Kube-OVN tries again and again
	}
	k.log.Info("WARNING: a request of an account of Kube-OVN's workloads was refused; pods may get no network",
		"account", r.User, "request", r.What, "reason", r.Why)
	k.told.Tell(events.Notice{
		Namespace: k.namespace, Action: events.ActionDetect, Reason: events.ReasonKubeOVNRefused, Case: r.User,
		Text: fmt.Sprintf("%s, an account of Kube-OVN's own workloads, was refused %s: %s", r.User, r.What, r.Why),
	})
	k.monitor.Change(func(inv *inventory.Inventory) []string { return inv.SetRefused(r) })
}

// forget ends what is found of accounts that were refused nothing lately.
func (k *KubeOVN) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for user, last := range k.refused {
		if time.Since(last.at) >= refusedFor {
			delete(k.refused, user)
			k.monitor.Change(func(inv *inventory.Inventory) []string { return inv.DeleteRefused(user) })
		}
	}
}
