package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/ovn/dbfile"
	"github.com/ovnguard/ovnguard/internal/preview"
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
	if path, ok := databaseFile(value); ok {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("--nb: database file: %w", err)
		}
		return nil
	}
	if _, err := ovn.ParseEndpoints(value); err != nil {
		return fmt.Errorf("--nb: %w; or the path of a database file, or %sPATH", err, fileScheme)
	}
	return nil
}

// readDatabaseFile enters what a database file holds into the inventory. The notes say what the audit cannot know from
// it.
func readDatabaseFile(path string, now time.Time, inv *inventory.Inventory) (database, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return database{}, err
	}
	d, err := dbfile.Read(data, rows.FileTables()...)
	if err != nil {
		return database{}, err
	}
	ports, version, err := rows.Ports(d)
	if err != nil {
		return database{}, err
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
	out := database{version: version, notes: fileNotes(path, d, now), written: d.Written}
	if d.Loss != nil {
		out.damage = d.Loss.String()
	}
	return out, nil
}

// fileNotes says how old a database file is, and what it lacks.
func fileNotes(path string, d *dbfile.Database, now time.Time) []string {
	what := fmt.Sprintf("the Northbound database is a file, not the running one: %s, %s", path, d.Format)
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
	if d.Loss != nil {
		notes = append(
			notes,
			fmt.Sprintf(
				"the database file is damaged; ports may be missing, and others may have changed since. The "+
					"file lacks %s",
				d.Loss,
			),
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

// readMirror enters what the running database holds into the inventory.
func (o *reading) readMirror(ctx context.Context, inv *inventory.Inventory) (database, error) {
	mirror, stop, err := o.open(ctx, ovn.Northbound, o.northbound)
	if err != nil {
		return database{}, err
	}
	defer stop()
	now := mirror.Snapshot()
	enterNorthbound(now, inv)
	return database{version: now.Version(), notes: plaintextNotes("Northbound", o.northbound)}, nil
}

// enterNorthbound enters what the database held into the inventory.
func enterNorthbound(now *ovn.Snapshot, inv *inventory.Inventory) {
	for p := range now.Ports().All() {
		inv.SetRow(rows.Of(p))
	}
	for p := range now.RouterPorts().All() {
		inv.SetRouterPort(rows.RouterPortOf(p))
	}
	if g := now.NBGlobal(); g != nil {
		inv.SetOptions(g.Options)
	}
	inv.KnowGroups()
	for g := range now.PortGroups().All() {
		inv.SetPortGroup(rows.PortGroupOf(g))
	}
	for a := range now.AddressSets().All() {
		inv.SetAddressSet(rows.AddressSetOf(a))
	}
}

// readSouthbound enters what is bound where into the inventory, where --sb names the database.
func (o *reading) readSouthbound(ctx context.Context, inv *inventory.Inventory) (notes []string, err error) {
	if o.southbound == "" {
		return nil, nil
	}
	mirror, stop, err := o.open(ctx, ovn.Southbound, o.southbound)
	if err != nil {
		return nil, err
	}
	defer stop()
	now := mirror.Snapshot()
	for c := range now.Chassis().All() {
		inv.SetChassis(rows.ChassisOf(c))
	}
	for b := range now.PortBindings().All() {
		inv.SetBinding(rows.BindingOf(b))
	}
	return plaintextNotes("Southbound", o.southbound), nil
}

// open returns a mirror that has read the database once. stop ends it and waits until it has.
func (o *reading) open(
	ctx context.Context,
	which ovn.Database,
	endpoints string,
) (m *ovn.Mirror, stop func(), err error) {
	tables := rows.Northbound()
	if which == ovn.Southbound {
		tables = rows.Southbound()
	}
	mirror, err := ovn.Open(
		ovn.Config{
			Endpoints: endpoints,
			Database:  which,
			Tables:    tables,
			Only:      rows.Only(),
			TLS:       o.tls,
			Log:       logr.Discard(),
		},
	)
	if err != nil {
		return nil, nil, err
	}
	follow, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		mirror.Run(follow)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	if err := mirror.WaitSynced(ctx); err != nil {
		stop()
		return nil, nil, err
	}
	return mirror, stop, nil
}

// plaintextNotes says which endpoints of a database anybody on the path can read and change.
func plaintextNotes(name, endpoints string) []string {
	plain := ovn.PlaintextEndpoints(endpoints)
	if len(plain) == 0 {
		return nil
	}
	return []string{
		fmt.Sprintf(
			"the %s database is reached without TLS at %s: anyone on the network path, or with access to the "+
				"port, can read and change it, and so switch off port security; let ovsdb-server listen on pssl: "+
				"(Kube-OVN: ENABLE_SSL) and use ssl:",
			name,
			strings.Join(plain, ", "),
		),
	}
}

// readClusterFile enters what kubectl printed into the inventory, and returns the templates of pods that it has.
func readClusterFile(
	path string,
	now time.Time,
	inv *inventory.Inventory,
) (notes []string, templates []preview.Template, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("--from: %w", err))
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("--from: %w", err))
	}
	filled, err := kube.FillFromFile(data, inv)
	if err != nil {
		return nil, nil, usage(fmt.Errorf("--from: %s: %w", path, err))
	}
	var pods templateReader
	for _, raw := range filled.Templates {
		pods.read(raw)
	}
	if filled.Objects["VirtualMachineInstance"] == 0 {
		inv.DoubtMachines()
	}
	for kind, of := range map[inventory.Kind]string{
		inventory.StatefulSets: "StatefulSet", inventory.VirtualMachines: "VirtualMachine", inventory.Nodes: "Node",
		inventory.Vips: "Vip",
	} {
		if filled.Objects[of] == 0 {
			inv.Expect(kind) // there may be some
		}
	}
	notes = append(
		notes,
		fmt.Sprintf(
			"the cluster is a file, not the running one: %s with %d namespaces and %d pods; the file was changed %s",
			path,
			filled.Objects["Namespace"],
			filled.Objects["Pod"],
			age(info.ModTime(), now),
		),
	)
	for _, s := range filled.Absent {
		notes = append(
			notes,
			fmt.Sprintf("the file has no %s; not known, unless the cluster has none: %s", s.Kind.GroupKind(), s.Lacks),
		)
	}
	if filled.Objects["Subnet"] == 0 { // every cluster has some
		inv.Expect(inventory.Subnets)
		notes = append(
			notes,
			"the file has no Subnet.kubeovn.io; not known: what admission would refuse of addresses, subnets and networks",
		)
	}
	return append(notes, pods.notes...), pods.templates, nil
}

