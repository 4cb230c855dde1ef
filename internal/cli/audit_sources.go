package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/preview"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// readMirror enters what the running database holds into the inventory.
func (o *reading) readMirror(ctx context.Context, inv *inventory.Inventory) (database, error) {
	mirror, stop, err := o.open(ctx, ovn.Northbound, o.northbound)
	if err != nil {
		return database{}, err
	}
	defer stop()
	now := mirror.Snapshot()
	o.enterNorthbound(now, inv)
	return database{version: now.Version(), notes: plaintextNotes("Northbound", o.northbound)}, nil
}

// enterNorthbound enters what the database held into the inventory.
func (o *reading) enterNorthbound(now *ovn.Snapshot, inv *inventory.Inventory) {
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
	if !o.filters {
		return
	}
	inv.KnowACLs()
	for a := range now.ACLs().All() {
		inv.SetACL(rows.ACLOf(a))
	}
	for s := range now.Switches().All() {
		inv.SetSwitch(rows.SwitchOf(s))
	}
}

// readSouthbound enters what is bound where into the inventory, where --sb names the database.
func (o *reading) readSouthbound(
	ctx context.Context, now time.Time, inv *inventory.Inventory,
) (notes []string, err error) {
	if o.southbound == "" {
		return nil, nil
	}
	if path, ok := databaseFile(o.southbound); ok {
		return readSouthboundFile(path, now, inv)
	}
	mirror, stop, err := o.open(ctx, ovn.Southbound, o.southbound)
	if err != nil {
		return nil, unreachable(databaseError{fmt.Errorf("--sb: %w", err), ovn.Southbound})
	}
	defer stop()
	south := mirror.Snapshot()
	for c := range south.Chassis().All() {
		inv.SetChassis(rows.ChassisOf(c))
	}
	for b := range south.PortBindings().All() {
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
	stage(ctx, "reading the "+string(which)+" database at "+endpoints)
	tables, only := rows.NorthboundPorts(), rows.OnlyForPorts()
	switch {
	case which == ovn.Southbound:
		tables, only = rows.Southbound(), nil
	case o.filters:
		tables, only = rows.Northbound(), nil
	}
	mirror, err := ovn.Open(
		ovn.Config{
			Endpoints: endpoints,
			Database:  which,
			Tables:    tables,
			Only:      only,
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

// readCluster enters what the API server gives into the inventory. Kinds that may not be listed in the whole cluster
// are read in a namespace, where it is not empty.
func readCluster(
	ctx context.Context, c client.Reader, inv *inventory.Inventory, namespace string,
) (notes []string, err error) {
	stage(ctx, "reading the cluster")
	missing, withheld, err := kube.Fill(ctx, c, inv, namespace)
	if err != nil {
		return nil, unreachable(cannotRead(err, namespace))
	}
	for _, s := range missing {
		notes = append(notes, fmt.Sprintf("the cluster does not serve %s; not known: %s", s.Kind.GroupKind(), s.Lacks))
	}
	return append(notes, withheldNotes(withheld, namespace)...), nil
}

// readClusterWithTemplates is readCluster, and returns the templates of pods as well.
func readClusterWithTemplates(
	ctx context.Context,
	c client.Reader,
	inv *inventory.Inventory,
	namespace string,
) (notes []string, templates []preview.Template, err error) {
	if notes, err = readCluster(ctx, c, inv, namespace); err != nil {
		return nil, nil, err
	}
	var pods templateReader
	more, err := kube.EachTemplate(ctx, c, namespace, pods.read)
	if err != nil {
		return nil, nil, unreachable(fmt.Errorf("read the cluster: %w", err))
	}
	return slices.Concat(notes, more, pods.notes), pods.templates, nil
}
