package ovnbox

import (
	"encoding/json"
	"fmt"
	"net"
)

// rpc speaks JSON-RPC with a daemon over a unix socket: like its appctl, or like a client of a database.
type rpc struct {
	conn    net.Conn
	decoder *json.Decoder
	next    int
}

func dial(path string) (*rpc, error) {
	conn, err := dialUnix(path)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &rpc{conn: conn, decoder: json.NewDecoder(conn)}, nil
}

type message struct {
	ID     any             `json:"id"`
	Method string          `json:"method,omitempty"`
	Params any             `json:"params,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	Error  any             `json:"error,omitempty"`
}

// call sends one request and reads its answer into result.
func (r *rpc) call(result any, method string, params []any) error {
	r.next++
	if err := json.NewEncoder(r.conn).Encode(message{ID: r.next, Method: method, Params: params}); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	for {
		var m message
		if err := r.decoder.Decode(&m); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		switch {
		case m.Method == "echo": // a database checks that its client lives
			if err := json.NewEncoder(r.conn).
				Encode(map[string]any{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return fmt.Errorf("echo: %w", err)
			}
			continue
		case m.Error != nil:
			return fmt.Errorf("%s: %v", method, m.Error)
		}
		if err := json.Unmarshal(m.Result, result); err != nil {
			return fmt.Errorf("%s: %w", method, err)
		}
		return nil
	}
}

// operation is an operation of an OVSDB transaction, and reply its result (RFC 7047, sections 4.1.3 and 5.2).
type (
	operation map[string]any
	reply     struct {
		Rows    []map[string]any `json:"rows"`
		Error   string           `json:"error"`
		Details string           `json:"details"`
	}
)

func (r *rpc) transact(database string, operations ...operation) ([]reply, error) {
	params := []any{database}
	for _, o := range operations {
		params = append(params, o)
	}
	var replies []reply
	if err := r.call(&replies, "transact", params); err != nil {
		return nil, err
	}
	for _, one := range replies {
		if one.Error != "" {
			return nil, fmt.Errorf("transaction: %s: %s", one.Error, one.Details)
		}
	}
	return replies, nil
}
