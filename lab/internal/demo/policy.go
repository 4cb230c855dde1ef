package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/wire"
)

// onlyWeb is a policy by which a database admits one kind of pod.
const onlyWeb = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{protocol: TCP, port: 5432}, {protocol: UDP, port: 5432}]
`

// databasePort is the port that the policy admits, queryPort the sender's port of a query.
const (
	databasePort = 5432
	queryPort    = 41000
)

// policy shows that a NetworkPolicy trusts addresses, and that an open port can have any.
func (st *story) policy(ctx context.Context) error {
	t := st.teller
	t.chapter(6, "A database admits only web, and whoever can pose as web")
	if err := st.scene.Namespace(ctx, "shop", nil); err != nil {
		return err
	}
	if err := st.scene.Namespace(ctx, "guests", map[string]string{portSecurity: "false"}); err != nil {
		return err
	}
	db, err := st.labelled(ctx, "shop", "db")
	if err != nil {
		return err
	}
	web, err := st.labelled(ctx, "shop", "web")
	if err != nil {
		return err
	}
	mallory, err := st.actor(ctx, "guests", "mallory", nil)
	if err != nil {
		return err
	}
	if err := st.scene.Apply(ctx, []byte(onlyWeb)); err != nil {
		return err
	}
	if err := st.scene.AwaitGroup(ctx, "db.shop", 1); err != nil {
		return err
	}
	if err := st.scene.Settle(ctx); err != nil {
		return err
	}
	connect := scene.Packet{Protocol: wire.ProtocolTCP, Port: databasePort}
	query := scene.Packet{Protocol: wire.ProtocolUDP, Port: databasePort, SourcePort: queryPort}
	answer := scene.Packet{Protocol: wire.ProtocolUDP, Port: queryPort, SourcePort: databasePort}
	asWeb := func(p scene.Packet) scene.Packet {
		p.Source = web.V4.IP
		return p
	}
	t.header("NetworkPolicy shop/db; mallory in an open namespace")
	for _, c := range []struct {
		what     string
		from, to *scene.Actor
		packet   scene.Packet
		want     string
	}{
		{"web to db, TCP 5432", web, db, connect, passes},
		{"mallory to db, TCP 5432", mallory, db, connect, dropped},
		{"mallory as web to db, TCP 5432", mallory, db, asWeb(connect), passes},
		{"mallory as web to db, a query by UDP", mallory, db, asWeb(query), passes},
		{"the answer of db goes to web", db, web, answer, passes},
	} {
		if err := st.deliver(ctx, c.what, c.from, c.to, c.packet, c.want); err != nil {
			return err
		}
	}
	if err := st.void(ctx, mallory, web, db, true); err != nil {
		return err
	}
	if err := st.patch(ctx, mallory, "annotations", portSecurity, kubeovn.True); err != nil {
		return err
	}
	err = scene.Wait(ctx, "the port of mallory to be strict", func() (bool, error) {
		column, err := st.scene.Nbctl(ctx, "get", "logical_switch_port", mallory.Port, "port_security")
		return column != "[]", err
	})
	if err != nil {
		return err
	}
	if err := st.scene.Settle(ctx); err != nil {
		return err
	}
	t.say("   mallory, port_security: %q", kubeovn.True)
	if err := st.deliver(ctx, "mallory as web to db, TCP 5432", mallory, db, asWeb(connect), dropped); err != nil {
		return err
	}
	if err := st.deliver(ctx, "web to db, TCP 5432", web, db, connect, passes); err != nil {
		return err
	}
	return st.void(ctx, mallory, web, db, false)
}

// Words about whether an actor is among those by whom a policy is void.
const (
	named    = "named"
	notNamed = "not named"
)

// void compares what ovnguard says of the policy and of mallory with what her port lets her do.
func (st *story) void(ctx context.Context, mallory, web, db *scene.Actor, open bool) error {
	word, way := notNamed, dropped
	if open {
		word, way = named, passes
	}
	report, err := st.audit(ctx)
	if err != nil {
		return err
	}
	names := notNamed
	if report.void("NetworkPolicy shop/db", owner(mallory), owner(db)) {
		names = named
	}
	st.teller.verdict("  ovnguard audit, OVG039: shop/db is void by mallory", word, names)
	seen, err := st.walk(ctx, mallory, db, web)
	if err != nil {
		return err
	}
	st.teller.verdict("  ovnguard reach, mallory as web to db", way, seen)
	return nil
}

// owner returns the actor's pod as ovnguard names it.
func owner(a *scene.Actor) string { return a.Pod.Namespace + "/" + a.Pod.Name }

// void reports whether a finding says that a policy keeps nobody away from a target since a forger may come there.
func (r report) void(policy, forger, target string) bool {
	for _, f := range r.Findings {
		if f.Rule == "OVG039" && strings.HasPrefix(f.Message, policy+" ") && strings.Contains(f.Message, target) {
			return slices.Contains(f.Evidence.Others, forger)
		}
	}
	return false
}

// walk runs `ovnguard reach` from one actor to another, with the address of a third, and returns what becomes of the
// packet.
func (st *story) walk(ctx context.Context, from, to, as *scene.Actor) (string, error) {
	out, code, err := st.scene.Run(ctx, st.binary, "reach", owner(from), owner(to), "--source", as.V4.IP.String(),
		"--port", fmt.Sprintf("tcp/%d", databasePort), "-o", "json")
	if err != nil {
		return "", err
	}
	var doc struct{ Walks []struct{ Delivered string } }
	if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Walks) != 2 {
		return "", fmt.Errorf("ovnguard reach ended with %d: %s (%w)", code, out, err)
	}
	switch doc.Walks[1].Delivered {
	case "yes":
		return passes, nil
	case "no":
		return dropped, nil
	}
	return doc.Walks[1].Delivered, nil
}

// labelled makes an actor with a label app that is its name.
func (st *story) labelled(ctx context.Context, namespace, name string) (*scene.Actor, error) {
	a, err := st.actor(ctx, namespace, name, nil)
	if err != nil {
		return nil, err
	}
	return a, st.patch(ctx, a, "labels", "app", name)
}

// patch sets one label or annotation of an actor's pod.
func (st *story) patch(ctx context.Context, a *scene.Actor, field, key, value string) error {
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{field: map[string]string{key: value}}})
	if err != nil {
		return err
	}
	_, err = st.scene.Kube.CoreV1().Pods(a.Pod.Namespace).
		Patch(ctx, a.Pod.Name, types.MergePatchType, text, metav1.PatchOptions{})
	return err
}

// deliver sends one packet and compares.
func (st *story) deliver(
	ctx context.Context,
	what string,
	from, to *scene.Actor,
	p scene.Packet,
	want string,
) error {
	ok, err := scene.Deliver(ctx, from, to, p)
	if err != nil {
		return err
	}
	st.teller.verdict("  "+what, want, seen(ok))
	return nil
}
