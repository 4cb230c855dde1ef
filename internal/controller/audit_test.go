package controller

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"

	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Who asks why the service is not ready is told what it waits for.
func TestReadySaysWhatIsMissing(t *testing.T) {
	mirror, err := ovn.Open(ovn.Config{Endpoints: "unix:/nonexistent/nb.sock", Log: logr.Discard()})
	if err != nil {
		t.Fatal(err)
	}
	a := &auditor{mirror: mirror}
	expect := func(says string) {
		t.Helper()
		if err := a.ready(nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	expect("nothing has been read")
	what := "Pod from the API server"
	a.reading.Store(&what)
	expect("reading Pod from the API server")

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		mirror.Run(ctx)
	}()
	defer func() {
		cancel()
		<-ended
	}()
	for deadline := time.Now().Add(10 * time.Second); mirror.State().Err == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the mirror never says why it cannot connect")
		}
	}
	expect("/nonexistent/nb.sock")
}
