package bundle

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// Archive collects files, and says of each what it is, and of what is not in it why.
type Archive struct {
	Redact *Redactor
	// Made is when it was made, and By the version of the program.
	Made time.Time
	By   string

	files   []file
	leftOut []LeftOut
}

type file struct {
	Name string `json:"name"`
	Has  string `json:"has"`
	// Note says what is not in it; empty where all is.
	Note string `json:"note,omitempty"`

	data string
}

// LeftOut is something that is not in the archive.
type LeftOut struct {
	What string `json:"what"`
	Why  string `json:"why"`
}

// index is the file that says what the archive has. It may grow; a field never changes its meaning or goes away.
type index struct {
	Made    time.Time `json:"made"`
	Version string    `json:"version"`
	Files   []file    `json:"files"`
	LeftOut []LeftOut `json:"leftOut"`
	// Addresses says whether addresses are kept.
	Addresses string `json:"addresses"`
	Secrets   string `json:"secrets"`
}

// Add adds a file. Secrets are removed from it, and addresses get placeholders.
func (a *Archive) Add(name, has, note string, data []byte) {
	a.files = append(a.files, file{a.Redact.Text(name), has, a.Redact.Text(note), a.Redact.Text(string(data))})
}

// AddJSON is Add for a value that is written as JSON.
func (a *Archive) AddJSON(name, has, note string, value any) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		a.Leave(name, err.Error())
		return
	}
	a.Add(name, has, note, append(data, '\n'))
}

// Leave notes that something is left out.
func (a *Archive) Leave(what, why string) {
	a.leftOut = append(a.leftOut, LeftOut{a.Redact.Text(what), a.Redact.Text(why)})
}

// Files returns the names of the files.
func (a *Archive) Files() (names []string) {
	for _, f := range a.files {
		names = append(names, f.Name)
	}
	return names
}

// LeftOut returns what is left out.
func (a *Archive) LeftOut() []LeftOut { return a.leftOut }

// Write writes the archive as a compressed tar, with the index first.
func (a *Archive) Write(w io.Writer) error {
	packed := gzip.NewWriter(w)
	t := tar.NewWriter(packed)
	for _, f := range append(a.describe(), a.files...) {
		err := t.WriteHeader(&tar.Header{
			Name: "ovnguard-bundle/" + f.Name, Mode: 0o600, Size: int64(len(f.data)), ModTime: a.Made,
		})
		if err != nil {
			return err
		}
		if _, err := io.WriteString(t, f.data); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return packed.Close()
}

// describe returns the index, for programs and for people.
func (a *Archive) describe() []file {
	secrets, addresses := a.Redact.Removals()
	x := index{
		Made:    a.Made.UTC(),
		Version: a.By,
		Files:   append([]file{}, a.files...),
		LeftOut: append([]LeftOut{}, a.leftOut...),
		Addresses: fmt.Sprintf("%d addresses have placeholders such as ipv4-1 and mac-1, the same one for the same "+
			"address in all files; --addresses keeps them", addresses),
		Secrets: fmt.Sprintf("Secrets were not read. Values of environment variables and annotations of others were "+
			"removed, and %d texts that look like secrets", secrets),
	}
	if a.Redact.Addresses {
		x.Addresses = "kept, as --addresses asked"
	}
	data, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		data = []byte(err.Error()) // texts always marshal
	}
	var text strings.Builder
	fmt.Fprintf(
		&text,
		"Made by ovnguard %s at %s.\n\nAddresses: %s.\nSecrets: %s.\nNames of pods, nodes and users are "+
			"as they are.\n\nFiles:\n",
		x.Version,
		x.Made.Format(time.RFC3339),
		x.Addresses,
		x.Secrets,
	)
	for _, f := range x.Files {
		fmt.Fprintf(&text, "  %s: %s\n", f.Name, f.Has)
		if f.Note != "" {
			fmt.Fprintf(&text, "    %s\n", f.Note)
		}
	}
	if len(x.LeftOut) > 0 {
		fmt.Fprint(&text, "\nLeft out:\n")
	}
	for _, l := range x.LeftOut {
		fmt.Fprintf(&text, "  %s: %s\n", l.What, l.Why)
	}
	return []file{{Name: "README.txt", data: text.String()}, {Name: "index.json", data: string(data) + "\n"}}
}
