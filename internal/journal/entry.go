// Package journal keeps what repair did in the cluster itself, so that it survives restarts and other replicas, and can
// be undone: before each change what is meant, after it what became of it.
package journal

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Entry is one change. Intent and outcome are written one after the other, and read as one.
type Entry struct {
	// ID is unique and in the order of the changes.
	ID   string    `json:"id"`
	Time time.Time `json:"time"`
	// By is the replica that made it.
	By string `json:"by,omitempty"`
	// Undoes is the ID of the change that this one takes back; empty for a repair.
	Undoes string `json:"undoes,omitempty"`
	// Port is the name of the Logical_Switch_Port, Row its UUID.
	Port string `json:"port,omitempty"`
	Row  string `json:"row,omitempty"`
	// Namespace, Pod and PodUID name the pod.
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	PodUID    string `json:"podUID,omitempty"`
	Why       string `json:"why,omitempty"`
	// Before and After are what was there and what was written: a change is of columns or of annotations.
	Before Values `json:"before,omitzero"`
	After  Values `json:"after,omitzero"`
	// Outcome is one of the outcomes below; empty where nobody lived to note it.
	Outcome string `json:"outcome,omitempty"`
	Error   string `json:"error,omitempty"`
}

// Outcomes of changes. They are the texts of ovn.Result, which this package does not know.
const (
	Written  = "written"
	Conflict = "conflict"
	Failed   = "failed"
	Unknown  = "unknown"
)

// told reports whether the entry says of each column that it is about what was there and what was written.
func (e Entry) told() bool {
	b, a := e.Before, e.After
	return (b.PortSecurity == nil) == (a.PortSecurity == nil) && (b.Addresses == nil) == (a.Addresses == nil) &&
		(b.ExternalIDs == nil) == (a.ExternalIDs == nil)
}

// Made reports whether the change was made, as far as is known.
func (e Entry) Made() bool { return e.Outcome != Conflict && e.Outcome != Failed }

// Values are what one change is about: columns of the row, or annotations of the pod. nil columns are not part of it.
// An annotation that was not there is the empty text.
type Values struct {
	PortSecurity *[]string          `json:"port_security,omitempty"`
	Addresses    *[]string          `json:"addresses,omitempty"`
	ExternalIDs  *map[string]string `json:"external_ids,omitempty"`
	Annotations  map[string]string  `json:"annotations,omitempty"`
}

// explicit returns the values with columns that are empty as [], since null would be read as not part of the change.
func (v Values) explicit() Values {
	for _, column := range []**[]string{&v.PortSecurity, &v.Addresses} {
		if *column != nil && **column == nil {
			*column = &[]string{}
		}
	}
	if v.ExternalIDs != nil && *v.ExternalIDs == nil {
		v.ExternalIDs = &map[string]string{}
	}
	return v
}

// line returns the entry as it is stored.
func (e Entry) line() (string, error) {
	e.Before, e.After = e.Before.explicit(), e.After.explicit()
	text, err := json.Marshal(e)
	return string(text) + "\n", err
}

// outcome returns the line that completes an entry.
func (e Entry) outcome() Entry {
	return Entry{ID: e.ID, Time: e.Time, Outcome: e.Outcome, Error: e.Error}
}

// Parse reads lines of entries and puts those of one change together, in the order of the intents. What cannot be read
// is counted, not lost silently; an outcome whose intent is gone is left out.
func Parse(text string) (entries []Entry, unreadable int) {
	at := make(map[string]int)
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" || !e.told() {
			unreadable++
			continue
		}
		i, known := at[e.ID]
		switch {
		case !known && e.Port != "":
			at[e.ID] = len(entries)
			entries = append(entries, e)
		case known:
			entries[i].Outcome, entries[i].Error = e.Outcome, e.Error
		}
	}
	return entries, unreadable
}

// newID returns the ID of the n-th change of a replica that began at a time: IDs sort as the changes were made.
func newID(begun time.Time, n uint64) string { return fmt.Sprintf("%016x-%08x", begun.UnixNano(), n) }
