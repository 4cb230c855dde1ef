package publish

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A reason is logged once, and again when it comes again. A recovery is logged, too; the end is no failure.
func TestLoopSaysOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var logged []string
	bad, worse := errors.New("no way there"), errors.New("no right")
	looks := []error{bad, bad, worse, nil, nil, bad, context.Canceled}
	loop := Loop{
		Every: time.Millisecond, NotServed: time.Hour, Failing: "it fails", Works: "it works",
		Log: funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}),
	}
	loop.Run(ctx, func(context.Context) error {
		err := looks[0]
		if looks = looks[1:]; len(looks) == 0 {
			cancel()
		}
		return err
	})
	want := []string{"no way there", "no right", "it works", "no way there"}
	if !slices.EqualFunc(logged, want, strings.Contains) {
		t.Errorf("logged %q, want %q", logged, want)
	}
}

// The answer for a kind that is no longer served is distinguished from the answer for an object that no longer exists.
func TestUnserved(t *testing.T) {
	resource := schema.GroupResource{Group: "openreports.io", Resource: "reports"}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the kind is not served": {&meta.NoKindMatchError{}, true},
		"the path is not known": {
			apierrors.NewGenericServerResponse(404, "get", resource, "", "404 page not found", 0, true), true,
		},
		"the object is not there": {apierrors.NewNotFound(resource, "ovnguard"), false},
		"forbidden":               {apierrors.NewForbidden(resource, "ovnguard", errors.New("no")), false},
	} {
		if got := Unserved(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
