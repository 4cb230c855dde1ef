package ovnbox

import (
	"fmt"
	"strings"
)

// SetOption sets an option of NB_Global, and waits until every flow is in place.
func (b *Box) SetOption(key, value string) error {
	_, err := b.run(
		"ovn-nbctl",
		"--db="+b.unix("nb.sock"),
		"--wait=hv",
		"--timeout=60",
		"set",
		"NB_Global",
		".",
		"options:"+key+"="+value,
	)
	if err != nil {
		return err
	}
	return b.forget()
}

// LeaveOutChecks changes the logical flows to those of Kube-OVN's ovn-northd while the option version_compatibility is
// in effect: without check_in_port_sec() and check_out_port_sec(). Such an ovn-northd cannot be had here, so this one
// is paused and its flows are edited; the box must not be configured afterwards. It returns the number of edited flows;
// ovn-controller follows some time later.
func (b *Box) LeaveOutChecks() (edited int, err error) {
	if _, err := b.run("ovn-appctl", "-t", b.path("northd.ctl"), "pause"); err != nil {
		return 0, err
	}
	sb, err := dial(b.path("sb.sock"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = sb.conn.Close() }()
	replies, err := sb.transact(
		"OVN_Southbound",
		operation{"op": "select", "table": "Logical_Flow", "where": []any{}, "columns": []string{"_uuid", "actions"}},
	)
	if err != nil {
		return 0, err
	}
	var changes []operation
	for _, flow := range replies[0].Rows {
		actions, ok := flow["actions"].(string)
		if !ok ||
			!strings.Contains(actions, "check_in_port_sec()") && !strings.Contains(actions, "check_out_port_sec()") {
			continue
		}
		changes = append(changes, operation{
			"op":    "update",
			"table": "Logical_Flow",
			"where": []any{[]any{"_uuid", "==", flow["_uuid"]}},
			"row":   map[string]any{"actions": "next;"},
		})
	}
	if _, err := sb.transact("OVN_Southbound", changes...); err != nil {
		return 0, fmt.Errorf("edit %d flows: %w", len(changes), err)
	}
	return len(changes), nil
}

// AwaitArrival sends frames, each made by frame, until one comes through.
func (b *Box) AwaitArrival(frame func() Shot) error {
	return b.waitFor("a frame to come through", func() (bool, error) {
		if err := b.forget(); err != nil {
			return false, err
		}
		came, err := b.Arrived([]Shot{frame()})
		return err == nil && came[0], err
	})
}
