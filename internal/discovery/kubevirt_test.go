package discovery

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/admission"
)

// The API server's last answer decides whether KubeVirt is served; a server that does not answer changes nothing.
func TestThreatT39KubeVirtIsServed(t *testing.T) {
	var status atomic.Int32
	status.Store(http.StatusNotFound)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/kubevirt.io" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(int(status.Load()))
	}))
	defer server.Close()
	k, err := NewKubeVirt(t.Context(), &rest.Config{Host: server.URL}, nil, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	account := admission.DefaultAccounts().KubeVirt[0]
	for _, c := range []struct {
		status          int
		changed, served bool
		failed          bool
	}{
		{http.StatusNotFound, false, false, false},
		{http.StatusInternalServerError, false, false, true},
		{http.StatusOK, true, true, false},
		{http.StatusOK, false, true, false},
		{http.StatusForbidden, false, true, true},
		{http.StatusServiceUnavailable, false, true, true},
		{http.StatusNotFound, true, false, false},
	} {
		status.Store(int32(c.status))
		changed, err := k.look(t.Context())
		a := k.Counted(admission.DefaultAccounts())
		if changed != c.changed || (err != nil) != c.failed || (len(a.Machines()) > 0) != c.served {
			t.Errorf("%d: changed %v, %v, accounts %q", c.status, changed, err, a.Machines())
		}
		if in := a.In("kubevirt"); len(in) == 0 || a.KubeVirt[0] != account {
			t.Errorf("%d: the namespace of %s is nobody's", c.status, account)
		}
	}
}

// answering is a transport that answers each request with a status.
type answering struct{ status func() int }

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.WriteHeader(a.status())
	res := w.Result()
	res.Request = r
	return res, nil
}

// A KubeVirt that is installed, or removed, later is noticed.
func TestKubeVirtComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var status atomic.Int32
		status.Store(http.StatusNotFound)
		changed := make(chan struct{}, 1)
		config := &rest.Config{Host: "http://api", Transport: answering{func() int { return int(status.Load()) }}}
		k, err := NewKubeVirt(t.Context(), config, func() { changed <- struct{}{} }, logr.Discard())
		if err != nil || k.served.Load() {
			t.Fatalf("served at first: %v, %v", k.served.Load(), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- k.Start(ctx) }()
		for _, next := range []int{http.StatusOK, http.StatusNotFound} {
			status.Store(int32(next))
			<-changed
			if k.served.Load() != (next == http.StatusOK) {
				t.Errorf("answer %d: served is %v", next, k.served.Load())
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
