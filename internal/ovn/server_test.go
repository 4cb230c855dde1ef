package ovn

import "testing"

// A server's report about itself is read, including its truth values.
func TestServerSaysWhatItIs(t *testing.T) {
	s := server{database: Northbound}
	if err := s.take([]byte(`{"Database":{"u":{"initial":{"name":"OVN_Northbound","model":"clustered","leader":true,
		"connected":true,"cid":["uuid","c"],"index":7}}}}`)); err != nil {
		t.Fatal(err)
	}
	if err := s.usable(&progress{}); err != nil {
		t.Error(err)
	}
}
