package cli

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// fileScheme may precede the path of a database file, where it could be taken for something else.
const fileScheme = "file:"

// databaseFile returns the path in a value of --nb. ok is false where it is endpoints: a path has a slash or names a
// file that is there, and does not begin as an endpoint does.
func databaseFile(value string) (path string, ok bool) {
	if path, ok := strings.CutPrefix(value, fileScheme); ok {
		return path, true
	}
	for _, kind := range []string{"unix:", "tcp:", "ssl:"} {
		if strings.HasPrefix(value, kind) {
			return "", false
		}
	}
	if strings.Contains(value, "://") {
		return "", false
	}
	if strings.Contains(value, "/") {
		return value, true
	}
	info, err := os.Stat(value)
	return value, err == nil && info.Mode().IsRegular()
}

// checkNorthbound makes sure that --nb says something that can be tried.
func checkNorthbound(value string) error {
	if value == "" {
		return errors.New(
			"--nb: is required, for example unix:/var/run/ovn/ovnnb_db.sock, tcp:10.0.0.1:6641 or a copy of " +
				"ovnnb_db.db; or set $OVN_NB_DB",
		)
	}
	return checkDatabase("--nb", value)
}

// checkDatabase makes sure that the value of --nb or --sb says something that can be tried.
func checkDatabase(flag, value string) error {
	if path, ok := databaseFile(value); ok {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%s: database file: %w", flag, err)
		}
		return nil
	}
	if !strings.Contains(value, ":") {
		return fmt.Errorf(
			"%s: no such file: %s; or want unix:/PATH, tcp:HOST:PORT, ssl:HOST:PORT, or %sPATH of a database file",
			flag,
			answer.Plain(value),
			fileScheme,
		)
	}
	if _, err := ovn.ParseEndpoints(value); err != nil {
		return fmt.Errorf("%s: %w; or the path of a database file, or %sPATH", flag, err, fileScheme)
	}
	return nil
}

// regular returns an error for what is no file, such as a device, which never ends, or a pipe that nobody writes to.
// Directories come from others; a pipe that is named itself is read.
func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: is no regular file", path)
	}
	return err
}