// templateReader collects the templates of pods.
type templateReader struct {
	templates []preview.Template
	notes     []string
}

// read adds the template of an object, as JSON, if pods are made from it. An object that cannot be read is a note, and
// the others are judged.
func (r *templateReader) read(raw []byte) {
	t, ok, err := preview.TemplateOf(raw)
	switch {
	case err != nil:
		r.notes = append(
			r.notes,
			err.Error()+"; not known: what admission would refuse of the pods that are made from it",
		)
	case ok:
		r.templates = append(r.templates, t)
	}
}

// readCluster enters what the API server gives into the inventory.
func readCluster(ctx context.Context, c client.Reader, inv *inventory.Inventory) (notes []string, err error) {
	missing, err := kube.Fill(ctx, c, inv)
	if err != nil {
		return nil, unreachable(fmt.Errorf("read the cluster: %w", err))
	}
	for _, s := range missing {
		notes = append(notes, fmt.Sprintf("the cluster does not serve %s; not known: %s", s.Kind.GroupKind(), s.Lacks))
	}
	return notes, nil
}

// readClusterWithTemplates is readCluster, and returns the templates of pods as well.
func readClusterWithTemplates(
	ctx context.Context,
	c client.Reader,
	inv *inventory.Inventory,
) (notes []string, templates []preview.Template, err error) {
	if notes, err = readCluster(ctx, c, inv); err != nil {
		return nil, nil, err
	}
	var pods templateReader
	more, err := kube.EachTemplate(ctx, c, pods.read)
	if err != nil {
		return nil, nil, unreachable(fmt.Errorf("read the cluster: %w", err))
	}
	return slices.Concat(notes, more, pods.notes), pods.templates, nil
}
