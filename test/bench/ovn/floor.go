package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// floorSubject is the minimum of any client: it asks for the same tables and columns as the others, reads the answers
// and discards them. It recognises the end of the first reading by the reply to an echo that it asked for last, and a
// change by the time of its commit in the row.
type floorSubject struct {
	endpoint string
	conn     net.Conn
	buf      []byte
	// tail is the end of the last read, which may contain an incomplete match.
	tail []byte
}

// tailSize is longer than every text that it looks for.
const tailSize = 200

// read returns the next bytes, after the tail of those before.
func (s *floorSubject) read() ([]byte, error) {
	n := copy(s.buf, s.tail)
	more, err := s.conn.Read(s.buf[n:])
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	got := s.buf[:n+more]
	s.tail = append(s.tail[:0], got[max(0, len(got)-tailSize):]...)
	return got, nil
}

func (s *floorSubject) sync(ctx context.Context) (err error) {
	s.conn, err = new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(s.endpoint, "unix:"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	const last = "that is all"
	_, err = fmt.Fprintf(s.conn, `{"id":1,"method":"monitor_cond_since","params":["OVN_Northbound","floor",{`+
		`"Logical_Switch_Port":[{"columns":["%s"]}],`+
		`"Logical_Switch":[{"columns":["name","other_config","external_ids","ports"]}],`+
		`"NB_Global":[{"columns":["nb_cfg","options","external_ids"]}]},`+
		`"00000000-0000-0000-0000-000000000000"]}{"id":2,"method":"echo","params":[%q]}`, strings.Join(portColumns,
		`","`), last)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	s.buf = make([]byte, 256<<10)
	for size := 0; ; {
		got, err := s.read()
		if err != nil {
			return err
		}
		size += len(got)
		if !bytes.Contains(got, []byte(last)) {
			continue
		}
		if size < 100_000 || bytes.Contains(got, []byte("syntax error")) {
			return fmt.Errorf("the server does not give the tables: %s", s.tail)
		}
		return nil
	}
}

func (s *floorSubject) watch(_ context.Context, count int, ready func()) ([]time.Duration, error) {
	ready()
	mark := []byte(`"` + committed + `","`)
	seen := make(map[string]bool, count)
	all := make([]time.Duration, 0, count)
	for len(all) < count {
		got, err := s.read()
		if err != nil {
			return nil, err
		}
		for {
			_, rest, found := bytes.Cut(got, mark)
			at, _, whole := bytes.Cut(rest, []byte(`"`))
			if !found || !whole {
				break
			}
			got = rest
			// The tail may be read again, and a change of the time contains the old one too.
			if since, ok := sinceCommit(map[string]string{committed: string(at)}); ok && !seen[string(at)] {
				seen[string(at)] = true
				all = append(all, since)
			}
		}
	}
	return all, nil
}

func (s *floorSubject) lookups() ([]time.Duration, error) { return nil, errors.ErrUnsupported }
