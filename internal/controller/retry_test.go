package controller

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
)

// What is missing at the start is waited for and said once for each reason; the end of the service ends the wait.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged []string
		log := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
		tries := 0
		begin := time.Now()
		err := retry(t.Context(), log, "the Secret", func() error {
			switch tries++; {
			case tries <= 3:
				return errors.New("forbidden")
			case tries <= 5:
				return errors.New("no namespace")
			}
			return nil
		})
		if err != nil || time.Since(begin) != 5*retryStart {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if len(logged) != 3 || !strings.Contains(logged[0], "forbidden") ||
			!strings.Contains(logged[1], "no namespace") {
			t.Errorf("logged %q", logged)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		missing := errors.New("still missing")
		if err := retry(ctx, log, "the Secret", func() error { return missing }); !errors.Is(err, missing) {
			t.Errorf("%v", err)
		}
	})
}

func TestNoServer(t *testing.T) {
	address, _ := nobodyListens(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var logged []string
	log := funcr.New(func(_, args string) {
		logged = append(logged, args)
		cancel() // what is said is all that is waited for
	}, funcr.Options{})
	if err := awaitServer(ctx, &rest.Config{Host: "http://" + address}, log); err == nil {
		t.Error("there is a server where nobody listens")
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "refused") {
		t.Errorf("logged %q", logged)
	}
}
