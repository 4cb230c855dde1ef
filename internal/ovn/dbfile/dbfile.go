// Package dbfile reads the database files of ovsdb-server without a server: bytes in, rows out. It knows the standalone
// format (also what `ovsdb-client backup` writes), the clustered one, and the text that OVN's tools print of a database.
// The formats are those of ovsdb(5), ovsdb-client(1) and ovn-nbctl(8).
//
// Bytes can only ever give errors. A file that ends early or is damaged gives everything that is sound before the
// damage, and says what is lost.
package dbfile

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Format tells how a database was written.
type Format string

// The formats that are read.
const (
	// Standalone is the file of a single server, or of an active and a backup server.
	Standalone Format = "standalone"
	// Clustered is the file of one server of a RAFT cluster.
	Clustered Format = "clustered"
	// Dump is the output of `ovsdb-client dump` in any of its formats. Like the others below it has no schema: columns
	// have the types that their values show, and a value that is default looks like any other.
	Dump Format = "dump"
	// List is what `ovn-nbctl list` and `find` print: tables without their names, and perhaps not all rows.
	List Format = "list"
	// Show is what `ovn-nbctl show` prints: names, types and addresses of ports, and nothing else of them.
	Show Format = "show"
)

// ErrNoDatabase means that the bytes are not a database file, or that nothing of it can be read.
var ErrNoDatabase = errors.New("not an OVSDB database file")

// Database is what a file holds. It keeps the file's bytes alive, since its text is not copied.
type Database struct {
	Format Format
	// Name is that of the schema, such as OVN_Northbound. A dump does not tell it.
	Name string
	// Version is that of the schema, such as 7.11.0; empty where the file does not tell.
	Version string
	// Tables holds every table that was asked for and that the schema has.
	Tables map[string]*Table
	// Records counts the records that were read, the one that holds the schema or header included.
	Records int
	// Written is when the last transaction that counts was committed, as its server's clock said; zero where the file
	// does not tell. It has milliseconds.
	Written time.Time
	// Cluster is nil where the file is not clustered.
	Cluster *Cluster
	// Loss says what could not be read; nil where all of the file is sound.
	Loss *Loss
	// Unread are the lines of a text that could not be read: a row that one is part of is left out.
	Unread []Line

	arena  arena
	wanted map[string]bool
}

// Read reads a database, which keeps the text alive. Where tables are named, only they are kept and looked into; one
// that the schema does not have is left out of the result.
//
// The error wraps ErrNoDatabase where there is nothing sound to give. Damage behind a sound beginning is no error: see
// Loss.
func Read(text string, tables ...string) (*Database, error) {
	d := &Database{}
	if len(tables) > 0 {
		d.wanted = make(map[string]bool, len(tables))
		for _, t := range tables {
			d.wanted[t] = true
		}
	}
	var err error
	switch {
	case strings.HasPrefix(text, magic):
		err = d.readRecords(text)
	case text == "":
		err = errors.New("it is empty")
	case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		err = fmt.Errorf("it begins with %q and is no text", beginning(text))
	default:
		err = d.readText(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDatabase, err)
	}
	return d, nil
}

// readRecords reads a file of records, standalone or clustered.
func (d *Database) readRecords(text string) error {
	split := splitter{text: text}
	first, err := split.next()
	if err != nil {
		return fmt.Errorf("record 0: %w", err)
	}
	var follow func(record) error
	switch first.kind {
	case kindStandalone:
		d.Format = Standalone
		if err := d.setSchema(first.body); err != nil {
			return fmt.Errorf("record 0: %w", err)
		}
		follow = func(r record) error { return d.transaction(r.body) }
	case kindClustered:
		d.Format = Clustered
		log := &raftLog{db: d}
		if err := log.header(first.body); err != nil {
			return fmt.Errorf("record 0: %w", err)
		}
		follow = log.record
	default:
		return fmt.Errorf(
			"record 0: %w: its kind is %q, want JSON (standalone) or CLUSTER",
			ErrHeader,
			beginning(first.kind),
		)
	}
	d.Records = 1
	defer d.settle()
	for {
		r, err := split.next()
		switch {
		case err == nil && r.kind != first.kind:
			err = fmt.Errorf("%w: its kind is %q in a file of %q", ErrHeader, beginning(r.kind), first.kind)
		case err == nil:
			err = follow(r)
		case errors.Is(err, errEnd):
			return nil
		}
		if err != nil {
			d.Loss = lossAt(err, d.Records, r.offset, len(text))
			return nil
		}
		d.Records++
	}
}

// setSchema makes the database that of a schema, with no rows in it.
func (d *Database) setSchema(text string) error {
	s, err := parseSchema(text)
	if err != nil {
		return err
	}
	d.Name, d.Version, d.Tables = s.name, s.version, s.tables
	if d.wanted == nil {
		return nil
	}
	for name, t := range d.Tables {
		t.skipped = !d.wanted[name]
	}
	return nil
}

// Rows returns the rows of a table by UUID; nil where the database has no such table or it was not asked for.
func (d *Database) Rows(table string) map[string]*Row {
	if t := d.Tables[table]; t != nil {
		return t.Rows
	}
	return nil
}

// beginning returns as much of a text as belongs into a message.
func beginning(s string) string {
	const most = 24
	if len(s) > most {
		return s[:most]
	}
	return s
}
