//go:build integration

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
	"github.com/ovnguard/ovnguard/lab/internal/up"
)

// Packets between pods of two nodes reach whom the policies and security groups let them reach, whoever sends them with
// an admitted address included, and `ovnguard reach` says the same of each first packet. The lab is one of its own,
// without ovnguard: only Kube-OVN's rules and OVN count.
func TestReachOnTheWire(t *testing.T) {
	s := reachScene(t)
	actors := reachActors(t, s)
	foretold := 0
	for i, r := range reachTable {
		from, to := actors[r.from], actors[r.to]
		p := scene.Packet{Protocol: r.protocol, Port: r.port, Segment: r.segment, V6: r.v6}
		if r.as != "" {
			p.Source = sourceOf(t, s, actors, r)
		}
		if r.answers > 0 {
			p.SourcePort = r.answers
			question := scene.Packet{Protocol: r.protocol, SourcePort: r.port, Port: r.answers, V6: r.v6}
			asked := to
			if ok, err := scene.Deliver(
				t.Context(),
				asked,
				actors[cmp.Or(r.as, r.from)],
				question,
			); err != nil ||
				!ok {
				t.Errorf("%d %s: the question: delivered %v, %v", i, r, ok, err)
			}
		}
		delivered, err := scene.Deliver(t.Context(), from, to, p)
		if err != nil || delivered != r.delivered {
			t.Errorf("%d %s: delivered %v, want %v, error %v", i, r, delivered, r.delivered, err)
		}
		if r.answers > 0 || r.segment == both {
			continue // what answers do depends on the connection, which ovnguard does not know
		}
		foretold++
		if says := foretell(t, s, from, to, r, p.Source); says != map[bool]string{true: "yes", false: "no"}[delivered] {
			t.Errorf("%d %s: delivered %v, and ovnguard reach says %s", i, r, delivered, says)
		}
	}
	t.Logf("%d packets, %d of them first packets", len(reachTable), foretold)
}

// foretell returns what `ovnguard reach` says of a packet with this source; one that is not valid is the sender's own.
func foretell(t *testing.T, s *scene.Scene, from, to *scene.Actor, r reached, source netip.Addr) string {
	t.Helper()
	if !source.IsValid() {
		source = map[bool]netip.Addr{v4: from.V4.IP, v6: from.V6.IP}[r.v6]
	}
	packet := string(r.protocol)
	if r.protocol != icmp {
		packet += "/" + strconv.Itoa(int(r.port))
	}
	out, code, err := s.Run(t.Context(), binary, "reach", from.Pod.Namespace+"/"+from.Pod.Name,
		to.Pod.Namespace+"/"+to.Pod.Name, "--source", source.String(), "--port", packet, "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Walks []struct{ IP, Delivered string }
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("ovnguard reach ended with %d: %v\n%s", code, err, out)
	}
	for _, w := range doc.Walks {
		if w.IP == source.String() {
			return w.Delivered
		}
	}
	t.Fatalf("ovnguard reach says nothing of source %s:\n%s", source, out)
	return ""
}

// String names the packet in messages.
func (r reached) String() string {
	family := "IPv4"
	if r.v6 {
		family = "IPv6"
	}
	text := fmt.Sprintf("%s to %s %s/%d over %s", r.from, r.to, r.protocol, r.port, family)
	if r.as != "" {
		text += " as " + r.as
	}
	if r.segment != "" {
		text += " " + string(r.segment)
	}
	if r.answers > 0 {
		text += ", an answer"
	}
	return text
}

// sourceOf returns the source address of a packet that has another's.
func sourceOf(t *testing.T, s *scene.Scene, actors map[string]*scene.Actor, r reached) netip.Addr {
	t.Helper()
	switch r.as {
	case sourceBlock:
		return netip.MustParseAddr(map[bool]string{v4: "192.0.2.5", v6: "2001:db8:1::5"}[r.v6])
	case sourceHole:
		return netip.MustParseAddr(map[bool]string{v4: "192.0.2.66", v6: "2001:db8::66"}[r.v6])
	case sourceNode:
		node, err := s.Kube.CoreV1().Nodes().
			Get(t.Context(), actors[r.to].Pod.Spec.NodeName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range node.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				return netip.MustParseAddr(a.Address)
			}
		}
		t.Fatalf("node %s has no address", node.Name)
	}
	if r.v6 {
		return actors[r.as].V6.IP
	}
	return actors[r.as].V4.IP
}

// reachScene starts a lab of two nodes with the objects of the test.
func reachScene(t *testing.T) *scene.Scene {
	t.Helper()
	lab, err := up.Start(t.Context(), up.Options{
		StateDir: t.TempDir(), Nodes: 2, KubeOVN: up.KubeOVN{ProbeInterval: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Stop(); err != nil {
			t.Error(err)
		}
	})
	s, err := scene.Open(lab)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []byte(reachObjects)); err != nil {
		t.Fatal(err)
	}
	return s
}

// reachActors makes the pods, and waits until the policies hold for them.
func reachActors(t *testing.T, s *scene.Scene) map[string]*scene.Actor {
	t.Helper()
	actors := map[string]*scene.Actor{}
	for _, p := range reachPods {
		annotations := map[string]string{
			kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch): "reach",
			portSecurity: strconv.FormatBool(!p.open),
		}
		if p.group != "" {
			annotations[kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups)] = p.group
		}
		spec := podSpec()
		spec.NodeName = p.node
		spec.Containers[0].Ports = []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9100}}
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Name:        p.name,
				Labels:      map[string]string{"app": p.name},
				Annotations: annotations,
			},
			Spec: spec,
		}
		awaitAccount(t, s, p.namespace)
		if _, err := s.Kube.CoreV1().Pods(p.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range reachPods {
		ctx, cancel := context.WithTimeout(t.Context(), waitTime)
		pod, err := s.Running(ctx, p.namespace, p.name)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		a, err := scene.OpenActor(pod, kubeovn.DefaultProvider, "eth0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
		actors[p.name] = a
	}
	// Policies and groups follow the pods, and the nodes' rules the policies.
	for group, ports := range map[string]int{
		"db.shop": 1, "client.shop": 1, "lax.shop": 1, "ovn.sg.vault": 2, "ovn.sg.kubeovn_deny_all": 2,
		"node.node1": 5, "node.node2": 4,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), waitTime)
		err := s.AwaitGroup(ctx, group, ports)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return actors
}

// awaitAccount waits until pods can be made in a namespace.
func awaitAccount(t *testing.T, s *scene.Scene, namespace string) {
	t.Helper()
	eventually(t, "the service account of "+namespace, func() (bool, error) {
		_, err := s.Kube.CoreV1().ServiceAccounts(namespace).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil, nil
	})
}
