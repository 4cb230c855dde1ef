// Package publish keeps objects in the cluster as this program wants them: at a steady pace, while the cluster serves
// their kind. It logs once why that fails.
package publish

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
)

// Loop calls a function again and again that writes what has changed.
type Loop struct {
	// Every is the pause between looks; NotServed is the pause while the cluster does not serve the kind.
	Every, NotServed time.Duration
	// Failing is logged when a look fails, once for each reason, and Works when one succeeds after that.
	Failing, Works string
	Log            logr.Logger

	// reason is why the last look failed; "" where it did not.
	reason string
}

// Run calls look until ctx ends, which is no failure. It is for one replica at a time: several would only write the
// same twice.
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

// tell logs the result of a look, if it is new.
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

// Unserved reports whether an error means that the cluster does not serve a kind.
func Unserved(err error) bool {
	if meta.IsNoMatchError(err) {
		return true
	}
	status, ok := errors.AsType[*apierrors.StatusError](err)
	// The API server's answer for an unknown path names no object.
	return ok && apierrors.IsNotFound(err) && (status.ErrStatus.Details == nil || status.ErrStatus.Details.Name == "")
}
