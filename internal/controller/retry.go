package controller

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

const (
	// retryStart is how long to wait before what must be there to start is looked for again.
	retryStart = 2 * time.Second
	// forever is for a limit that the library wants where there is none: a cache that must not be filled yet is waited
	// for.
	forever = 100 * 365 * 24 * time.Hour
)

// retry does something again and again until it succeeds, and logs why it does not, once for each reason. It
// returns an error only where ctx ends first.
func retry(ctx context.Context, log logr.Logger, what string, do func() error) error {
	ticker := time.NewTicker(retryStart)
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
			log.Info("waiting", "for", what, "reason", told, "every", retryStart.String())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-ticker.C:
		}
	}
}

// awaitServer waits until the API server says what it serves.
func awaitServer(ctx context.Context, config *rest.Config, log logr.Logger) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("connect to the API server: %w", err)
	}
	return retry(ctx, log, "the API server", func() error {
		asking, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return client.RESTClient().Get().AbsPath("/apis").Do(asking).Error()
	})
}
