package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// Keys of the default network.
var (
	portSecurity  = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
	layer2Forward = kubeovn.DefaultProvider.Key(kubeovn.Layer2Forward)
)

// Words of a verdict.
const (
	passes  = "passes"
	dropped = "dropped"
	clean   = "clean"
)

// story is the state of a running demo.
type story struct {
	scene  *scene.Scene
	teller *teller
	binary string
	guard  *scene.Guard

	// bob receives the frames, and dave is the neighbour with the addresses that others forge.
	bob, dave *scene.Actor
	// erin is strict from creation.
	erin   *scene.Actor
	actors []*scene.Actor
}

func (st *story) close() error {
	var errs []error
	if st.guard != nil {
		errs = append(errs, st.guard.Stop())
	}
	for _, a := range st.actors {
		errs = append(errs, a.Close())
	}
	return errors.Join(errs...)
}

// actor makes a pod with a socket on its default NIC.
func (st *story) actor(
	ctx context.Context,
	namespace, name string,
	annotations map[string]string,
) (*scene.Actor, error) {
	a, err := st.scene.Actor(ctx, namespace, name, annotations)
	if err != nil {
		return nil, err
	}
	st.actors = append(st.actors, a)
	return a, nil
}

// compareFrames sends every frame from one actor to another and compares: own traffic passes, forged traffic passes
// only if forgedPasses.
func (st *story) compareFrames(ctx context.Context, from, to, neighbour *scene.Actor, forgedPasses bool) error {
	probes, err := scene.Probes(from, to, neighbour)
	if err != nil {
		return err
	}
	for _, p := range probes {
		want := passes
		if p.Forged && !forgedPasses {
			want = dropped
		}
		ok, err := p.Send(ctx, from, to)
		if err != nil {
			return err
		}
		st.teller.verdict("  "+p.Name, want, seen(ok))
	}
	return nil
}

// seen returns the word for whether a frame arrived.
func seen(arrived bool) string {
	if arrived {
		return passes
	}
	return dropped
}

// withoutOvnguard shows that settings that look like protection are none.
func (st *story) withoutOvnguard(ctx context.Context) (err error) {
	t := st.teller
	t.chapter(1, "Kube-OVN as it comes: layer2_forward protects nobody")
	if err := st.scene.Namespace(ctx, "before", nil); err != nil {
		return err
	}
	if st.bob, err = st.actor(ctx, "before", "bob", nil); err != nil {
		return err
	}
	if st.dave, err = st.actor(ctx, "before", "dave", nil); err != nil {
		return err
	}
	t.header("frame from one pod to another")
	if _, err := st.sender(ctx, "alice", "false"); err != nil {
		return err
	}
	carol, err := st.sender(ctx, "carol", "true")
	if err != nil {
		return err
	}
	if _, err := st.scene.Nbctl(ctx, "lsp-set-port-security", carol.Port, kubeovn.AddressUnknown); err != nil {
		return err
	}
	if err := st.scene.Settle(ctx); err != nil {
		return err
	}
	t.say("   carol, port_security [\"unknown\"]")
	return st.compareFrames(ctx, carol, st.bob, st.dave, true)
}

// sender makes a pod with layer2_forward as given and sends every frame from it.
func (st *story) sender(ctx context.Context, name, layer2 string) (*scene.Actor, error) {
	a, err := st.actor(ctx, "before", name, map[string]string{layer2Forward: layer2})
	if err != nil {
		return nil, err
	}
	st.teller.say("   %s, layer2_forward: %q", name, layer2)
	return a, st.compareFrames(ctx, a, st.bob, st.dave, true)
}

// strictAtBirth shows that pods created now are protected, and that those from before are reported.
func (st *story) strictAtBirth(ctx context.Context) (err error) {
	t := st.teller
	t.chapter(2, "ovnguard starts: new pods are strict at birth")
	begin := time.Now()
	if st.guard, err = st.scene.StartGuard(ctx, st.binary); err != nil {
		return err
	}
	t.say("   ovnguard is ready after %s", time.Since(begin).Round(100*time.Millisecond))
	if err := st.scene.Namespace(ctx, "after", nil); err != nil {
		return err
	}
	if st.erin, err = st.actor(ctx, "after", "erin", map[string]string{layer2Forward: "true"}); err != nil {
		return err
	}
	t.header("erin, who asks for layer2_forward, to bob")
	if err := st.compareFrames(ctx, st.erin, st.bob, st.dave, false); err != nil {
		return err
	}
	report, err := st.audit(ctx)
	if err != nil {
		return err
	}
	t.header("ovnguard audit")
	t.verdict("  alice.before, from before ovnguard", "OVG001", report.rule("alice.before"))
	t.verdict("  carol.before, whose port_security is \"unknown\"", "OVG002", report.rule("carol.before"))
	t.verdict("  erin.after", clean, report.rule(st.erin.Port))
	return nil
}

// report is the part of the output of `ovnguard audit -o json` that the demo reads.
type report struct {
	Findings []struct {
		Rule, Name, Port, Message string
		Evidence                  struct{ Others []string }
	}
}

// rule returns the first rule in the report for a port, "clean" if it has none.
func (r report) rule(port string) string {
	for _, f := range r.Findings {
		if f.Port == port {
			return f.Rule
		}
	}
	return clean
}

// audit runs `ovnguard audit` and returns its report.
func (st *story) audit(ctx context.Context) (report, error) {
	out, code, err := st.scene.Run(ctx, st.binary, "audit", "-o", "json")
	if err != nil {
		return report{}, err
	}
	if code > 1 {
		return report{}, fmt.Errorf("ovnguard audit ended with %d: %s", code, out)
	}
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return report{}, fmt.Errorf("read the report: %w", err)
	}
	return r, nil
}