// openFile opens a file, unpacked where it is packed by gzip.
func openFile(path string) (io.ReadCloser, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in, err := unpacked(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{in, file}, nil
}

// unpacked returns what is read, unpacked where it is packed by gzip.
func unpacked(in io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	if begin, err := buffered.Peek(2); err != nil || begin[0] != 0x1f || begin[1] != 0x8b {
		return buffered, nil //nolint:nilerr // a file that short is read as it is
	}
	packed := &packedReader{in: buffered}
	out, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	return &unpackedReader{in: out, packed: packed}, nil
}

// Bounds of a packed file: one of a few megabytes can unpack to more than the memory. Objects and rows become twenty
// times as long, and gzip reaches a thousand.
const (
	unpackedFreely = 64 << 20
	unpackedTimes  = 200
)

// packedReader counts what is read of a packed file.
type packedReader struct {
	in  *bufio.Reader
	all int64
}

// Read implements io.Reader.
func (p *packedReader) Read(to []byte) (int, error) {
	n, err := p.in.Read(to)
	p.all += int64(n)
	return n, err
}

// ReadByte implements io.ByteReader, so that no more is read than is unpacked.
func (p *packedReader) ReadByte() (byte, error) {
	b, err := p.in.ReadByte()
	if err == nil {
		p.all++
	}
	return b, err
}

// unpackedReader ends with an error where a file unpacks to far more than it has.
type unpackedReader struct {
	in     io.Reader
	packed *packedReader
	all    int64
}

// Read implements io.Reader.
func (u *unpackedReader) Read(to []byte) (int, error) {
	n, err := u.in.Read(to)
	if u.all += int64(n); u.all > unpackedFreely && u.all/unpackedTimes > u.packed.all {
		return 0, fmt.Errorf(
			"it unpacks to more than %d times its size, as no export does; if that is right, unpack it "+
				"with gunzip first",
			unpackedTimes,
		)
	}
	return n, err
}

// readDatabase reads a file of one of the databases.
func readDatabase(path string, tables []string) (*dbfile.Database, error) {
	in, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	var text strings.Builder
	if info, err := os.Stat(path); err == nil {
		text.Grow(int(info.Size())) // less than there is where it is packed
	}
	if _, err := io.Copy(&text, in); err != nil {
		return nil, err
	}
	return dbfile.Read(text.String(), tables...)
}

// databaseForms says what --nb takes, for whoever gave something else.
const databaseForms = "want a copy of ovnnb_db.db, or what one of these prints: `ovsdb-client backup` or `dump` (also of " +
	"one database with --format=json, csv or list), or `ovn-nbctl --format=json list` of Logical_Switch_Port, and after " +
	"it of Logical_Switch, NB_Global, Logical_Router_Port, Port_Group, Address_Set and ACL, in one file"

// readDatabaseFile enters what a file of the Northbound database holds into the inventory. The notes say what the audit
// cannot know from it.
func readDatabaseFile(path string, now time.Time, inv *inventory.Inventory) (database, error) {
	d, err := readDatabase(path, rows.FileTables())
	if err != nil {
		return database{}, fmt.Errorf("%w; %s", err, databaseForms)
	}
	ports, version, err := rows.Ports(d)
	if err != nil {
		return database{}, fmt.Errorf("%w; %s", err, databaseForms)
	}
	for _, p := range ports {
		inv.SetRow(rows.Of(p))
	}
	for _, p := range rows.RouterPorts(d) {
		inv.SetRouterPort(p)
	}
	inv.SetOptions(rows.Options(d))
	if groups, sets, ok := rows.Groups(d); ok {
		inv.KnowGroups()
		for _, g := range groups {
			inv.SetPortGroup(g)
		}
		for _, a := range sets {
			inv.SetAddressSet(a)
		}
	}
	if acls, switches, ok := rows.ACLs(d); ok {
		inv.KnowACLs()
		for _, a := range acls {
			inv.SetACL(a)
		}
		for _, s := range switches {
			inv.SetSwitch(s)
		}
	}
	doubt, notes := rows.Doubt(d)
	inv.DoubtRows(doubt)
	return database{
		version: version,
		notes:   append(fileNotes("Northbound", path, d, now), notes...),
		written: d.Written,
		damage:  damage(d),
	}, nil
}

// readSouthboundFile enters what a file of the Southbound database holds into the inventory.
func readSouthboundFile(path string, now time.Time, inv *inventory.Inventory) (notes []string, err error) {
	d, err := readDatabase(path, rows.SouthboundTables())
	if err != nil {
		return nil, usage(fmt.Errorf("--sb: %s: %w", path, err))
	}
	bindings, chassis, err := rows.Bindings(d)
	if err != nil {
		return nil, usage(fmt.Errorf("--sb: %s: %w", path, err))
	}
	for _, c := range chassis {
		inv.SetChassis(c)
	}
	for _, b := range bindings {
		inv.SetBinding(b)
	}
	return fileNotes("Southbound", path, d, now), nil
}

// damage says what of a file could not be read; "" for nothing.
func damage(d *dbfile.Database) string {
	var lacks []string
	if d.Loss != nil {
		lacks = append(lacks, d.Loss.String())
	}
	const most = 3
	for i, l := range d.Unread {
		if i == most {
			lacks = append(lacks, fmt.Sprintf("%d more lines", len(d.Unread)-most))
			break
		}
		lacks = append(lacks, l.String())
	}
	return strings.Join(lacks, "; ")
}

// fileNotes says how old a database file is, and what it lacks.
func fileNotes(name, path string, d *dbfile.Database, now time.Time) []string {
	what := fmt.Sprintf("the %s database is a file, not the running one: %s, %s", name, path, d.Format)
	if d.Version != "" {
		what += ", schema " + d.Version
	}
	if d.Written.IsZero() {
		what += "; it does not say when it was last written"
	} else {
		what += "; last written " + age(d.Written, now)
	}
	notes := []string{what}
	if c := d.Cluster; c != nil {
		member := fmt.Sprintf(
			"the database file is that of server %s (%s), one of %d; it may be behind the others",
			short(c.ServerID),
			c.LocalAddress,
			len(c.Servers),
		)
		if c.Left {
			member += "; the server has left the cluster"
		}
		notes = append(notes, member)
		if n := c.Uncommitted(); n > 0 {
			notes = append(
				notes,
				fmt.Sprintf(
					"the database file has %d changes that the servers may not have agreed on; the audit "+
						"ignores them",
					n,
				),
			)
		}
	}
	if lacks := damage(d); lacks != "" {
		notes = append(
			notes,
			"the database file is damaged; ports may be missing, and others may have changed since. The file lacks "+lacks,
		)
	}
	return notes
}

func short(id string) string { return id[:min(len(id), 4)] }

// age returns a time and how long ago it was.
func age(then, now time.Time) string {
	text := then.UTC().Format(time.RFC3339)
	since := now.Sub(then)
	switch {
	case since < 0:
		return text + ", in the future by this machine's clock"
	case since >= 48*time.Hour:
		return fmt.Sprintf("%s, %d days ago", text, int(since.Hours()/24))
	default:
		return fmt.Sprintf("%s, %s ago", text, since.Round(time.Second))
	}
}
