package webhook

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A server that ends answers what still comes on connections that callers have kept, and has them use others from then
// on.
func TestEndingServerAnswersOnKeptConnections(t *testing.T) {
	f := served(t, allow)
	review := func() (closes bool) {
		t.Helper()
		res, err := f.client.Post("https://"+f.address+"/review", "application/json", strings.NewReader(good))
		if err != nil {
			t.Fatal(err)
		}
		// A connection is kept only after the answer has been read.
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %s", res.Status)
		}
		return res.Close
	}
	if review() {
		t.Error("a connection is closed with the answer although the server goes on")
	}
	f.end()
	if !review() {
		t.Error("the connection is kept although the server ends")
	}
}
