//go:build integration

package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/policy"
)

const levelKey = "ovn.kubernetes.io/port_security"

// podsOf returns the pods of that many ports.
func podsOf(ports int) []client.Object {
	out := make([]client.Object, ports)
	for i := range out {
		out[i] = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: fmt.Sprintf("p%d", i), UID: types.UID(fmt.Sprint("uid-", i)),
			Annotations: map[string]string{levelKey: "true", policy.RecordAnnotation: policy.OrdinaryRecord},
		}}
	}
	return out
}

// ipsOf returns the IP resources of that many ports.
func ipsOf(ports int) []client.Object {
	out := make([]client.Object, ports)
	for i := range out {
		words := strings.Fields(ownOf(i))
		ip := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"macAddress": words[0], "v4IpAddress": words[1], "namespace": "ns", "podName": fmt.Sprintf("p%d", i),
			"subnet": fmt.Sprint("sw", i/switchSize*switchSize),
		}}}
		ip.SetGroupVersionKind(kube.IPKind)
		ip.SetName(nameOf(i))
		out[i] = ip
	}
	return out
}

// The parts of a unit are taken back together, in the order in which the port is never open under "true", or not at
// all.
func TestUndoTakesBackAllOrNothing(t *testing.T) {
	refusal := errors.New("the webhook refuses it")
	type scene struct {
		*Undoer
		pod       corev1.Pod
		ips       []client.Object
		mark      string // the undo annotation of the pod, without a fault
		entries   []journal.Entry
		patches   int                   // patches that were not dry runs
		refuse    func(patch int) error // the error of the patch with that number; dry runs are 0
		meanwhile func(*scene)          // after the annotation was written
		write     func(port, column string)
		deny      bool
	}
	was, is := map[string]string{
		levelKey:                "",
		policy.RecordAnnotation: "",
	}, map[string]string{
		levelKey:                "true",
		policy.RecordAnnotation: policy.OrdinaryRecord,
	}
	own := ownOf(0)
	// granted makes the row hold more than the identity, and repair wrote over that.
	granted := func(s *scene) {
		s.write("p0.ns", own+" 10.20.0.0/24")
		s.entries[1].Before.PortSecurity, s.entries[1].After.PortSecurity = &[]string{
			own,
		}, &[]string{
			own + " 10.20.0.0/24",
		}
	}
	for name, c := range map[string]struct {
		change     func(*scene)
		wantRow    string // port_security in the mirror
		wantLevel  string
		wantError  string
		wantWrites int // patches that were not dry runs
	}{
		"annotation and row": {wantRow: "[]", wantWrites: 1},
		"two annotations, on a pod of which something was taken back before": {
			change: func(s *scene) {
				again := s.entries[0]
				again.ID, again.Before.Annotations = "3", map[string]string{levelKey: "false"}
				s.entries = append(s.entries, again)
				s.pod.Annotations[policy.UndoAnnotation], s.mark = "0", "0,3,1"
			}, wantRow: "[]", wantWrites: 1,
		},
		"the annotation alone": {
			change: func(s *scene) { s.entries = s.entries[:1] }, wantRow: "[" + own + "]", wantWrites: 1,
		},
		"the verb is missing": {
			change: func(s *scene) { s.deny = true }, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "needs the verb",
		},
		"the row was changed": {
			change: func(s *scene) { s.write("p0.ns", "0a:00:00:00:00:99") }, wantRow: "[0a:00:00:00:00:99]",
			wantLevel: "true", wantError: "port_security of port p0.ns",
		},
		"another pod": {
			change:  func(s *scene) { s.entries[0].PodUID, s.entries[1].PodUID = "uid-x", "uid-x" },
			wantRow: "[" + own + "]", wantLevel: "true", wantError: "another one of that name",
		},
		"another row": {
			change: func(s *scene) { s.entries[1].Row = "x" }, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "another row",
		},
		"the webhook refuses": {
			change: func(s *scene) { s.refuse = func(int) error { return refusal } }, wantRow: "[" + own + "]",
			wantLevel: "true", wantError: refusal.Error(),
		},
		"refused after the dry": {
			change:  func(s *scene) { s.refuse = func(n int) error { return map[bool]error{true: refusal}[n == 1] } },
			wantRow: "[" + own + "]", wantLevel: "true", wantError: refusal.Error(), wantWrites: 1,
		},
		"the row is changed after the annotation was written": {
			change:  func(s *scene) { s.meanwhile = func(s *scene) { s.write("p0.ns", "0a:00:00:00:00:99") } },
			wantRow: "[0a:00:00:00:00:99]", wantLevel: "true", wantError: "the annotation was given back",
			wantWrites: 2,
		},
		"Kube-OVN opens the port at once": {
			change: func(s *scene) {
				granted(s)
				s.meanwhile = func(s *scene) { s.write("p0.ns", "") }
			}, wantRow: "[]", wantWrites: 1,
		},
		"the row's intent was never carried out": {
			change: func(s *scene) {
				s.entries[1].Outcome, s.entries[1].Before.PortSecurity, s.entries[1].After.PortSecurity = "",
					&[]string{own}, &[]string{"wide"}
			}, wantRow: "[" + own + "]", wantWrites: 1,
		},
		"what comes to be strict again: the row first": {
			change: func(s *scene) {
				s.entries[0].Before.Annotations, s.entries[0].After.Annotations = is, was
				s.pod.Annotations = map[string]string{}
				granted(s)
			}, wantRow: "[" + own + "]", wantLevel: "true", wantWrites: 1,
		},
		"and is given back where the annotation is refused": {
			change: func(s *scene) {
				s.entries[0].Before.Annotations, s.entries[0].After.Annotations = is, was
				s.pod.Annotations = map[string]string{}
				granted(s)
				s.refuse = func(n int) error { return map[bool]error{true: refusal}[n == 1] }
			}, wantRow: "[" + own + " 10.20.0.0/24]", wantError: "the row was given back", wantWrites: 1,
		},
		"a machine's launcher": {
			change: func(s *scene) {
				s.pod.OwnerReferences = []metav1.OwnerReference{
					{APIVersion: "kubevirt.io/v1", Kind: "VirtualMachineInstance", Name: "p0", UID: "vmi"},
				}
				s.pod.Name = "virt-launcher-p0"
				s.entries[0].Pod, s.entries[1].Pod = s.pod.Name, s.pod.Name
			}, wantRow: "[]", wantWrites: 1,
		},
		"made up: the port of another pod": {
			change: func(s *scene) {
				for i := range s.entries {
					s.entries[i].Port, s.entries[i].Row = "p1.ns", s.Mirror.Snapshot().Port("p1.ns").UUID
				}
				s.entries[1].After.PortSecurity = &[]string{ownOf(1)}
			}, wantRow: "[" + own + "]", wantLevel: "true", wantError: `entry 2 of the journal: port: "p1.ns" is none`,
		},
		"made up: another pod in an older entry": {
			change: func(s *scene) { s.entries[0].Namespace = "other" }, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "entry 1 of the journal: pod: other/p0",
		},
		"made up: another annotation": {
			change: func(s *scene) {
				s.entries[0].Before.Annotations = map[string]string{levelKey: "", "ovn.kubernetes.io/vips": "10.16.0.9"}
			}, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "entry 1 of the journal: annotations: repair writes no ovn.kubernetes.io/vips",
		},
		"made up: another NIC's annotation": {
			change: func(s *scene) {
				s.pod.Annotations["a.ns.ovn.kubernetes.io/port_security"] = "true"
				s.entries[0].Before.Annotations = map[string]string{"a.ns.ovn.kubernetes.io/port_security": ""}
				s.entries[0].After.Annotations = map[string]string{"a.ns.ovn.kubernetes.io/port_security": "true"}
			}, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "repair writes no a.ns.ovn.kubernetes.io/port_security for port p0.ns",
		},
		"made up: somebody's address": {
			change:  func(s *scene) { s.entries[1].Before.PortSecurity = &[]string{own, ownOf(1)} },
			wantRow: "[" + own + "]", wantLevel: "true", wantError: "entry 2 of the journal: port_security: ",
		},
		"made up: the marks of another pod": {
			change: func(s *scene) {
				s.entries[1].Before.ExternalIDs = &map[string]string{"vendor": "kube-ovn", "pod": "ns/p1"}
				s.entries[1].After.ExternalIDs = &map[string]string{"vendor": "kube-ovn", "pod": "ns/p0"}
			}, wantRow: "[" + own + "]", wantLevel: "true", wantError: "entry 2 of the journal: external_ids: ",
		},
		"the row alone, wider than the annotation": {
			change: func(s *scene) { s.entries = s.entries[1:] }, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "entry 2 of the journal: port_security: it would be empty",
		},
		"the row alone, under an annotation that asks for nothing": {
			change: func(s *scene) { s.entries, s.pod.Annotations = s.entries[1:], map[string]string{} }, wantRow: "[]",
		},
		"a row that is not proved": {
			change: func(s *scene) { s.ips = nil }, wantRow: "[" + own + "]", wantLevel: "true",
			wantError: "is not proved to be the pod's: there is no IP resource",
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, 2)
			s := &scene{pod: *podsOf(1)[0].(*corev1.Pod), ips: ipsOf(2), mark: "1"}
			var api client.Client
			rig, _ := lead(t, server.Endpoint(), fake.NewClientBuilder().Build(), "rig", 0, wideBrake)
			row := func() *[]string { return &rig.Mirror.Snapshot().Port("p0.ns").PortSecurity }
			s.write = func(port, column string) {
				value := fmt.Sprintf("%q", column)
				if column == "" {
					value = `["set",[]]`
				}
				transact(
					t,
					server,
					fmt.Sprintf(
						`,{"op":"update","table":"Logical_Switch_Port","where":[["name","==",%q]],"row":{"port_security":%s}}`,
						port,
						value,
					),
				)
				until(t, "the mirror has it", func() bool { return strings.Join(*row(), "") == column })
			}
			uuid := rig.Mirror.Snapshot().Port("p0.ns").UUID
			entry := journal.Entry{
				Time:      time.Now(),
				Port:      "p0.ns",
				Row:       uuid,
				Namespace: "ns",
				Pod:       "p0",
				PodUID:    "uid-0",
				Outcome:   journal.Written,
			}
			one, two := entry, entry
			one.ID, one.Before.Annotations, one.After.Annotations = "1", was, is
			two.ID, two.Before.PortSecurity, two.After.PortSecurity = "2", &[]string{}, &[]string{own}
			s.entries = []journal.Entry{one, two}
			s.Undoer = &Undoer{Mirror: rig.Mirror, May: func(context.Context, string, string) error {
				if s.deny {
					return errors.New("needs the verb undo")
				}
				return nil
			}}
			if c.change != nil {
				c.change(s)
			}
			api = fake.NewClientBuilder().
				WithObjects(&s.pod).
				WithObjects(s.ips...).
				WithStatusSubresource(&corev1.Pod{}).
				WithInterceptorFuncs(interceptor.Funcs{
					SubResourcePatch: func(ctx context.Context, _ client.Client, _ string, o client.Object,
						p client.Patch, options ...client.SubResourcePatchOption,
					) error {
						var how client.SubResourcePatchOptions
						how.ApplyOptions(options)
						n := 0
						if len(how.DryRun) == 0 {
							s.patches++
							n = s.patches
						}
						if s.refuse != nil {
							if err := s.refuse(n); err != nil {
								return err
							}
						}
						if n == 0 {
							return nil
						}
						// The fake client drops metadata in a status patch; the API server keeps it.
						if err := api.Patch(ctx, o, p); err != nil {
							return err
						}
						if s.meanwhile != nil && n == 1 {
							s.meanwhile(s)
						}
						return nil
					},
				}).
				Build()
			s.Client, s.Journal = api, &journal.Journal{
				Client:    api,
				Namespace: "ovnguard-system",
				By:        "alice",
				Now:       time.Now,
			}
			_, err := s.Undo(t.Context(), journal.Choice{}.Units(s.entries)[0])
			if (err != nil) != (c.wantError != "") || err != nil && !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("the error is %v, want %q", err, c.wantError)
			}
			until(t, "the row is "+c.wantRow, func() bool { return fmt.Sprint(*row()) == c.wantRow })
			var pod corev1.Pod
			if err := api.Get(t.Context(), client.ObjectKeyFromObject(&s.pod), &pod); err != nil {
				t.Fatal(err)
			}
			if pod.Annotations[levelKey] != c.wantLevel || s.patches != c.wantWrites {
				t.Errorf(
					"annotations %v after %d patches, want %q after %d",
					pod.Annotations,
					s.patches,
					c.wantLevel,
					c.wantWrites,
				)
			}
			if mark, annotated := pod.Annotations[policy.UndoAnnotation]; c.wantError == "" && annotated &&
				mark != s.mark {
				t.Errorf("%q is noted as taken back, want %q", mark, s.mark)
			}
			if c.wantError != "" && !maps.Equal(pod.Annotations, s.pod.Annotations) {
				t.Errorf("annotations %v are not what they were, %v", pod.Annotations, s.pod.Annotations)
			}
			for _, e := range read(t, api) {
				if e.By != "alice" || (e.Outcome == journal.Written) != (err == nil) ||
					(e.Error != "") != (err != nil) {
					t.Errorf("the journal says %+v", e)
				}
			}
			if n := len(read(t, api)); err == nil && n == 0 || err != nil && c.wantWrites == 0 && n != 0 {
				t.Errorf("%d entries in the journal", n)
			}
		})
	}
}
