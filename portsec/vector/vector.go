// Package vector holds test vectors for port security: a column, one frame, and what a real OVN did with it. It reads
// them from JSON and makes the frame's bytes, so that the tests of this repository, other programs and other people's
// measurements speak of the same frames.
package vector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/ovnguard/ovnguard/portsec"
)

// Vector is one frame at one port.
type Vector struct {
	// ID names the vector; it may be empty.
	ID           string   `json:"id,omitempty"`
	PortSecurity []string `json:"port_security"`
	Addresses    []string `json:"addresses,omitempty"`
	// Direction is "in" for a frame from the port and "out" for one to it.
	Direction string `json:"direction"`
	Frame     Frame  `json:"frame"`
	Port      *Port  `json:"port,omitempty"`
	// Verdict is "allow" or "drop", or empty where it is not known.
	Verdict string `json:"verdict,omitempty"`
	// Observed returns the verdict by OVN build.
	Observed map[string]string `json:"observed,omitempty"`
	// Source says how the verdict is known, Note what the vector is about.
	Source string `json:"source,omitempty"`
	Note   string `json:"note,omitempty"`
}

// Port is what else of the port matters.
type Port struct {
	Type            string `json:"type,omitempty"`
	Enabled         *bool  `json:"enabled,omitempty"`
	VLANPassthrough bool   `json:"vlan_passthru,omitempty"`
	// Parent and Tag make it a child port.
	Parent string `json:"parent,omitempty"`
	Tag    uint16 `json:"tag,omitempty"`
}

// Conditions returns the port's part of the verdict.
func (v Vector) Conditions() portsec.Port {
	if v.Port == nil {
		return portsec.Port{}
	}
	return portsec.Port{
		Type: v.Port.Type, Disabled: v.Port.Enabled != nil && !*v.Port.Enabled,
		VLANPassthrough: v.Port.VLANPassthrough, ChildTag: v.Port.Tag,
	}
}

// Judge returns the verdict on the vector's frame as OVN of the era gives it. An error names the field that is wrong.
func (v Vector) Judge(era portsec.Era) (portsec.Verdict, error) {
	direction, err := portsec.ParseDirection(v.Direction)
	if err != nil {
		return portsec.Verdict{}, err
	}
	frame, err := v.Frame.Bytes()
	if err != nil {
		return portsec.Verdict{}, fmt.Errorf("frame: %w", err)
	}
	return portsec.Parse(era, v.PortSecurity).Set().Verdict(v.Conditions(), direction, frame), nil
}

// Expected returns the verdict that a build of OVN was seen to give, or without a build the vector's own. ok is false
// where it is not known.
func (v Vector) Expected(build string) (verdict string, ok bool) {
	if build == "" {
		return v.Verdict, v.Verdict != ""
	}
	verdict, ok = v.Observed[build]
	return verdict, ok
}

// Read reads vectors: a JSON array of them, or one JSON object after the other. An error says which vector it is about,
// counted from 1.
func Read(r io.Reader) ([]Vector, error) {
	buffered := bufio.NewReader(r)
	decoder := json.NewDecoder(buffered)
	array, err := startsWith(buffered, '[')
	if err != nil {
		return nil, err
	}
	if array {
		if _, err := decoder.Token(); err != nil {
			return nil, fmt.Errorf("vectors: %w", err)
		}
	}
	var out []Vector
	for !array || decoder.More() {
		var v Vector
		switch err := decoder.Decode(&v); {
		case !array && errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("vector %d: %w", len(out)+1, err)
		}
		out = append(out, v)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("vectors: the array does not end: %w", err)
	}
	return out, nil
}

// startsWith reports whether the first byte that is no blank is c.
func startsWith(r *bufio.Reader, c byte) (bool, error) {
	for n := 1; ; n++ {
		head, err := r.Peek(n)
		if len(head) < n {
			if errors.Is(err, io.EOF) {
				return false, nil
			}
			return false, fmt.Errorf("vectors: %w", err)
		}
		if last := head[n-1:]; len(bytes.TrimSpace(last)) > 0 {
			return last[0] == c, nil
		}
	}
}
