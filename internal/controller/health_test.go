package controller

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/healthz"
)

// Readiness says why it fails, and has its warnings in addition.
func TestReadinessGivesReasons(t *testing.T) {
	c := checks{
		named: map[string]healthz.Checker{
			"webhook": healthz.Ping,
			"audit":   func(*http.Request) error { return errors.New("northbound:\nnot followed for 15s") },
		},
		notes: []func() string{
			func() string { return "repair holds 7 ports" },
			func() string { return "" },
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/readyz", c)
	mux.Handle("/readyz/", http.StripPrefix("/readyz/", c))
	for path, want := range map[string]struct {
		code  int
		lines string
	}{
		"/readyz": {500, "[-]audit failed: northbound: not followed for 15s\n[+]webhook ok\n[!]repair holds " +
			"7 ports"},
		"/readyz/webhook": {200, "[+]webhook ok"},
		"/readyz/audit":   {500, "[-]audit failed: northbound: not followed for 15s"},
		"/readyz/nothing": {404, "404 page not found"},
	} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if got := strings.TrimSpace(w.Body.String()); w.Code != want.code || got != want.lines {
			t.Errorf("%s: %d\n%s\nwant %d\n%s", path, w.Code, got, want.code, want.lines)
		}
	}
}
