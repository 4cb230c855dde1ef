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

// floorSubject is the least that any client does: it asks for the same tables and columns as the others, reads what comes
// and throws it away. It knows the end by the reply to an echo that it asked for last.
type floorSubject struct{ endpoint string }

func (s *floorSubject) sync(ctx context.Context) (err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(s.endpoint, "unix:"))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	const last = "that is all"
	_, err = fmt.Fprintf(conn, `{"id":1,"method":"monitor_cond_since","params":["OVN_Northbound","floor",{`+
		`"Logical_Switch_Port":[{"columns":["name","type","addresses","port_security","external_ids","options","enabled","up","parent_name","tag"]}],`+
		`"Logical_Switch":[{"columns":["name","other_config","external_ids","ports"]}],`+
		`"NB_Global":[{"columns":["nb_cfg","options","external_ids"]}]},`+
		`"00000000-0000-0000-0000-000000000000"]}{"id":2,"method":"echo","params":[%q]}`, last)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	buf, tail, size := make([]byte, 256<<10), []byte(nil), 0
	for !bytes.Contains(tail, []byte(last)) {
		n, err := conn.Read(buf)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		size += n
		tail = append(tail, buf[max(0, n-200):n]...)
		tail = tail[max(0, len(tail)-200):]
	}
	if size < 1000 || bytes.Contains(tail, []byte("syntax error")) {
		return fmt.Errorf("the server does not give the tables: %s", tail)
	}
	return nil
}

func (s *floorSubject) watch(context.Context, int, func()) ([]time.Duration, error) {
	return nil, errors.ErrUnsupported
}

func (s *floorSubject) lookups() ([]time.Duration, error) { return nil, errors.ErrUnsupported }
