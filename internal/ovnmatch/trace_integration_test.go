//go:build integration

package ovnmatch

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/portsec"
	"github.com/ovnguard/ovnguard/test/ovsdbserver"
)

// Random expressions mean for random packets what ovn-trace says: each expression is a logical flow of a table of its
// own, so that one trace tries as many as a pipeline has tables.
func TestSameAsOVN(t *testing.T) {
	const batches, packets, tables = 40, 6, 24
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "match")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // the next run does not need it
	server, err := ovsdbserver.Create(ctx, dir, "sb", ovsdbserver.SouthboundSchema)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)

	random := rand.New(rand.NewPCG(1, 2)) // the same packets in each run
	g := generator{random}
	given := Names{
		Sets:   map[string]*Set{},
		Groups: map[string]map[string]bool{"web": {"p": true}, "db": {"q": true}},
	}
	members := map[string][]string{
		"four": {"10.16.0.5", "10.16.1.0/24"}, "empty": {}, "six": {"fd00::2", "fd00:1::/32"},
	}
	for name, of := range members {
		if given.Sets[name], err = NewSet(of); err != nil {
			t.Fatal(err)
		}
	}
	fill(ctx, t, server, members)

	compared, held := 0, 0
	for range batches {
		var all []*Match
		for len(all) < tables {
			if m := Parse(g.expression(3), given); m.Unclear() == nil {
				all = append(all, m)
			}
		}
		setFlows(ctx, t, server, all)
		for range packets {
			p, microflow := g.packet()
			out := trace(ctx, t, server, microflow)
			for i, m := range all {
				is := regexp.MustCompile(fmt.Sprintf(`(?m)^ ?%d\. .*priority 9\b`, i)).MatchString(out)
				compared++
				if is {
					held++
				}
				if got := m.Evaluate(p); got != truth(is) {
					t.Errorf("%s\n%s\novn-trace: %v, evaluated: %d", m, microflow, is, got)
				}
			}
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d comparisons, %d of them hold", compared, held)
	if held < compared/20 || held > compared*19/20 {
		t.Errorf("%d of %d expressions hold: the generator says too little", held, compared)
	}
}

// transact sends operations to the Southbound database.
func transact(ctx context.Context, t *testing.T, s *ovsdbserver.Server, operations ...any) {
	t.Helper()
	text, err := json.Marshal(append([]any{"OVN_Southbound"}, operations...))
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Transact(ctx, string(text))
	if err != nil || strings.Contains(out, `"error"`) {
		t.Fatalf("%v: %s\n%s", err, out, text)
	}
}

type object = map[string]any

// fill makes a switch with two ports, the port groups and the address sets.
func fill(ctx context.Context, t *testing.T, s *ovsdbserver.Server, members map[string][]string) {
	t.Helper()
	named := func(name string) []string { return []string{"named-uuid", name} }
	operations := []any{object{
		"op": "insert", "table": "Datapath_Binding", "uuid-name": "d",
		"row": object{"tunnel_key": 1, "external_ids": []any{"map", [][]string{
			{"name", "s"}, {"logical-switch", "00000000-0000-0000-0000-000000000001"},
		}}},
	}}
	for i, port := range []string{"p", "q"} {
		operations = append(operations, object{"op": "insert", "table": "Port_Binding", "row": object{
			"logical_port": port, "datapath": named("d"), "tunnel_key": i + 1,
		}})
	}
	for group, port := range map[string]string{"web": "p", "db": "q"} {
		operations = append(operations, object{"op": "insert", "table": "Port_Group", "row": object{
			"name": group, "ports": []any{"set", []string{port}},
		}})
	}
	for name, of := range members {
		operations = append(operations, object{"op": "insert", "table": "Address_Set", "row": object{
			"name": name, "addresses": []any{"set", of},
		}})
	}
	transact(ctx, t, s, operations...)
}

// setFlows has table i of the pipeline match expression i, and pass on what it does not match.
func setFlows(ctx context.Context, t *testing.T, s *ovsdbserver.Server, all []*Match) {
	t.Helper()
	out, err := s.Transact(
		ctx,
		`["OVN_Southbound",{"op":"select","table":"Datapath_Binding","where":[],"columns":["_uuid"]}]`,
	)
	if err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(out)
	operations := []any{object{"op": "delete", "table": "Logical_Flow", "where": []any{}}}
	flow := func(table, priority int, match string) {
		actions := "next;"
		if priority > 0 {
			actions = "reg9 = 1; next;" // ovn-trace prints no flow that always matches and only goes on
		}
		if table == len(all)-1 {
			actions = "drop;"
		}
		operations = append(operations, object{"op": "insert", "table": "Logical_Flow", "row": object{
			"logical_datapath": []string{"uuid", uuid}, "pipeline": "ingress", "table_id": table, "priority": priority,
			"match": match, "actions": actions,
		}})
	}
	for i, m := range all {
		flow(i, 9, m.String())
		flow(i, 0, "1")
	}
	transact(ctx, t, s, operations...)
}

func trace(ctx context.Context, t *testing.T, s *ovsdbserver.Server, microflow string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "ovn-trace", "--db="+s.Endpoint(), "s", microflow)
	cmd.Env = append(os.Environ(), "OVN_RUNDIR="+filepath.Dir(s.Socket()))
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), "WARN") {
		t.Fatalf("%v: %s\n%s", err, out, microflow)
	}
	return string(out)
}

