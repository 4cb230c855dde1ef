package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/test/kubeovndb"
)

// committed is the key of external_ids with the time when a change was sent to the server, in nanoseconds since 1970.
const committed = "committed"

// sinceCommit returns how long ago a writer changed a row; ok is false if none did.
func sinceCommit(externalIDs map[string]string) (since time.Duration, ok bool) {
	at, err := strconv.ParseInt(externalIDs[committed], 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(time.Now().UnixNano() - at), true
}

// writer is another client that changes ports as Kube-OVN does: pods come and go, and port_security is switched.
type writer struct {
	db   kubeovndb.Database
	conn net.Conn
	in   *json.Decoder
	last int
	// replies has the server's reply time for each timed change.
	replies []time.Duration
}

func newWriter(ctx context.Context, endpoint string, db kubeovndb.Database) (*writer, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(endpoint, "unix:"))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return &writer{db: db, conn: conn, in: json.NewDecoder(conn)}, nil
}

func (w *writer) close() error { return w.conn.Close() }

// transact makes one transaction and returns the results of its operations.
func (w *writer) transact(operations string) (results json.RawMessage, err error) {
	w.last++
	if _, err := fmt.Fprintf(
		w.conn,
		`{"id":%d,"method":"transact","params":["OVN_Northbound",%s]}`,
		w.last,
		operations,
	); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	for {
		var reply struct {
			ID, Result, Error json.RawMessage
			Method            string
		}
		if err := w.in.Decode(&reply); err != nil {
			return nil, fmt.Errorf("write: %w", err)
		}
		switch {
		case reply.Method == "echo":
			if _, err := fmt.Fprintf(w.conn, `{"id":%s,"result":[],"error":null}`, reply.ID); err != nil {
				return nil, fmt.Errorf("answer an echo: %w", err)
			}
		case string(reply.Error) != "null" || strings.Contains(string(reply.Result), `"error"`):
			return nil, fmt.Errorf("the server refuses a change: %s %s", reply.Error, reply.Result)
		default:
			return reply.Result, nil
		}
	}
}

// change makes the n-th timed change: every other one is a new pod, which goes again before the next.
func (w *writer) change(n int) error {
	begin := time.Now()
	if n%2 == 0 {
		defer func() { w.replies = append(w.replies, time.Since(begin)) }()
		return w.switchSecurity(w.db.Port(n*7919%w.db.Ports), n%4 == 0)
	}
	p := w.db.Port(n * 6007 % w.db.Ports) // on the same switch and groups
	p.UUID, p.Name, p.Pod = "", "new-"+strconv.Itoa(n)+".churn", "churn/new-"+strconv.Itoa(n)
	uuid, err := w.create(p)
	if err != nil {
		return err
	}
	w.replies = append(w.replies, time.Since(begin))
	_, err = w.transact(holder("Logical_Switch", p.SwitchUUID, "delete", fmt.Sprintf(`["uuid","%s"]`, uuid)))
	return err
}

func (w *writer) switchSecurity(p kubeovndb.Port, on bool) error {
	set := `["set",[]]`
	if on {
		set = strconv.Quote(p.Addresses())
	}
	where := fmt.Sprintf(`"table":"Logical_Switch_Port","where":[["_uuid","==",["uuid","%s"]]]`, p.UUID)
	_, err := w.transact(
		fmt.Sprintf(
			`{"op":"update",%s,"row":{"port_security":%s}},{"op":"mutate",%s,"mutations":[["external_ids","delete",["set",["%s"]]],["external_ids","insert",["map",[["%s","%d"]]]]]}`,
			where,
			set,
			where,
			committed,
			committed,
			time.Now().UnixNano(),
		),
	)
	return err
}

// create makes a port and returns its UUID.
func (w *writer) create(p kubeovndb.Port) (string, error) {
	holders := []string{holder("Logical_Switch", p.SwitchUUID, "insert", `["named-uuid","new"]`)}
	for _, g := range p.Groups {
		holders = append(holders, holder("Port_Group", g, "insert", `["named-uuid","new"]`))
	}
	results, err := w.transact(
		fmt.Sprintf(
			`{"op":"insert","table":"Logical_Switch_Port","uuid-name":"new","row":{"name":"%s","addresses":"%s","port_security":"%s",`+
				`"external_ids":["map",[["ls","%s"],["pod","%s"],["vendor","kube-ovn"],["%s","%d"]]]}},%s`,
			p.Name,
			p.Addresses(),
			p.Addresses(),
			p.Switch,
			p.Pod,
			committed,
			time.Now().UnixNano(),
			strings.Join(holders, ","),
		),
	)
	if err != nil {
		return "", err
	}
	var made []struct{ UUID [2]string }
	if err := json.Unmarshal(results, &made); err != nil || len(made) == 0 {
		return "", fmt.Errorf("the server does not name the new port: %s", results)
	}
	return made[0].UUID[1], nil
}

func holder(table, uuid, mutator, port string) string {
	return fmt.Sprintf(
		`{"op":"mutate","table":"%s","where":[["_uuid","==",["uuid","%s"]]],"mutations":[["ports","%s",%s]]}`,
		table,
		uuid,
		mutator,
		port,
	)
}
