package cli

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPortsecExplain(t *testing.T) {
	code, stdout, stderr := runMain("portsec", "explain", "--identity", testElement, testElement+",10.16.0.6")
	const want = `E0 (OVN 20.03 to 22.03)
  "0a:00:00:00:00:01 10.16.0.5,10.16.0.6": truncated at byte 27: ",10.16.0.6" is not an address, so it and everything after it is ignored
  Sends only as 0a:00:00:00:00:01 with 10.16.0.5; ARP checked, IPv6 blocked entirely.
  ! 0a:00:00:00:00:01 has IPv4 addresses only: all its IPv6 is dropped, link-local, duplicate address detection and MLD included
  ! 0a:00:00:00:00:01: ARP probes for duplicate addresses (RFC 5227), whose sender address is 0.0.0.0, are dropped

E1 (OVN 22.06 to 22.09.2, 22.12.1, 23.03.1 and 23.06.1)
E2 (OVN 22.09.3, 22.12.2, 23.03.2 and 23.06.2 to 24.03.7, 24.09.3, 25.03.2 and 25.09.2)
E2a (builds of OVN's branches from 23 January to 5 February 2026)
E2b (builds of OVN's branches from 5 to 18 February 2026)
  "0a:00:00:00:00:01 10.16.0.5,10.16.0.6": truncated at byte 27: ",10.16.0.6" is not an address, so it and everything after it is ignored
  Sends only as 0a:00:00:00:00:01 with 10.16.0.5; ARP checked, IPv6 blocked entirely.
  ! 0a:00:00:00:00:01 has IPv4 addresses only: all its IPv6 is dropped, link-local, duplicate address detection and MLD included
  ! 0a:00:00:00:00:01: ARP probes for duplicate addresses (RFC 5227), whose sender address is 0.0.0.0, are dropped
  ! 0a:00:00:00:00:01: protocols other than IP and ARP, such as RARP and LLDP, are dropped

E3 (OVN 24.03.8, 24.09.4, 25.03.3, 25.09.3 and 26.03 and later)
  "0a:00:00:00:00:01 10.16.0.5,10.16.0.6": rejected at byte 18: "10.16.0.5,10.16.0.6" is not an address, and one bad word costs the whole element
  Looks protected but is open: nothing of the column can be used. Sends with any MAC and any address.
  may also send from any MAC with any address
  ! nothing of the column can be used, so that nothing is checked; the column looks protected and is open
`
	if diff := cmp.Diff(want, stdout); code != exitOK || stderr != "" || diff != "" {
		t.Errorf("exit %d, stderr %q, standard output:\n%s", code, stderr, diff)
	}
}

func TestPortsecExplainJSON(t *testing.T) {
	code, stdout, stderr := runMain(
		"portsec",
		"explain",
		"-o",
		"json",
		"--era",
		"E1",
		"--identity",
		testElement,
		testMAC+" 10.16.0.0/30",
	)
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d, stderr %q", code, stderr)
	}
	var got []map[string]any
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 {
		t.Fatalf("%d readings, want 1", len(got))
	}
	delete(got[0], "warnings")
	want := map[string]any{
		"eras": []any{
			"E1",
		},
		"elements":   []any{map[string]any{"element": testMAC + " 10.16.0.0/30", "outcome": "accepted"}},
		"means":      "Sends only as 0a:00:00:00:00:01 with 10.16.0.0/30; ARP checked, IPv6 blocked entirely.",
		"canonical":  []any{testMAC + " 10.16.0.0/30"},
		"open":       false,
		"unenforced": false,
		"excess":     []any{testMAC + " 10.16.0.0/30"},
		"loss":       []any{testMAC + " 10.16.0.5"},
	}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
}

func TestPortsecExplainWrongUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"no element":   {nil, "no element: give each element"},
		"bad identity": {[]string{"--identity", "0a-00", "x"}, `--identity: MAC "0a-00"`},
		"no identity":  {[]string{"--identity", " ", "x"}, "--identity: want 'MAC IP...'"},
		"bad address":  {[]string{"--identity", testMAC + " ten", "x"}, `--identity: "ten" is not an address`},
		"bad output":   {[]string{"-o", "xml", "x"}, `--output: "xml"`},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMain(append([]string{"portsec", "explain"}, tt.args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %q", code, stdout, stderr, tt.want)
			}
		})
	}
}

// The page about port security shows the program's real output.
func TestPortSecurityPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/port-security.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for block := range strings.SplitSeq(string(page), "```\n") {
		line, output, _ := strings.Cut(block, "\n")
		command, ok := strings.CutPrefix(line, "$ ovnguard ")
		if !ok {
			continue
		}
		shown++
		// Words are separated by blanks, and blanks within one are in single quotes.
		var args []string
		for i, part := range strings.Split(command, "'") {
			if i%2 == 1 {
				args = append(args, part)
			} else {
				args = append(args, strings.Fields(part)...)
			}
		}
		code, stdout, stderr := runMain(args...)
		if diff := cmp.Diff(output, stdout); code != exitOK || stderr != "" || diff != "" {
			t.Errorf("%s: exit %d, stderr %q, standard output:\n%s", command, code, stderr, diff)
		}
	}
	if shown == 0 {
		t.Error("the page shows no command")
	}
}
