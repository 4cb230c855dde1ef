package webhook

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// slowReader is a reader of some text that then blocks without ending.
type slowReader struct {
	text io.Reader
	done <-chan struct{}
}

func (s slowReader) Read(p []byte) (int, error) {
	if n, err := s.text.Read(p); err == nil {
		return n, nil
	}
	<-s.done
	return 0, io.ErrUnexpectedEOF
}

// A sender that never ends its body does not hold a handler, over HTTP/1 and HTTP/2, and behind any middleware.
func TestThreat33BodyThatDoesNotCome(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			read := make(chan error, 1)
			bounded := &Handler{
				Answer:  handlerFunc(allow),
				Limit:   NewLimit(1),
				Budget:  NewBudget(MaxMemory),
				Timeout: 50 * time.Millisecond,
				Log:     logr.Discard(),
			}
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				bounded.ServeHTTP(w, r)
				_, err := io.ReadAll(r.Body)
				read <- err
			})
			count := prometheus.NewCounterVec(
				prometheus.CounterOpts{Name: "requests_total", Help: "requests"},
				[]string{"code"},
			)
			s := httptest.NewUnstartedServer(promhttp.InstrumentHandlerCounter(count, handler))
			s.EnableHTTP2 = http2
			s.StartTLS()
			t.Cleanup(s.Close)
			done := make(chan struct{})
			t.Cleanup(func() { close(done) })
			go func() {
				req, err := http.NewRequestWithContext(
					t.Context(),
					http.MethodPost,
					s.URL,
					slowReader{strings.NewReader("{"), done},
				)
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				if res, err := s.Client().Do(req); err == nil {
					_ = res.Body.Close()
				}
			}()
			select {
			case err := <-read:
				if err == nil {
					t.Error("a body that never ended was read to its end")
				}
			case <-time.After(time.Minute):
				t.Error("the handler still waits for the body")
			}
		})
	}
}
