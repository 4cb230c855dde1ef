package cli

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// runPcap judges every frame of a capture.
func (o *frameOptions) runPcap(j frameJudge, out io.Writer) error {
	file, err := os.Open(o.pcap)
	if err != nil {
		return usage(fmt.Errorf("--pcap: %w", err))
	}
	defer func() { _ = file.Close() }()
	source, err := framePcapReader(bufio.NewReader(file))
	if err != nil {
		return usage(fmt.Errorf("--pcap: %s: %w", o.pcap, err))
	}
	var verdicts []frameVerdict
	for n := 1; ; n++ {
		frame, info, err := source.ReadPacketData()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return usage(fmt.Errorf("--pcap: %s: frame %d: %w", o.pcap, n, err))
		}
		// What the capture cut off was there on the wire; OVN's checks look at headers and lengths only.
		if missing := min(info.Length, frameLargest) - len(frame); missing > 0 {
			frame = append(frame, make([]byte, missing)...)
		}
		v := j.judge(frame)
		v.Frame = n
		verdicts = append(verdicts, v)
	}
	return o.writeAll(out, verdicts)
}

// frameLargest bounds what is filled up: no frame is larger.
const frameLargest = 1 << 16

// framePcapReader reads either format of captures.
func framePcapReader(r *bufio.Reader) (gopacket.PacketDataSource, error) {
	const sectionHeader = 0x0a0d0d0a
	magic, err := r.Peek(4)
	if err != nil {
		return nil, errors.New("it is too short for a capture")
	}
	var source interface {
		gopacket.PacketDataSource
		LinkType() layers.LinkType
	}
	if binary.BigEndian.Uint32(magic) == sectionHeader {
		source, err = pcapgo.NewNgReader(r, pcapgo.DefaultNgReaderOptions)
	} else {
		source, err = pcapgo.NewReader(r)
	}
	if err != nil {
		return nil, fmt.Errorf("it is neither pcap nor pcapng: %w", err)
	}
	if link := source.LinkType(); link != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("its link type is %s; capture Ethernet frames, for example on the pod's interface", link)
	}
	return source, nil
}
