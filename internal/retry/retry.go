// Package retry waits for what must be there before something can begin: it is tried until it succeeds, and the log
// says why it does not.
package retry

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
)

// Every is how long to wait before something is tried again.
const Every = 2 * time.Second

// Until does something again and again until it succeeds, and logs why it does not, once for each reason. It returns an
// error only where ctx ends first.
func Until(ctx context.Context, log logr.Logger, what string, do func() error) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	told := ""
	for {
		err := do()
		if err == nil {
			if told != "" {
				log.Info("the wait is over", "after", what)
			}
			return nil
		}
		if told != err.Error() && ctx.Err() == nil {
			told = err.Error()
			log.Info("waiting", "for", what, "reason", told, "every", Every.String())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-ticker.C:
		}
	}
}
