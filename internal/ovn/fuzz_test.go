package ovn

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// rowsOf returns every row of a snapshot by table and UUID.
func rowsOf(s *Snapshot) map[string]Row {
	all := make(map[string]Row)
	for p := range s.Ports().All() {
		all["Logical_Switch_Port "+p.UUID] = p
	}
	for r := range s.switches.All() {
		all["Logical_Switch "+r.UUID] = r
	}
	return all
}

// Rows and changes of rows from a server are either refused, and then nothing has changed, or taken over, and then the
// events lead from the state before to the state after, and every index has every port.
func FuzzApply(f *testing.F) {
	const a, b, sw = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b",
		"00000000-0000-0000-0000-0000000000ff"
	whole := `{"Logical_Switch_Port":{"` + a + `":{"initial":{"name":"a","addresses":["set",["0a:00:00:00:00:01 10.0.0.1","unknown"]],"external_ids":["map",[["pod","ns/a"]]],"enabled":true,"tag":["set",[]]}},
		"` + b + `":{"initial":{"name":"b","up":["set",[false]]}}},"Logical_Switch":{"` + sw + `":{"initial":{"name":"sw","ports":["set",[["uuid","` + a + `"],["uuid","` + b + `"]]]}}}}`
	for _, change := range []string{
		`{"Logical_Switch_Port":{"` + a +
			`":{"modify":{"port_security":["set",["x","y"]],"external_ids":["map",[["pod","ns/a"],["ls","sw"]]]}}}}`,
		`{"Logical_Switch_Port":{"` + a + `":{"delete":null}},"Logical_Switch":{"` + sw +
			`":{"modify":{"ports":["uuid","` + a + `"],"name":"other"}}}}`,
		`{"Logical_Switch_Port":{"` + a + `":{"modify":{"name":3}}}}`,
		`{"Logical_Switch":{"` + sw + `":{"delete":null}}}`,
		`{"Logical_Switch_Port":{"` + a + `":{"insert":{"name":"again"}},"` + a + `":{"delete":null}}}`,
	} {
		f.Add([]byte(whole), []byte(change), false)
		f.Add([]byte(whole), []byte(change), true)
	}
	schema, err := parseSchema(schemaText(nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second []byte, again bool) {
		st, err := newStore(Northbound, []Table{TablePort, TableSwitch})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.setSchema(schema); err != nil {
			t.Fatal(err)
		}
		replayed := make(map[string]Row)
		for i, data := range [][]byte{first, second} {
			before := st.snapshot
			events, err := st.apply(data, i == 0 || again, "")
			if err != nil {
				if st.snapshot != before || events != nil {
					t.Fatalf("a refusal (%v) changed something", err)
				}
				return // only a complete reading helps
			}
			for _, e := range events {
				row := e.New
				if row == nil {
					row = e.Old
				}
				key := string(e.Table) + " " + row.RowUUID()
				if have := replayed[key]; have != e.Old {
					t.Fatalf("%s: %s of %+v, but it was %+v", key, e.Kind, e.Old, have)
				}
				if e.New == nil {
					delete(replayed, key)
				} else {
					replayed[key] = e.New
				}
			}
			want := rowsOf(st.snapshot)
			if len(want) != len(replayed) {
				t.Fatalf("events give %d rows, the state has %d", len(replayed), len(want))
			}
			for key, row := range want {
				if replayed[key] != row {
					t.Fatalf("%s: events give %+v, the state has %+v", key, replayed[key], row)
				}
			}
			if names := portNames(
				st.snapshot,
			); len(
				names,
			) == st.snapshot.Ports().
				Len() { // for the index in the schema
				checkIndexes(t, st.snapshot)
			}
		}
	})
}

func portNames(s *Snapshot) map[string]bool {
	names := make(map[string]bool)
	for p := range s.Ports().All() {
		names[p.Name] = true
	}
	return names
}

// pieces returns bytes a few at a time.
type pieces struct {
	data []byte
	size int
}

func (p *pieces) Read(into []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(into[:min(len(into), p.size)], p.data)
	p.data = p.data[n:]
	return n, nil
}

// The framer cuts the same values out of the stream as encoding/json, however the stream is cut into pieces, and loses
// or repeats no byte.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":[{"a":"}\"]"}],"error":null} {"method":"echo","params":[]}`), uint8(1))
	f.Add([]byte("{}[]\n\n[[]]{\"a\":\"\\\\\"}"), uint8(3))
	f.Add([]byte(`{"a":"`), uint8(7))
	f.Add([]byte("{\x00}"), uint8(2))
	f.Add([]byte(`} {}`), uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		fr := framer{from: &pieces{stream, 1 + int(size)}, limit: 1 << 16, heard: func() {}}
		var got [][]byte
		for {
			message, err := fr.next()
			if err != nil {
				break
			}
			got = append(got, bytes.Clone(message))
		}
		decoder := json.NewDecoder(bytes.NewReader(stream))
		for i := 0; ; i++ {
			var want json.RawMessage
			if err := decoder.Decode(&want); err != nil || len(stream) > 1<<15 {
				return
			}
			if want[0] != '{' && want[0] != '[' ||
				bytes.ContainsFunc(want, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
				return // not a message of OVSDB
			}
			if i >= len(got) || !bytes.Equal(got[i], want) {
				t.Fatalf("message %d: got %q, want %q", i, got, want)
			}
		}
	})
}

// silentConn is a connection that takes everything and sends nothing.
type silentConn struct{ net.Conn }

func (silentConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (silentConn) Write(b []byte) (int, error)      { return len(b), nil }
func (silentConn) Close() error                     { return nil }
func (silentConn) SetWriteDeadline(time.Time) error { return nil }

// A message without meaning is an error, whatever its content, and so is a bad report of a server about itself.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"id":1,"result":{},"error":null}`))
	f.Add(
		[]byte(
			`{"id":null,"method":"update2","params":["ovnguard-server",{"Database":{"u":{"initial":{"name":"OVN_Northbound","model":"clustered","leader":true,"connected":true,"cid":["uuid","c"],"index":7}}}}]}`,
		),
	)
	f.Add([]byte(`{"id":null,"method":"update3","params":["ovnguard-data","t",{}]}`))
	f.Add([]byte(`{"id":["x"],"method":"echo","params":[1]}`))
	f.Add([]byte(`{"id":1,"result":null,"error":{"error":"x"}}`))
	f.Fuzz(func(_ *testing.T, data []byte) {
		m, err := Open(Config{Endpoints: "unix:/x"})
		if err != nil {
			panic(err)
		}
		s := &session{mirror: m, server: server{database: Northbound}}
		k := &conn{
			net:   silentConn{},
			calls: map[uint64]*call{1: {take: s.server.take, ended: make(chan error, 1)}},
			done:  make(chan struct{}),
		}
		k.notify = s.notification
		_ = k.message(data)
		_ = s.server.usable(nil)
		_, _ = parseSchema(data)
	})
}

// A message longer than the bound ends the connection, and takes no more memory than the bound.
func TestMessageWithoutEnd(t *testing.T) {
	fr := framer{
		from:  &pieces{append([]byte(`["`), bytes.Repeat([]byte("x"), 1<<20)...), 1 << 10},
		limit: 1 << 17,
		heard: func() {},
	}
	if _, err := fr.next(); !errors.Is(err, errTooLong) {
		t.Errorf("error %v", err)
	}
	if cap(fr.buf) > 1<<17 {
		t.Errorf("%d bytes were taken", cap(fr.buf))
	}
}
