package cli

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/portsec"
)

// frameOptions are the flags of the command.
type frameOptions struct {
	portSecurity []string
	eras         frameEras
	direction    string
	port         portsec.Port
	output       output

	// One of these says where the frame comes from; none means the fields.
	hex     string
	pcap    string
	vectors string
	build   string
	fields  frameFields
}

func newFrameCommand() *cobra.Command {
	var o frameOptions
	cmd := &cobra.Command{
		Use:   "frame",
		Short: "Say whether OVN allows or drops a frame, without a running OVN",
		Long: `Judges Ethernet frames as a port's port_security and OVN's checks before it do: allow or
drop, and the rule that decides. The frame is given by its fields, as hexadecimal bytes, as
a capture, or as a file of test vectors.

Without --ovn-version or --era every era of OVN is asked, and a frame counts as dropped only
if all of them drop it.

Exit code: 0 judged, 1 a vector's own verdict differs, 2 wrong usage.`,
		Example: `  ovnguard frame --port-security '0a:00:00:00:00:01 10.16.0.5' --src-mac 0a:00:00:00:00:01 --src-ip 10.16.0.6
  ovnguard frame --port-security '0a:00:00:00:00:01 10.16.0.5' --src-mac 0a:00:00:00:00:01 --arp-spa 10.16.0.1
  ovnguard frame --port-security unknown --ovn-version 24.03.8 --pcap pod.pcap
  ovnguard frame --era E1 --vectors portsec/testdata/vectors.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVar(
		&o.portSecurity,
		"port-security",
		nil,
		"element of the port's port_security; once for each. Without any it is empty",
	)
	o.eras.addFlags(flags)
	flags.StringVar(&o.direction, "direction", "in", "in: from the port, out: to the port")
	flags.StringVar(&o.port.Type, "type", "", "type of the port in the Northbound database; a pod's has none")
	flags.BoolVar(&o.port.Disabled, "disabled", false, "the port's enabled is false")
	flags.BoolVar(&o.port.VLANPassthrough, "vlan-passthru", false, "the switch has other_config:vlan-passthru=true")
	flags.Uint16Var(&o.port.ChildTag, "child-tag", 0, "VLAN tag of a child port")
	o.output.addFormats(flags, formatsAndText())
	flags.StringVar(&o.hex, "hex", "", "the frame's bytes in hexadecimal, from the destination MAC on")
	flags.StringVar(&o.pcap, "pcap", "", "capture file (pcap or pcapng); one verdict for each frame")
	flags.StringVar(
		&o.vectors,
		"vectors",
		"",
		"file of test vectors (a JSON array or JSON lines); one JSON line for each",
	)
	flags.StringVar(
		&o.build,
		"build",
		"",
		"with --vectors: compare with the recorded behaviour of this build of OVN; the era of the build is "+
			"used unless --era is given",
	)
	o.fields.addFlags(flags)
	return cmd
}

func (o *frameOptions) run(out, messages io.Writer) error {
	if o.build != "" && o.vectors == "" {
		return usage(errors.New("--build: only with --vectors"))
	}
	if o.build != "" && o.eras.era == "" && o.eras.version == "" {
		o.eras.version = o.build
	}
	eras, err := o.eras.list()
	if err != nil {
		return usage(err)
	}
	if err := o.output.checkAmong(formatsAndText()); err != nil {
		return err
	}
	direction, err := portsec.ParseDirection(o.direction)
	if err != nil {
		return usage(fmt.Errorf("--%w", err))
	}
	if err := o.oneSource(); err != nil {
		return usage(err)
	}
	j := frameJudge{eras: eras, port: o.port, direction: direction}
	for _, era := range eras {
		j.sets = append(j.sets, portsec.Parse(era, o.portSecurity).Set())
	}
	switch {
	case o.vectors != "":
		return o.runVectors(eras, out, messages)
	case o.pcap != "":
		return o.runPcap(j, out)
	}
	frame, err := o.frame(direction)
	if err != nil {
		return usage(err)
	}
	return o.writeOne(out, j.judge(frame))
}

// oneSource refuses what would leave open which frame is meant.
func (o *frameOptions) oneSource() error {
	var given []string
	for name, value := range map[string]string{"--hex": o.hex, "--pcap": o.pcap, "--vectors": o.vectors} {
		if value != "" {
			given = append(given, name)
		}
	}
	switch {
	case len(given) > 1:
		return errors.New("--hex, --pcap and --vectors: give one of them")
	case len(given) == 1 && o.fields.given():
		return fmt.Errorf("%s and fields of a frame: give one or the other", given[0])
	case o.vectors != "" && (len(o.portSecurity) > 0 || o.port != (portsec.Port{})):
		return errors.New(
			"--vectors: each vector has its own port; leave out --port-security, --type, --disabled, --vlan-passthru " +
				"and --child-tag",
		)
	}
	return nil
}

// frame returns the one frame that is meant.
func (o *frameOptions) frame(direction portsec.Direction) ([]byte, error) {
	if o.hex == "" {
		return o.fields.bytes(direction)
	}
	text := strings.NewReplacer(" ", "", ":", "", "\n", "", "\t", "").Replace(o.hex)
	frame, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("--hex: %w", err)
	}
	return frame, nil
}

// frameJudge asks all plausible eras about frames at one port.
type frameJudge struct {
	eras      []portsec.Era
	sets      []portsec.Set
	port      portsec.Port
	direction portsec.Direction
}

// frameVerdict is what became of a frame: allow as soon as one era allows it.
type frameVerdict struct {
	Frame   int               `json:"frame,omitempty"`
	Verdict string            `json:"verdict"`
	Rule    string            `json:"rule"`
	Reason  string            `json:"reason"`
	Eras    []frameEraVerdict `json:"eras,omitempty"`
}

type frameEraVerdict struct {
	Era     string `json:"era"`
	Verdict string `json:"verdict"`
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
}

func (j frameJudge) judge(frame []byte) frameVerdict {
	verdicts := make([]portsec.Verdict, len(j.sets))
	for i, set := range j.sets {
		verdicts[i] = set.Verdict(j.port, j.direction, frame)
	}
	return frameCombine(j.eras, verdicts)
}

func frameCombine(eras []portsec.Era, verdicts []portsec.Verdict) frameVerdict {
	decisive := verdicts[0]
	var out frameVerdict
	for i, v := range verdicts {
		if v.Allow && !decisive.Allow {
			decisive = v
		}
		out.Eras = append(
			out.Eras,
			frameEraVerdict{Era: eras[i].String(), Verdict: v.String(), Rule: v.Rule.String(), Reason: v.Rule.Text()},
		)
	}
	out.Verdict, out.Rule, out.Reason = decisive.String(), decisive.Rule.String(), decisive.Rule.Text()
	return out
}
