//go:build integration

package e2e

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/portsec"
)

// follower looks at each state of OVN's rows of a namespace, however short it lasts, and at each identity that Kube-OVN
// records.
type follower struct {
	// ns is the namespace in which rows must be strict, and spared one in which rows must not change.
	ns, spared string
	stop       func()

	// These belong to the goroutine that follows OVN until stop has returned.
	changes  int
	had      map[string]map[string]bool // identities by port, as rows had them
	problems []string
	// blank has the ports with an empty element in port_security; blanks counts how often a port got one.
	blank  map[string]bool
	blanks int
	// This belongs to the goroutine that follows Kube-OVN's records until then.
	recorded map[string]map[string]bool
	// These belong to the goroutine that follows pods until then: the last state of each, and the changes that came too
	// early.
	pods  map[string]*corev1.Pod
	early []string
}

// follow begins to follow. Nothing may be read before stop has returned.
func follow(t *testing.T, ns, spared string) *follower {
	t.Helper()
	f := &follower{
		ns:       ns,
		spared:   spared,
		had:      make(map[string]map[string]bool),
		recorded: make(map[string]map[string]bool),
		blank:    make(map[string]bool),
		pods:     make(map[string]*corev1.Pod),
	}
	ctx, cancel := context.WithCancel(cleanup(t))
	var running sync.WaitGroup
	f.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(f.stop)
	config, err := world.Lab.Admin()
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	records, err := client.Resource(schema.GroupVersionResource{Group: "kubeovn.io", Version: "v1", Resource: "ips"}).
		Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() {
		for event := range records.ResultChan() {
			if ip, ok := event.Object.(*unstructured.Unstructured); ok {
				f.record(ip)
			}
		}
	})
	pods, err := world.Kube.CoreV1().Pods(ns).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() {
		for event := range pods.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				f.follow(event.Type, pod)
			}
		}
	})
	mirror, err := ovn.Open(ovn.Config{Endpoints: world.Lab.Info().NB, Tables: []ovn.Table{ovn.TablePort}})
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { mirror.Run(ctx) })
	if err := mirror.WaitSynced(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows := mirror.Subscribe(ovn.TablePort)
	rows.Take() // the rows from before
	running.Go(func() {
		for {
			events, _, err := rows.Next(ctx)
			if err != nil {
				return
			}
			for _, event := range events {
				f.look(event)
			}
		}
	})
	return f
}

func (f *follower) record(ip *unstructured.Unstructured) {
	raw, err := ip.MarshalJSON()
	if err != nil {
		return
	}
	if identity, err := identityOf(raw); err == nil {
		note(f.recorded, ip.GetName(), identity)
	}
}

// follow looks at each state of a pod. Before Kube-OVN has allocated a strict pod, nobody changes the annotations that
// its port is written from.
func (f *follower) follow(what watch.EventType, pod *corev1.Pod) {
	last := f.pods[pod.Name]
	if f.pods[pod.Name] = pod; what == watch.Deleted {
		delete(f.pods, pod.Name)
	}
	if what != watch.Modified || last == nil {
		return
	}
	before := last.Annotations
	if _, replaced := before[kubeovn.DefaultNetwork]; replaced || before[portSecurity] != kubeovn.True ||
		before[kubeovn.DefaultProvider.Key(kubeovn.Allocated)] == kubeovn.True {
		return
	}
	for _, key := range []string{
		portSecurity, portVIPs, kubeovn.DefaultProvider.Key(kubeovn.SecurityGroups), kubeovn.AAPs,
	} {
		if was, is := before[key], pod.Annotations[key]; was != is {
			f.early = append(
				f.early,
				fmt.Sprintf("%s had %s changed from %q to %q before it was allocated", pod.Name, key, was, is),
			)
		}
	}
}

func note(in map[string]map[string]bool, port string, identity portsec.Identity) {
	if in[port] == nil {
		in[port] = make(map[string]bool)
	}
	in[port][strings.Join(words(identity), " ")] = true
}

func (f *follower) look(event ovn.Event) {
	old, now := event.Ports()
	if old != nil && strings.HasPrefix(old.ExternalIDs["pod"], f.spared+"/") && !sameRights(old, now) {
		f.problems = append(f.problems, fmt.Sprintf("%s, which is another's, is now %+v", old.Name, now))
	}
	if old != nil {
		delete(f.blank, old.Name)
	}
	if now == nil || !strings.HasPrefix(now.ExternalIDs["pod"], f.ns+"/") {
		return
	}
	f.changes++
	identity, err := identityInRow(now)
	if err != nil {
		f.problems = append(f.problems, fmt.Sprintf("%s: addresses %q: %v", now.Name, now.Addresses, err))
		return
	}
	note(f.had, now.Name, identity)
	row := *now
	if slices.Equal(row.PortSecurity, []string{""}) {
		f.blanks++
		f.blank[row.Name] = true
		row.PortSecurity = row.Addresses // everything else must be right
	}
	for _, looser := range excessOf(&row, identity) {
		f.problems = append(f.problems, row.Name+": "+looser)
	}
}

// stayedBlank returns an error for each port that had an empty port_security after its pod had an address, or more
// often than is unavoidable: a pod is changed, deleted and made again under its name, and Kube-OVN handles the change
// when the new one has no address yet. A change of the new one is refused, see early.
func (f *follower) stayedBlank() (out []string) {
	for _, port := range slices.Sorted(maps.Keys(f.blank)) {
		out = append(out, port+` has port_security [""] at the end`)
	}
	if f.blanks > toleratedTimes {
		out = append(out, fmt.Sprintf(`port_security was [""] %d times`, f.blanks))
	}
	return out
}

// toleratedTimes is how often a fault may be seen that cannot be prevented, and that does not stay.
const toleratedTimes = 5

// sameRights reports whether a row still belongs to the same pod, with the same rights to send and receive.
func sameRights(old, now *ovn.Port) bool {
	return now != nil && now.UUID == old.UUID && now.ExternalIDs["pod"] == old.ExternalIDs["pod"] &&
		now.Type == old.Type &&
		slices.Equal(now.PortSecurity, old.PortSecurity) &&
		slices.Equal(now.Addresses, old.Addresses)
}

// identityInRow returns the identity in a row's addresses.
func identityInRow(row *ovn.Port) (portsec.Identity, error) {
	if len(row.Addresses) != 1 {
		return portsec.Identity{}, fmt.Errorf("%d elements, want one", len(row.Addresses))
	}
	mac, addresses, _ := strings.Cut(row.Addresses[0], " ")
	return parseIdentity(mac, strings.Fields(addresses)...)
}

// unrecorded returns the identities that ports had although Kube-OVN had recorded them for another port, or had
// repeatedly recorded nothing like it: for a pod that is gone before it could be recorded, sometimes only the row is
// seen.
func (f *follower) unrecorded() (out []string) {
	var never []string
	for port, identities := range f.had {
		for identity := range identities {
			if f.recorded[port][identity] {
				continue
			}
			never = append(
				never,
				fmt.Sprintf(
					"%s had %s, and by Kube-OVN's records never anything but %q",
					port,
					identity,
					slices.Sorted(maps.Keys(f.recorded[port])),
				),
			)
			for other, theirs := range f.recorded {
				if other != port && theirs[identity] {
					out = append(out, fmt.Sprintf("%s had %s, which was recorded for %s alone", port, identity, other))
				}
			}
		}
	}
	if len(never) > toleratedTimes {
		out = append(out, never...)
	}
	return out
}
