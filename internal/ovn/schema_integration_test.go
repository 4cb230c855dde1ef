//go:build integration

package ovn

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// recorded starts a server with the rows of a real Kube-OVN controller, in the newest schema.
func recorded(t *testing.T) *nb {
	t.Helper()
	packed, err := os.Open("../../testdata/recorded/nb.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close() //nolint:errcheck // only read
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	file := filepath.Join(dir, "recorded.db")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &nb{ovsdbserver.New(dir, "nb", file), t}
	s.start()
	return s
}

// Every table with rows of a real Kube-OVN controller is followed in the newest schema.
func TestNewestSchema(t *testing.T) {
	s := recorded(t)
	f := follow(t, Config{Endpoints: s.Endpoint(), Tables: allNB})
	f.settle(s.Server)
	if now := f.Snapshot(); now.Schema != "7.11.0" || now.Ports().Len() == 0 || now.PortGroups().Len() == 0 {
		t.Errorf("schema %s, %d ports, %d port groups", now.Schema, now.Ports().Len(), now.PortGroups().Len())
	}
}
