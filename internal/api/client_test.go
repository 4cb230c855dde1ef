package api

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// authority returns the certificate of a server as PEM.
func authority(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// A client's token goes to the server that is named, if it has the certificate, and to nobody that it points to.
func TestThreatT52TokenGoesNowhereElse(t *testing.T) {
	var stolen atomic.Int64
	thief := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			stolen.Add(1)
		}
	}))
	defer thief.Close()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+byAdmin:
			refuse(w, fault(http.StatusUnauthorized, "no"))
		case r.URL.Path == Prefix+"away":
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		case r.URL.Path == Prefix+"page":
			_, _ = w.Write([]byte(r.URL.RawQuery))
		case r.URL.Path == Prefix+"refused":
			refuse(w, fault(http.StatusNotFound, "there is none"))
		default:
			http.Error(w, "\x1b[2J", http.StatusTeapot)
		}
	}))
	defer server.Close()
	user := &rest.Config{BearerToken: byAdmin}
	c, err := NewClient(user, server.URL, Trust{CA: authority(server)})
	if err != nil {
		t.Fatal(err)
	}
	if body, err := c.Get(t.Context(), "page", url.Values{"a": {"b c"}}); err != nil || string(body) != "a=b+c" {
		t.Errorf("%q %v", body, err)
	}
	if _, err := c.Get(t.Context(), "away", nil); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("a redirection leads to %v", err)
	}
	_, err = c.Get(t.Context(), "refused", nil)
	if r, ok := errors.AsType[*Refused](err); !ok || !r.Asks() || r.Text != "there is none" {
		t.Errorf("%v", err)
	}
	if _, err := c.Get(t.Context(), "other", nil); err == nil || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}

	// Another server has another certificate: its authority is not the registered one, or its name.
	for _, trust := range []Trust{{}, {CA: authority(server), ServerName: "ovnguard.ovnguard-system.svc"}} {
		c, err := NewClient(user, thief.URL, trust)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), "status", nil); err == nil {
			t.Errorf("with %v, the other server is believed", trust)
		}
	}
	if n := stolen.Load(); n != 0 {
		t.Errorf("the token went to another server %d times", n)
	}
}

// What cannot be asked is refused before anything is sent.
func TestNewClient(t *testing.T) {
	token := &rest.Config{BearerToken: "t"}
	for _, c := range []struct {
		user *rest.Config
		at   string
		says string
	}{
		{token, "http://ovnguard.example.org", "https://HOST"},
		{token, "ovnguard.example.org", "https://HOST"},
		{token, "https://user:password@ovnguard.example.org", "https://HOST"},
		{token, "https://ovnguard.example.org?x=y", "https://HOST"},
		{&rest.Config{}, "https://ovnguard.example.org", "tokens alone"},
		{&rest.Config{TLSClientConfig: rest.TLSClientConfig{CertFile: "x"}}, "https://ovnguard.example.org", "tokens alone"},
		{
			&rest.Config{BearerToken: "t", Impersonate: rest.ImpersonationConfig{UserName: "ann"}},
			"https://ovnguard.example.org", `acts as "ann"`,
		},
	} {
		if _, err := NewClient(c.user, c.at, Trust{}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.at, err, c.says)
		}
	}
}
