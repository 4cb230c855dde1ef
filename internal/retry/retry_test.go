package retry

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
)

// A missing part at the start is waited for and logged once for each reason; the end of the service ends the wait.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged []string
		log := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
		tries := 0
		begin := time.Now()
		err := Until(t.Context(), log, "the Secret", func() error {
			switch tries++; {
			case tries <= 3:
				return errors.New("forbidden")
			case tries <= 5:
				return errors.New("no namespace")
			}
			return nil
		})
		if err != nil || time.Since(begin) != 5*Every {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if len(logged) != 3 || !strings.Contains(logged[0], "forbidden") ||
			!strings.Contains(logged[1], "no namespace") {
			t.Errorf("logged %q", logged)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		missing := errors.New("still missing")
		if err := Until(ctx, log, "the Secret", func() error { return missing }); !errors.Is(err, missing) {
			t.Errorf("%v", err)
		}
	})
}
