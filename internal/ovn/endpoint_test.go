package ovn

import (
	"slices"
	"strings"
	"testing"
)

func TestParseEndpoints(t *testing.T) {
	got, err := ParseEndpoints("unix:/run/nb.sock, tcp:10.0.0.1:6641,ssl:[fd00::1]:6641")
	if want := []string{
		"unix:/run/nb.sock",
		"tcp:10.0.0.1:6641",
		"ssl:[fd00::1]:6641",
	}; err != nil ||
		!slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	for _, bad := range []string{"", "nb.sock", "unix:nb.sock", "tcp:10.0.0.1", "http:1.2.3.4:80", "tcp:a:1,", "ssl:"} {
		if got, err := ParseEndpoints(bad); err == nil || !strings.Contains(err.Error(), "want unix:") {
			t.Errorf("ParseEndpoints(%q) = %q, %v; want an error that shows the form", bad, got, err)
		}
	}
}

func TestOpenNeedsTLSFiles(t *testing.T) {
	if _, err := Open(
		Config{Endpoints: "ssl:10.0.0.1:6641"},
	); err == nil ||
		!strings.Contains(err.Error(), "certificate") {
		t.Errorf("error %v, want one that names what is missing", err)
	}
}
