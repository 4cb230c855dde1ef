package explain

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// Document returns the JSON form of ports, as a controller of that version knew them at a time.
func Document(ports []Port, notes []string, at time.Time, version string) any {
	out := make([]document, len(ports))
	for i := range ports {
		out[i] = documented(&ports[i], "")
		out[i].Notes, out[i].Time, out[i].Version = append(out[i].Notes, notes...), new(at.UTC()), version
	}
	return out
}

// Served is what a controller answered about ports.
type Served struct {
	// Time is when it was true, and Version that of the controller. Notes are the controller's.
	Time    time.Time
	Version string
	Notes   []string

	ports []document
}

// ParseServed reads what Document wrote.
func ParseServed(text []byte) (Served, error) {
	var ports []document
	if err := json.Unmarshal(text, &ports); err != nil {
		return Served{}, fmt.Errorf("the answer about ports cannot be read: %w", err)
	}
	if len(ports) == 0 || ports[0].Time == nil {
		return Served{}, errors.New("it has no port, or does not say of when it is; its version may be another one")
	}
	first := &ports[0]
	return Served{*first.Time, first.Version, first.Notes, ports}, nil
}

// Only leaves the ports of a provider, and reports whether there are some.
func (s *Served) Only(provider string) bool {
	s.ports = slices.DeleteFunc(s.ports, func(d document) bool { return d.Provider != provider })
	return len(s.ports) > 0
}

// Breaks reports whether there is a finding that is more than worth knowing.
func (s *Served) Breaks() bool {
	return slices.ContainsFunc(s.ports, func(d document) bool {
		return slices.ContainsFunc(d.Findings, func(f finding) bool { return f.Severity != audit.Info })
	})
}

// Answer returns the answer about the ports. notes say what is not known.
func (s *Served) Answer(title string, notes []string) answer.Answer {
	return answered(title, s.ports, notes)
}
