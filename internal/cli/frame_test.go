package cli

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// runMain runs a command line and returns what it printed.
func runMain(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = Main(args, &out, &errs)
	return code, out.String(), errs.String()
}

const (
	testElement = "0a:00:00:00:00:01 10.16.0.5"
	testMAC     = "0a:00:00:00:00:01"
)

func TestFrame(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string // the beginning of standard output
	}{
		"own address": {
			[]string{"--port-security", testElement, "--src-mac", testMAC, "--src-ip", "10.16.0.5"},
			"allow: the source MAC and its IPv4 address are listed (ip4-source)",
		},
		"foreign address": {
			[]string{"--port-security", testElement, "--src-mac", testMAC, "--src-ip", "10.16.0.6"},
			"drop: the source IPv4 address is not listed for the source MAC (unlisted-ip4)",
		},
		"foreign MAC": {
			[]string{"--port-security", testElement, "--src-mac", "0a:00:00:00:00:02", "--src-ip", "10.16.0.5"},
			"drop: the source MAC is not listed (unlisted-mac)",
		},
		"forged ARP": {
			[]string{"--port-security", testElement, "--src-mac", testMAC, "--arp-spa", "10.16.0.1"},
			"drop: the ARP sender's address is not listed for its MAC (unlisted-arp-address)",
		},
		"forged ARP sender": {
			[]string{
				"--port-security",
				testElement,
				"--src-mac",
				testMAC,
				"--arp-spa",
				"10.16.0.5",
				"--arp-sha",
				"0a:00:00:00:00:02",
			},
			"drop: the ARP sender's MAC",
		},
		"forged advertisement": {
			[]string{
				"--era",
				"E3",
				"--port-security",
				testMAC + " fd00::5",
				"--src-mac",
				testMAC,
				"--src-ip",
				"fd00::5",
				"--nd",
				"na",
				"--nd-target",
				"fd00::6",
			},
			"drop: the neighbour advertisement",
		},
		"own advertisement": {
			[]string{
				"--era",
				"E3",
				"--port-security",
				testMAC + " fd00::5",
				"--src-mac",
				testMAC,
				"--src-ip",
				"fd00::5",
				"--nd",
				"na",
				"--nd-target",
				"fd00::5",
				"--nd-lladdr",
				testMAC,
			},
			"allow: it advertises",
		},
		"unusable column": {
			[]string{"--era", "E1", "--port-security", "unknown", "--src-mac", testMAC, "--src-ip", "10.16.0.6"},
			"allow: nothing of port_security can be used",
		},
		"empty column": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.16.0.6"},
			"allow: port_security is empty",
		},
		"by version": {
			[]string{
				"--ovn-version",
				"24.03.8",
				"--port-security",
				testElement + ",10.16.0.6",
				"--src-mac",
				testMAC,
				"--src-ip",
				"10.16.0.9",
			},
			"allow: nothing of port_security can be used",
		},
		"by release of Kube-OVN": {
			[]string{
				"--ovn-version",
				"24.03.8",
				"--kube-ovn-release",
				"v1.14.30",
				"--port-security",
				testElement + ",10.16.0.6",
				"--src-mac",
				testMAC,
				"--src-ip",
				"10.16.0.9",
			},
			"drop: the source IPv4 address",
		},
		"by commit": {
			[]string{
				"--ovn-version",
				"24.03.8+gef8f5c1ac63e",
				"--port-security",
				testElement + ",10.16.0.6",
				"--src-mac",
				testMAC,
				"--src-ip",
				"10.16.0.9",
			},
			"allow: nothing of port_security can be used",
		},
		"by older version": {
			[]string{
				"--ovn-version",
				"24.03.7",
				"--port-security",
				testElement + ",10.16.0.6",
				"--src-mac",
				testMAC,
				"--src-ip",
				"10.16.0.9",
			},
			"drop: the source IPv4 address",
		},
		"DHCP": {
			[]string{
				"--port-security",
				testElement,
				"--src-mac",
				testMAC,
				"--src-ip",
				"0.0.0.0",
				"--dst-ip",
				"255.255.255.255",
				"--sport",
				"68",
				"--dport",
				"67",
			},
			"allow: it is a DHCP request",
		},
		"tag": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.16.0.5", "--vlan", "0"},
			"drop: it carries a VLAN tag",
		},
		"tag passed through": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.16.0.5", "--vlan", "5", "--vlan-passthru"},
			"allow: ",
		},
		"child's tag": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.16.0.5", "--vlan", "5", "--child-tag", "5"},
			"allow: ",
		},
		"disabled": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.16.0.5", "--disabled"},
			"drop: the port is disabled",
		},
		"type": {
			[]string{
				"--era",
				"E1",
				"--port-security",
				testElement,
				"--type",
				"localnet",
				"--src-mac",
				testMAC,
				"--src-ip",
				"9.9.9.9",
			},
			"allow: OVN does not check ports of this type",
		},
		"other protocol": {
			[]string{"--era", "E1", "--port-security", testElement, "--src-mac", testMAC, "--eth-type", "0x88cc"},
			"drop: a MAC that is listed with addresses",
		},
		"to the port": {
			[]string{
				"--direction",
				"out",
				"--port-security",
				testElement,
				"--dst-mac",
				testMAC,
				"--dst-ip",
				"10.16.0.5",
			},
			"allow: the destination MAC and IPv4 address are listed",
		},
		"to the port, not its": {
			[]string{
				"--direction",
				"out",
				"--port-security",
				testElement,
				"--dst-mac",
				testMAC,
				"--dst-ip",
				"10.16.0.6",
			},
			"drop: the destination MAC is listed with addresses",
		},
		"hex": {
			[]string{
				"--port-security",
				testElement,
				"--hex",
				"ffffffffffff 0a:00:00:00:00:01 0806 0001 0800 06 04 0001 0a0000000001 0a100005 000000000000 0a100001",
			},
			"allow: the ARP sender",
		},
		"hex that is no frame": {[]string{"--port-security", testElement, "--hex", "ffff"}, "drop: it is too short"},
		"any era lets it pass": {
			[]string{"--port-security", "unknown", "--src-mac", testMAC, "--arp-spa", "10.16.0.1"},
			"allow: nothing of port_security can be used, so nothing is checked (column-unusable)\n  E0  drop   " +
				"nothing",
		},
		"future version": {
			[]string{
				"--ovn-version",
				"29.03.1",
				"--port-security",
				testElement + " x",
				"--src-mac",
				testMAC,
				"--src-ip",
				"9.9.9.9",
			},
			"allow: nothing of port_security can be used",
		},
		"version without patch": {
			[]string{
				"--ovn-version",
				"24.03",
				"--port-security",
				testElement + " x",
				"--src-mac",
				testMAC,
				"--src-ip",
				"9.9.9.9",
			},
			"allow: nothing of port_security can be used, so nothing is checked (column-unusable)\n  E2  drop ",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMain(append([]string{"frame"}, tt.args...)...)
			if code != exitOK || stderr != "" || !strings.HasPrefix(stdout, tt.want) {
				t.Errorf("exit %d, stderr %q, stdout:\n%s\nwant it to begin with:\n%s", code, stderr, stdout, tt.want)
			}
		})
	}
}

func TestFrameWrongUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"no frame":           {nil, "no frame: describe it"},
		"no source MAC":      {[]string{"--src-ip", "10.0.0.1"}, "--src-mac: is required"},
		"no destination MAC": {[]string{"--direction", "out", "--src-ip", "10.0.0.1"}, "--dst-mac: is required"},
		"bad MAC": {
			[]string{"--src-mac", "0a-00", "--src-ip", "10.0.0.1"},
			`--src-mac "0a-00": want six octets`,
		},
		"bad address": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.0.0"},
			`--src-ip: "10.0.0" is not an address`,
		},
		"mixed families": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.0.0.1", "--dst-ip", "fd00::1"},
			"one is IPv4 and the other IPv6",
		},
		"ARP and IP": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.0.0.1", "--arp-spa", "10.0.0.1"},
			"a frame is either ARP or IP",
		},
		"nothing in it": {[]string{"--src-mac", testMAC}, "--eth-type: is required"},
		"discovery over 4": {
			[]string{"--src-mac", testMAC, "--src-ip", "10.0.0.1", "--nd", "na", "--nd-target", "fd00::1"},
			"neighbour discovery is IPv6",
		},
		"two eras": {
			[]string{"--era", "E1", "--ovn-version", "22.03.0", "--hex", "00"},
			"--era and --ovn-version: give one of them",
		},
		"bad era": {[]string{"--era", "E9", "--hex", "00"}, `--era "E9": want E0, E1, E2, E2a, E2b or E3`},
		"no such release": {
			[]string{"--ovn-version", "24.03.8", "--kube-ovn-release", "new", "--hex", "00"},
			"--kube-ovn-release: \"new\": want the tag",
		},
		"release alone": {
			[]string{"--kube-ovn-release", "v1.14.30", "--hex", "00"},
			"--kube-ovn-release: it narrows",
		},
		"bad version":   {[]string{"--ovn-version", "new", "--hex", "00"}, `--ovn-version: OVN version "new"`},
		"bad direction": {[]string{"--direction", "up", "--hex", "00"}, `--direction "up": want in`},
		"bad hex":       {[]string{"--hex", "0g"}, "--hex: "},
		"bad output": {
			[]string{"--output", "xml", "--hex", "00"},
			`--output: "xml": want text, table, wide, json, yaml, csv, markdown or html`,
		},
		"two sources":       {[]string{"--hex", "00", "--pcap", "x"}, "give one of them"},
		"source and fields": {[]string{"--hex", "00", "--src-mac", testMAC}, "--hex and fields of a frame"},
		"build alone":       {[]string{"--build", "main", "--hex", "00"}, "--build: only with --vectors"},
		"vectors and port":  {[]string{"--vectors", "x", "--port-security", "y"}, "each vector has its own port"},
		"no such file":      {[]string{"--vectors", "/does/not/exist"}, "--vectors: open /does/not/exist"},
		"no such capture":   {[]string{"--pcap", "/does/not/exist"}, "--pcap: open /does/not/exist"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMain(append([]string{"frame"}, tt.args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stdout %q, stderr %q; want exit %d and %q", code, stdout, stderr, exitUsage, tt.want)
			}
		})
	}
}