// generator makes expressions and packets from few values, so that they often meet.
type generator struct{ *rand.Rand }

func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

var (
	fours  = []string{"10.16.0.5", "10.16.1.7", "10.17.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"}
	sixes  = []string{"fd00::2", "fd00:1::9", "fe80::1", "ff02::1", "ff02::16", "::"}
	macs   = []string{"00:00:00:00:00:01", "33:33:00:00:00:16", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01"}
	shorts = []int{0, 53, 80, 443, 65535}
)

func (g generator) expression(depth int) string {
	if depth == 0 || g.IntN(4) == 0 {
		return g.comparison()
	}
	switch g.IntN(5) {
	case 0:
		return "!(" + g.expression(depth-1) + ")"
	case 1, 2:
		return "(" + g.expression(depth-1) + ") && (" + g.expression(depth-1) + ")"
	}
	return "(" + g.expression(depth-1) + ") || (" + g.expression(depth-1) + ")"
}

func (g generator) comparison() string {
	equality := pick(g, "==", "!=")
	order := pick(g, "==", "!=", "<", "<=", ">", ">=")
	switch g.IntN(12) {
	case 0:
		return pick(
			g,
			"",
			"!",
		) + pick(
			g,
			"ip",
			"ip4",
			"ip6",
			"tcp",
			"udp",
			"sctp",
			"icmp",
			"icmp4",
			"icmp6",
			"arp",
			"nd",
			"nd_ns",
			"nd_na",
			"nd_rs",
			"nd_ra",
			"eth.bcast",
			"eth.mcast",
			"eth.mcastv6",
			"ip4.mcast",
			"ip6.mcast",
			"ip4.src_mcast",
			"mldv1",
			"mldv2",
			"vlan.present",
			"rarp",
			"igmp",
			"0",
			"1",
		)
	case 1:
		return pick(g, "ip4.src", "ip4.dst", "arp.spa", "arp.tpa") + " " + order + " " + pick(g, fours...)
	case 2:
		return pick(g, "ip4.src", "ip4.dst") + " " + equality + " " +
			pick(
				g,
				"10.16.0.0/16",
				"10.0.0.0/8",
				"0.0.0.0/0",
				"$four",
				"$empty",
				"{10.16.0.5, 10.17.0.0/16}",
				"{$four, 10.17.0.1}",
				"{}",
			)
	case 3:
		return pick(g, "ip6.src", "ip6.dst", "nd.target") + " " + equality + " " +
			pick(g, "fd00::/16", "::/0", "$six", "$empty", "{fd00::2, fe80::/10}", "ff02::1")
	case 4:
		return pick(
			g,
			"tcp.dst",
			"tcp.src",
			"udp.dst",
			"udp.src",
			"sctp.dst",
		) + " " + order + " " + strconv.Itoa(pick(g, shorts...))
	case 5:
		low, high := pick(g, "<", "<="), pick(g, "<", "<=")
		return fmt.Sprintf(
			"%d %s %s %s %d",
			pick(g, shorts...),
			low,
			pick(g, "tcp.dst", "udp.dst"),
			high,
			pick(g, shorts...),
		)
	case 6:
		return pick(g, "icmp4.type", "icmp6.type") + " == " + pick(g, "8", "{0, 8}", "{135, 136}", "134", "0x85")
	case 7:
		return pick(
			g,
			`inport == @web`,
			`inport == @db`,
			`inport == "p"`,
			`inport == {"p", "q"}`,
			`inport == {@web, "q"}`,
			`!(inport == @db)`,
		)
	case 8:
		return pick(
			g,
			"eth.src",
			"eth.dst",
		) + " " + equality + " " + pick(
			g,
			append(macs, "01:00:00:00:00:00/01:00:00:00:00:00")...)
	case 9:
		return pick(
			g,
			"eth.dst[0..15]",
			"eth.src[40]",
			"ip4.src[0..7]",
			"ip6.dst[112..127]",
		) + " == " + pick(
			g,
			"0",
			"1",
		)
	case 10:
		return pick(
			g,
			"ip.proto",
			"ip.ttl",
			"arp.op",
		) + " " + equality + " " + pick(
			g,
			"1",
			"2",
			"6",
			"17",
			"58",
			"64",
			"255",
		)
	}
	return pick(g, "eth.type == 0x800", "eth.type == {0x86dd, 0x806}", "vlan.vid == 7", "vlan.pcp == 0",
		"nd.sll == 00:00:00:00:00:01", "nd.tll == 00:00:00:00:00:00", "arp.sha == 00:00:00:00:00:01")
}

// packet returns a packet of the port p, and the same as ovn-trace reads it.
func (g generator) packet() (*Packet, string) {
	p := &Packet{InPort: "p"}
	words := []string{`inport == "p"`}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	mac := func(field string) portsec.MAC {
		text := pick(g, macs...)
		add("%s == %s", field, text)
		m, _ := portsec.ParseMAC(text) // it is one of macs
		return m
	}
	address := func(field string, of []string) netip.Addr {
		text := pick(g, of...)
		add("%s == %s", field, text)
		return netip.MustParseAddr(text)
	}
	number := func(field string, of ...int) int {
		n := pick(g, of...)
		add("%s == %d", field, n)
		return n
	}
	p.EthSrc, p.EthDst = mac("eth.src"), mac("eth.dst")
	if g.IntN(4) == 0 {
		p.Tagged, p.VLAN = true, 7
		add("vlan.present && vlan.vid == 7")
	}
	switch g.IntN(5) {
	case 0:
		p.EthType = TypeARP
		p.ARPOp = uint16(number("arp.op", 1, 2))
		p.SPA, p.TPA = address("arp.spa", fours), address("arp.tpa", fours)
		p.SHA, p.THA = mac("arp.sha"), mac("arp.tha")
		return p, strings.Join(words, " && ")
	case 1, 2:
		p.EthType = TypeIP4
		p.IPSrc, p.IPDst = address("ip4.src", fours), address("ip4.dst", fours)
	default:
		p.EthType = TypeIP6
		p.IPSrc, p.IPDst = address("ip6.src", sixes), address("ip6.dst", sixes)
	}
	p.TTL = uint8(number("ip.ttl", 1, 64, 255))
	p.Proto = uint8(pick(g, 2, 6, 17, 132, 255))
	if g.IntN(3) == 0 {
		p.Proto = map[uint16]uint8{TypeIP4: 1, TypeIP6: 58}[p.EthType]
	}
	add("ip.proto == %d", p.Proto)
	switch p.Proto {
	case 6, 17, 132:
		name := map[uint8]string{6: "tcp", 17: "udp", 132: "sctp"}[p.Proto]
		p.SrcPort, p.DstPort = uint16(number(name+".src", shorts...)), uint16(number(name+".dst", shorts...))
	case 1:
		p.ICMPType, p.ICMPCode = uint8(number("icmp4.type", 0, 8)), uint8(number("icmp4.code", 0, 1))
	case 58:
		p.ICMPType, p.ICMPCode = uint8(
			number("icmp6.type", 128, 130, 133, 134, 135, 136, 143),
		), uint8(
			number("icmp6.code", 0, 1),
		)
		if p.TTL == 255 && p.ICMPCode == 0 {
			g.discovery(p, add)
		}
	}
	return p, strings.Join(words, " && ")
}

// discovery adds the fields that only neighbour discovery has.
func (g generator) discovery(p *Packet, add func(string, ...any)) {
	if p.ICMPType != 135 && p.ICMPType != 136 {
		return
	}
	target := pick(g, sixes...)
	p.Target = netip.MustParseAddr(target)
	add("nd.target == %s", target)
	if p.ICMPType == 135 {
		p.SLL = portsec.MAC{0, 0, 0, 0, 0, 1}
		add("nd.sll == 00:00:00:00:00:01")
	}
}
