package upstream

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/nb"
)

// final is the cluster of the recording at its end: the objects, and the rows that the real controller made of them.
type final struct {
	Namespaces []*corev1.Namespace
	Nodes      []*corev1.Node
	Policies   []*networkingv1.NetworkPolicy `json:"networkpolicies"`
	Pods       []*corev1.Pod
	Subnets    []*crd.Subnet
	Groups     []*crd.SecurityGroup `json:"security-groups"`
	Rows       struct {
		Groups []finalGroup
		ACLs   []finalACL
		Sets   []finalSet
	}
}

type finalGroup struct {
	Name        string
	Ports       []string
	ExternalIDs map[string]string `json:"external_ids"`
}

type finalSet struct {
	Name        string
	Addresses   []string
	ExternalIDs map[string]string `json:"external_ids"`
}

type finalACL struct {
	Name        *string
	Direction   string
	Priority    int
	Tier        int
	Action      string
	Match       string
	Options     map[string]string
	Log         bool
	Severity    *string
	ExternalIDs map[string]string `json:"external_ids"`
}

func readFinal(t *testing.T) final {
	t.Helper()
	f, err := os.Open("testdata/final.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []final
	if err := json.NewDecoder(z).Decode(&list); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list[0].Subnets, func(a, b *crd.Subnet) int { return strings.Compare(a.Name, b.Name) })
	return list[0]
}

// cluster returns the cluster as policies see it.
func (f *final) cluster(t *testing.T) *PolicyCluster {
	t.Helper()
	c := &PolicyCluster{Namespaces: f.Namespaces}
	// The attachments of the recording are those that its subnets are for.
	nads := &Cluster{
		Subnets: f.Subnets, DefaultSubnet: "ovn-default",
		NAD: func(namespace, name string) (*crd.NAD, bool) {
			nad := &crd.NAD{}
			nad.Namespace, nad.Name = namespace, name
			nad.Spec.Config = `{"type":"kube-ovn","provider":"` + name + "." + namespace + `.ovn"}`
			if name == "macvlan1" {
				nad.Spec.Config = `{"type":"macvlan","ipam":{"type":"kube-ovn","provider":"macvlan1.t-nad"}}`
			}
			return nad, true
		},
	}
	switches := map[string]string{}
	for _, ns := range f.Namespaces {
		switches[ns.Name] = ns.Annotations[kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch)]
	}
	for _, pod := range f.Pods {
		nads.NamespaceSubnets = splitList(switches[pod.Namespace])
		nics, err := NICs(Master, pod, nads)
		if err != nil {
			t.Fatalf("%s/%s: %v", pod.Namespace, pod.Name, err)
		}
		p := PolicyPod{Pod: pod}
		for _, n := range nics {
			nic := PolicyNIC{
				Provider: n.Provider, Port: kubeovn.PortName(OwnerOf(pod).Name, pod.Namespace, n.Provider),
				Subnet: nads.subnet(pod.Annotations[n.Provider.Key(kubeovn.LogicalSwitch)]),
			}
			p.NICs = append(p.NICs, nic)
		}
		c.Pods = append(c.Pods, p)
	}
	slices.SortStableFunc(c.Pods, func(a, b PolicyPod) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return c
}

func recorded(a nb.ACL) finalACL {
	options := a.Options
	if options == nil {
		options = map[string]string{}
	}
	return finalACL{
		a.Name,
		a.Direction,
		a.Priority,
		a.Tier,
		a.Action,
		a.Match,
		options,
		a.Log,
		a.Severity,
		a.ExternalIDs,
	}
}

// aclsOf returns the recorded ACLs of a port group in a fixed order.
func (f *final) aclsOf(group string) []finalACL {
	var list []finalACL
	for _, a := range f.Rows.ACLs {
		if a.ExternalIDs[parentKey] == group {
			list = append(list, a)
		}
	}
	sortACLs(list)
	return list
}

func sortACLs(list []finalACL) {
	name := func(a finalACL) string {
		if a.Name == nil {
			return ""
		}
		return *a.Name
	}
	slices.SortFunc(list, func(a, b finalACL) int {
		return cmp.Or(strings.Compare(a.Direction, b.Direction), cmp.Compare(a.Priority, b.Priority),
			cmp.Compare(a.Tier, b.Tier), strings.Compare(a.Match, b.Match), strings.Compare(name(a), name(b)))
	})
}

func (f *final) compareACLs(t *testing.T, group string, acls []nb.ACL) {
	t.Helper()
	var got []finalACL
	for _, a := range acls {
		got = append(got, recorded(a))
	}
	sortACLs(got)
	if diff := gocmp.Diff(f.aclsOf(group), got); diff != "" {
		t.Errorf("ACLs of %s: -recorded +here\n%s", group, diff)
	}
}

// Every NetworkPolicy of the recorded cluster becomes the rows that the real controller made of it: the cases N01 to
// N09.
func TestPoliciesOfTheRecordedCluster(t *testing.T) {
	f := readFinal(t)
	cluster := f.cluster(t)
	seen := 0
	for _, np := range f.Policies {
		t.Run(np.Namespace+"/"+np.Name, func(t *testing.T) {
			rows, err := Policy(Master, np, cluster)
			if err != nil {
				t.Fatal(err)
			}
			id := PolicyID(np.Namespace, np.Name)
			for _, want := range f.Rows.Groups {
				if want.ExternalIDs[PolicyKey] != id {
					continue
				}
				seen++
				got := finalGroup{rows.Group.Name, rows.Ports, rows.Group.ExternalIDs}
				slices.Sort(want.Ports)
				slices.Sort(got.Ports)
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("port group: -recorded +here\n%s", diff)
				}
			}
			var wantSets, gotSets []finalSet
			for _, s := range f.Rows.Sets {
				if strings.HasPrefix(s.ExternalIDs[PolicyKey], id+"/") {
					slices.Sort(s.Addresses)
					wantSets = append(wantSets, s)
				}
			}
			for _, s := range rows.AddressSets {
				gotSets = append(gotSets, finalSet{s.Name, s.Addresses, s.ExternalIDs})
			}
			byName := func(a, b finalSet) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(wantSets, byName)
			slices.SortFunc(gotSets, byName)
			if diff := gocmp.Diff(wantSets, gotSets); diff != "" {
				t.Errorf("address sets: -recorded +here\n%s", diff)
			}
			f.compareACLs(t, rows.Group.Name, rows.ACLs)
		})
	}
	if seen != len(f.Policies) || seen < 9 {
		t.Errorf("%d of %d policies were compared", seen, len(f.Policies))
	}
}

// Every SecurityGroup becomes the ACLs that the real controller made of it, and so does the group that denies all.
func TestGroupsOfTheRecordedCluster(t *testing.T) {
	f := readFinal(t)
	if len(f.Groups) != 2 {
		t.Fatalf("%d groups", len(f.Groups))
	}
	for _, g := range f.Groups {
		f.compareACLs(t, SecurityGroup(g.Name),
			append(GroupACLs(Master, g, ToPort), GroupACLs(Master, g, FromPort)...))
	}
	f.compareACLs(t, DenyAllGroup, DenyAllACLs(Master))
}

// Every node's port group has the ACLs that the real controller gave it.
func TestNodesOfTheRecordedCluster(t *testing.T) {
	f := readFinal(t)
	for _, n := range f.Nodes {
		wanted, stale := NodeACLs(Master, n)
		f.compareACLs(t, NodeGroup(n.Name), wanted)
		if len(stale) != 2 {
			t.Errorf("node %s has %d ACLs for its address on the join subnet, want 2", n.Name, len(stale))
		}
	}
}