const (
	testOwnARP    = "ffffffffffff0a00000000010806000108000604000" + "10a00000000010a1000050000000000000a100001"
	testForgedARP = "ffffffffffff0a00000000010806000108000604000" + "10a00000000010a1000010000000000000a100001"
)

func TestFramePcap(t *testing.T) {
	var frames [][]byte
	for _, text := range []string{testOwnARP, testForgedARP} {
		frame, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	write := map[string]func(f *os.File) error{
		"pcap": func(f *os.File) error {
			w := pcapgo.NewWriter(f)
			if err := w.WriteFileHeader(65536, layers.LinkTypeEthernet); err != nil {
				return err
			}
			for _, frame := range frames {
				if err := w.WritePacket(testInfo(frame), frame); err != nil {
					return err
				}
			}
			return nil
		},
		"pcapng": func(f *os.File) error {
			w, err := pcapgo.NewNgWriter(f, layers.LinkTypeEthernet)
			if err != nil {
				return err
			}
			for _, frame := range frames {
				if err := w.WritePacket(testInfo(frame), frame); err != nil {
					return err
				}
			}
			return w.Flush()
		},
	}
	const want = `frame 1: allow: the ARP sender's MAC and address are listed (arp-sender)
frame 2: drop: the ARP sender's address is not listed for its MAC (unlisted-arp-address)
`
	for name, write := range write {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "capture")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := write(f); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := runMain("frame", "--era", "E2", "--port-security", testElement, "--pcap", path)
			if diff := cmp.Diff(want, stdout); code != exitOK || stderr != "" || diff != "" {
				t.Errorf("exit %d, stderr %q, standard output:\n%s", code, stderr, diff)
			}
			const rows = "frame,verdict,rule,reason\n1,allow,arp-sender,the ARP sender's MAC and address are listed\n" +
				"2,drop,unlisted-arp-address,the ARP sender's address is not listed for its MAC\n"
			code, stdout, _ = runMain(
				"frame",
				"--era",
				"E2",
				"--port-security",
				testElement,
				"--pcap",
				path,
				"-o",
				"csv",
			)
			if diff := cmp.Diff(rows, stdout); code != exitOK || diff != "" {
				t.Errorf("exit %d, CSV:\n%s", code, diff)
			}
		})
	}
}

func testInfo(frame []byte) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: time.Unix(0, 0), CaptureLength: len(frame), Length: len(frame)}
}

func TestFramePcapOfAnotherKind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "capture")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := pcapgo.NewWriter(f).WriteFileHeader(65536, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := runMain("frame", "--pcap", path)
	if code != exitUsage || !strings.Contains(stderr, "capture Ethernet frames") {
		t.Errorf("exit %d, stderr %q", code, stderr)
	}
}

