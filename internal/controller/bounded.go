package controller

import (
	"net/http"
	"time"
)

// requestTimeout is how long a request may take to arrive. The API server waits no longer for the answer either.
const requestTimeout = time.Duration(webhookTimeout) * time.Second

// bounded gives a handler that does not wait for ever for a body that does not come. The size of a body is bounded by
// controller-runtime, and the work on it by its own lookups.
func bounded(h http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(timeout)); err != nil {
			http.Error(w, "the connection cannot be bounded in time: "+err.Error(), http.StatusInternalServerError)
			return
		}
		h.ServeHTTP(w, r)
	})
}
