package leader

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// Labels of the Lease, which name the build of the replica that leads.
const (
	labelVersion = "app.kubernetes.io/version"
	labelCommit  = "ovnguard.io/commit"
	labelDate    = "ovnguard.io/commit-date"
)

// labelTime is how a time is written in a label, which has no colons.
const labelTime = "20060102T150405Z"

// Build names the build of a replica. Fields are empty where they are not known.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	// Date is that of the commit, in RFC 3339.
	Date string `json:"date"`
}

// labels returns the labels of the Lease. The API server would refuse a Lease with a label that it does not allow, so
// that no replica could lead; such a value is left out.
func (b Build) labels() map[string]string {
	date := ""
	if at, err := time.Parse(time.RFC3339, b.Date); err == nil {
		date = at.UTC().Format(labelTime)
	}
	out := map[string]string{labelVersion: b.Version, labelCommit: b.Commit, labelDate: date}
	for name, value := range out {
		if len(validation.IsValidLabelValue(value)) > 0 {
			out[name] = ""
		}
	}
	return out
}

// buildOf returns what the labels of a Lease say.
func buildOf(labels map[string]string) Build {
	out := Build{Version: labels[labelVersion], Commit: labels[labelCommit]}
	if at, err := time.Parse(labelTime, labels[labelDate]); err == nil {
		out.Date = at.Format(time.RFC3339)
	}
	return out
}

// Holder is the replica that the Lease names.
type Holder struct {
	// Identity is empty where the last leader gave the Lease up.
	Identity string
	Build    Build
	Renewed  time.Time
}

// Leads reports whether the replica leads at this time. Clocks of two machines may differ by a minute.
func (h Holder) Leads(now time.Time) bool {
	return h.Identity != "" && now.Before(h.Renewed.Add(leaseDuration+time.Minute))
}

// ReadHolder returns the replica that the Lease in the namespace names. The error is that of the API server: not found
// where no replica has ever led.
func ReadHolder(ctx context.Context, config *rest.Config, namespace string) (Holder, error) {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Holder{}, fmt.Errorf("connect to the API server: %w", err)
	}
	lease, err := clients.CoordinationV1().Leases(namespace).Get(ctx, LeaseName, metav1.GetOptions{})
	if err != nil {
		return Holder{}, err
	}
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&lease.Spec)
	return Holder{record.HolderIdentity, buildOf(lease.Labels), record.RenewTime.Time}, nil
}