const testVectors = `{"id":"own","port_security":["0a:00:00:00:00:01 10.16.0.5"],"direction":"in","frame":{"eth_src":"0a:00:00:00:00:01","eth_dst":"00:00:00:00:99:99","eth_type":"0x0800","vlan":null,"ipv4_src":"10.16.0.5","ipv4_dst":"10.16.0.9"},"verdict":"allow","observed":{"main":"drop"}}
{"port_security":["unknown"],"direction":"in","port":{"enabled":false},"frame":{"eth_src":"0a:00:00:00:00:01","eth_dst":"00:00:00:00:99:99","eth_type":"0x88cc"},"verdict":"drop"}
`

func TestFrameVectors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vectors")
	if err := os.WriteFile(path, []byte(testVectors), 0o600); err != nil {
		t.Fatal(err)
	}
	const own = `{"id":"own","verdict":"allow","reason":"the source MAC and its IPv4 address are listed","rule":"ip4-source"`
	const second = `{"id":"2","verdict":"drop","reason":"the port is disabled","rule":"port-disabled"}` + "\n"
	tests := map[string]struct {
		args            []string
		code            int
		stdout, summary string
	}{
		"own verdict": {
			[]string{"--era", "E1"},
			exitOK,
			own + "}\n" + second,
			"2 vectors judged as [E1], 2 compared, 0 different\n",
		},
		"observed": {
			[]string{"--build", "main"},
			exitFindings,
			own + `,"expected":"drop"}` + "\n" + second,
			"2 vectors judged as [E3], 1 compared, 1 different\n",
		},
		"forced era": {
			[]string{"--build", "main", "--era", "E0"},
			exitFindings,
			own + `,"expected":"drop"}` + "\n" + second,
			"2 vectors judged as [E0], 1 compared, 1 different\n",
		},
		"every era": {
			nil,
			exitOK,
			own + "}\n" + second,
			"2 vectors judged as [E0 E1 E2 E2a E2b E3], 2 compared, 0 different\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := runMain(append([]string{"frame", "--vectors", path}, tt.args...)...)
			if code != tt.code || stderr != tt.summary {
				t.Errorf("exit %d, stderr %q; want %d, %q", code, stderr, tt.code, tt.summary)
			}
			if diff := cmp.Diff(tt.stdout, stdout); diff != "" {
				t.Error(diff)
			}
			code, rows, _ := runMain(append([]string{"frame", "--vectors", path, "-o", "table"}, tt.args...)...)
			if code != tt.code || !strings.HasPrefix(rows, "VECTOR  VERDICT  EXPECTED  RULE") ||
				strings.Contains(rows, "allow    drop") != (tt.code == exitFindings) {
				t.Errorf("exit %d, table:\n%s", code, rows)
			}
			for line := range strings.Lines(stdout) {
				if !json.Valid([]byte(line)) {
					t.Errorf("%q is no JSON", line)
				}
			}
		})
	}
}

// A comparison with nothing is no success.
func TestFrameVectorsOfAnotherBuild(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"another": {testVectors, `was observed with "22.03.0"; it has main`},
		"none": {
			testVectors[strings.Index(testVectors, "\n")+1:], `was observed with "22.03.0"; the file names none`,
		},
		"no lines": {"", "holds no vector"},
		"no items": {"[]", "holds no vector"},
	} {
		path := filepath.Join(t.TempDir(), "vectors")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := runMain("frame", "--vectors", path, "--build", "22.03.0")
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want %d, %q", name, code, stdout, stderr, exitUsage, c.want)
		}
	}
}

func TestFrameBadVectors(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"no JSON": {"x", "vector 1: invalid character"},
		"open array": {
			`[{"port_security":[],"direction":"in","frame":{"eth_src":"0a:00:00:00:00:01","eth_dst":"0a:00:00:00:00:01","eth_type":"0x88cc"}}`,
			"does not end",
		},
		"bad field":    {`{"id":"a","direction":"in","frame":{"eth_src":"x"}}`, `vector 1 (a): frame: eth_dst ""`},
		"no direction": {`{"id":"a","frame":{}}`, `vector 1 (a): direction "": want in`},
		"no address": {
			`{"direction":"in","frame":{"eth_src":"0a:00:00:00:00:01","eth_dst":"0a:00:00:00:00:01","eth_type":"0x0800"}}`,
			"ipv4_src: it is needed here and missing",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vectors")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, stderr := runMain("frame", "--era", "E1", "--vectors", path)
			if code != exitUsage || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d, stderr %q; want %d, %q", code, stderr, exitUsage, tt.want)
			}
		})
	}
}
