package ovn

import (
	"slices"
	"testing"
)

// A complete reading reports deleted rows by leaving them out. A switch that was renamed meanwhile must not keep its
// old ports alive: while the mirror was away, one port was deleted and the other stayed.
func TestWholeReadingAfterSwitchWasRenamed(t *testing.T) {
	st, err := newStore(Northbound, []Table{TablePort, TableSwitch})
	if err != nil {
		t.Fatal(err)
	}
	st.layouts = map[Table]layout{TablePort: {}, TableSwitch: {}}
	read := func(data string) []Event {
		t.Helper()
		events, err := st.apply([]byte(data), true, "")
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	const (
		a  = `"00000000-0000-0000-0000-00000000000a":{"initial":{"name":"a"}}`
		b  = `"00000000-0000-0000-0000-00000000000b":{"initial":{"name":"b"}}`
		ua = `["uuid","00000000-0000-0000-0000-00000000000a"]`
		ub = `["uuid","00000000-0000-0000-0000-00000000000b"]`
	)
	read(`{"Logical_Switch_Port":{` + a + `,` + b + `},
		"Logical_Switch":{"00000000-0000-0000-0000-0000000000ff":{"initial":{"name":"old","ports":["set",[` + ua + `,` + ub + `]]}}}}`)
	if n := len(slices.Collect(st.snapshot.SwitchPorts("old"))); n != 2 {
		t.Fatalf("%d ports on the switch, want 2", n)
	}

	events := read(`{"Logical_Switch_Port":{` + b + `},
		"Logical_Switch":{"00000000-0000-0000-0000-0000000000ff":{"initial":{"name":"new","ports":` + ub + `}}}}`)
	var got []string
	for _, e := range events {
		if old, now := e.Ports(); e.Kind == Delete {
			got = append(got, "delete "+old.Name)
		} else if now != nil {
			got = append(got, e.Kind.String()+" "+now.Name)
		}
	}
	slices.Sort(got)
	if want := []string{"delete a", "update b"}; !slices.Equal(got, want) {
		t.Errorf("events of ports %q, want %q", got, want)
	}
	if st.snapshot.Port("a") != nil || st.snapshot.Ports().Len() != 1 ||
		len(slices.Collect(st.snapshot.SwitchPorts("old"))) != 0 {
		t.Errorf("port a is still there: %+v", st.snapshot.Port("a"))
	}
	if p := st.snapshot.Port("b"); p == nil || p.Switch != "new" {
		t.Errorf("port b is %+v, want it on the switch's new name", p)
	}

	// The last port goes, and then the table's name is missing from the message.
	read(`{"Logical_Switch":{"00000000-0000-0000-0000-0000000000ff":{"initial":{"name":"newer"}}}}`)
	if n := st.snapshot.Ports().Len(); n != 0 {
		t.Errorf("%d ports are left, want none", n)
	}
}
