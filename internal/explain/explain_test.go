package explain

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/portsec"
)

// hostile would clear a terminal, turn text around, open an element, and make a spreadsheet calculate.
const hostile = "=x\x1b[2J\u202e<script>"

// Text of others reaches no terminal and no page as it is, in no format.
func TestHostileText(t *testing.T) {
	p := Port{
		Port: inventory.Port{
			Name:     hostile,
			Provider: hostile,
			Pod:      &inventory.Pod{PodKey: inventory.PodKey{Namespace: "n", Name: hostile}},
			Row:      &inventory.Row{Name: hostile, Switch: hostile, PortSecurity: []string{hostile}},
			Decision: policy.Decision{Steps: []policy.Step{
				{
					Source:  policy.FromPod,
					Name:    hostile,
					Key:     hostile,
					Value:   hostile,
					Outcome: policy.Invalid,
					Detail:  hostile,
				},
			}},
		},
		Eras: portsec.Eras(), Subnet: hostile, Asked: Asked{Northbound: true},
		History: []journal.Entry{{ID: "a", Port: hostile, Why: hostile, Error: hostile}},
		Events:  []Event{{Reason: hostile, Message: hostile}},
	}
	held := Held{
		IP: "10.0.0.1", Holders: []Holder{{Kind: inventory.HeldByPort, Name: hostile, Pod: hostile}},
		Senders: []Sender{{Port: hostile}}, SendersTotal: 1,
	}
	for _, a := range []answer.Answer{Ports(hostile, []Port{p}, "ns", []string{hostile}), held.Answer(true)} {
		for _, f := range answer.Formats() {
			var out strings.Builder
			if err := f.Write(&out, a); err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(out.String(), "\x1b\u202e") ||
				f.Name == "html" && strings.Contains(out.String(), "<script>") {
				t.Errorf("%s has it as it is: %q", f.Name, out.String())
			}
		}
	}
}

// Who may send from an address is judged by what the columns let pass: by range, by a MAC that may send from any, by
// several MACs, and not where the port is disabled or OVN does not check it.
func TestSenders(t *testing.T) {
	inv := inventory.New()
	for name, r := range map[string]inventory.Row{
		"own":      {PortSecurity: []string{"0a:00:00:00:00:01 10.16.0.5"}},
		"range":    {PortSecurity: []string{"0a:00:00:00:00:02 10.16.0.0/24"}},
		"any":      {PortSecurity: []string{"0a:00:00:00:00:03"}},
		"second":   {PortSecurity: []string{"0a:00:00:00:00:04 10.16.9.9", "0a:00:00:00:00:05 10.16.0.5"}},
		"other":    {PortSecurity: []string{"0a:00:00:00:00:06 10.16.0.6"}},
		"open":     {},
		"disabled": {Disabled: true},
		"router":   {Type: "router"},
	} {
		r.Name, r.ExternalIDs = name, map[string]string{kubeovn.ExternalIDVendor: kubeovn.Vendor}
		inv.SetRow(&r)
	}
	names := func(list []Sender) string {
		var names []string
		for _, s := range list {
			names = append(names, s.Port)
		}
		return strings.Join(names, " ")
	}
	for question, want := range map[Question]string{
		{IP: netip.MustParseAddr("10.16.0.5")}:   "any own range second",
		{IP: netip.MustParseAddr("10.16.0.7")}:   "any range",
		{IP: netip.MustParseAddr("2001:db8::5")}: "any",
		{MAC: portsec.MAC{0x0a, 0, 0, 0, 0, 5}}:  "second",
		{MAC: portsec.MAC{0x0a, 0, 0, 0, 0, 3}}:  "any",
		{MAC: portsec.MAC{0x0a, 0, 0, 0, 0, 9}}:  "",
	} {
		held := Find(&inv.State, question, portsec.Eras(), time.Time{})
		if got := names(held.Senders); got != want || names(held.Open) != "open" {
			t.Errorf("%s: %q may send, want %q; open are %q", question, got, want, names(held.Open))
		}
	}
}
