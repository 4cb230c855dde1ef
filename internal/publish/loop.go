// Package publish keeps something in the cluster as this program has it: at a steady pace, while the cluster serves it,
// and saying once why it cannot be done.
package publish

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// Loop looks again and again at what there is to write.
type Loop struct {
	// Every is the pause between looks. NotServed takes its place where the cluster does not serve the kind.
	Every, NotServed time.Duration
	// Failing is logged when a look fails, once for each reason, and Works when one succeeds after that.
	Failing, Works string
	Log            logr.Logger

	// reason is why the last look failed; "" where it did not.
	reason string
}

// Run calls look until ctx ends, which is no failure. It is for one replica at a time: several would write the same
// twice, and nothing worse.
func (l *Loop) Run(ctx context.Context, look func(context.Context) error) {
	for ctx.Err() == nil {
		pause := l.Every
		err := look(ctx)
		if ctx.Err() == nil {
			l.tell(err)
		}
		if Unserved(err) {
			pause = l.NotServed
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// tell logs what a look came to, where that is new.
func (l *Loop) tell(err error) {
	switch {
	case err == nil && l.reason != "":
		l.reason = ""
		l.Log.Info(l.Works)
	case err != nil && err.Error() != l.reason:
		l.reason = err.Error()
		l.Log.Info(l.Failing, "reason", l.reason)
	}
}

// Unserved reports whether an error says that the cluster does not serve a kind.
func Unserved(err error) bool {
	if meta.IsNoMatchError(err) {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	// The API server's answer for a path that it does not know names no object.
	return ok && apierrors.IsNotFound(err) && (status.ErrStatus.Details == nil || status.ErrStatus.Details.Name == "")
}
