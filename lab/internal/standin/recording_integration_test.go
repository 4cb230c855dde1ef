//go:build integration

package standin

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// recording is one case that was recorded on the real controller; testdata/reduce.go describes the source.
type recording struct {
	ID, Title, Phase, Version string
	Namespace, Pod, Node      string
	Labels                    map[string]string
	Owner                     string
	HostNetwork               bool              `json:"host_network"`
	Given                     map[string]string `json:"annotations_given"`
	After                     map[string]string `json:"annotations_after"`
	Ports                     []recordedPort
	Warnings                  []string
	Steps                     []recordedStep
	Foreign                   []recordedForeign
	Policy                    string
	Spec                      json.RawMessage
	Rows                      *recordedRows
	Result                    json.RawMessage
}

// recordedStep is a change of a pod, and its result.
type recordedStep struct {
	Step        string
	Annotations map[string]string
	Patched     map[string]*string `json:"patched_annotations"`
	Labels      map[string]string  `json:"patched_labels"`
	ByHand      []string           `json:"ovn_nbctl"`
	Ports       []recordedPort
	AddressSets map[string][]string `json:"address_sets"`
	Rows        *recordedRows
}

// recordedRows are the rows of a NetworkPolicy.
type recordedRows struct {
	Groups []recordedGroup
	Sets   []recordedSet
	ACLs   []recordedACL
}

// recordedGroup is a row of Port_Group with the names of its ports.
type recordedGroup struct {
	Name        string
	Ports       []string
	ExternalIDs map[string]string `json:"external_ids"`
}

// recordedSet is a row of Address_Set.
type recordedSet struct {
	Name        string
	Addresses   []string
	ExternalIDs map[string]string `json:"external_ids"`
}

// recordedACL is a row of ACL.
type recordedACL struct {
	Name        string
	Direction   string
	Priority    int
	Tier        int
	Action      string
	Match       string
	Options     map[string]string
	Log         bool
	Severity    string
	ExternalIDs map[string]string `json:"external_ids"`
}

// recordedPort is a row of Logical_Switch_Port with its place.
type recordedPort struct {
	Name         string
	Type         string
	Addresses    []string
	PortSecurity []string          `json:"port_security"`
	ExternalIDs  map[string]string `json:"external_ids"`
	Options      map[string]string
	Enabled      *bool
	Tag          *int
	TagRequest   *int   `json:"tag_request"`
	DHCPv4       string `json:"dhcpv4_options"`
	DHCPv6       string `json:"dhcpv6_options"`
	Switch       string
	Groups       []string
}

// recordedForeign says which rows of others existed.
type recordedForeign struct {
	When   string
	Ports  map[string]bool
	Groups []string
	ACLs   int
}

// readRecordings returns the recorded cases in their order.
func readRecordings(t *testing.T) []recording {
	t.Helper()
	f, err := os.Open("testdata/observed.json.gz")
	check(t, err)
	defer func() { check(t, f.Close()) }()
	z, err := gzip.NewReader(f)
	check(t, err)
	var list []recording
	check(t, json.NewDecoder(z).Decode(&list))
	return list
}

// translation replaces the addresses and MACs that were chosen at random in a recording by those chosen here. It
// replaces only values that nobody asked for; everything else must be equal to the letter.
type translation map[string]string

// learn adds the pod's addresses in the recording and here, NIC by NIC. asked is all text that somebody wrote.
func (tr translation) learn(recorded, actual map[string]string, asked string) {
	for key, text := range recorded {
		_, suffix, ok := kubeovn.SplitKey(key)
		if !ok || suffix != kubeovn.IPAddress && suffix != kubeovn.MACAddress {
			continue
		}
		there, here := strings.Split(text, ","), strings.Split(actual[key], ",")
		if len(there) != len(here) {
			continue // the comparison will report it
		}
		for i := range there {
			if there[i] != "" && tr[there[i]] == "" && !strings.Contains(asked, there[i]) {
				tr[there[i]] = here[i]
			}
		}
	}
}

// text translates the words of an element of addresses or port_security, or of an annotation.
func (tr translation) text(s string) string {
	for _, separator := range []string{" ", ","} {
		words := strings.Split(s, separator)
		for i, w := range words {
			if here, ok := tr[w]; ok {
				words[i] = here
			}
		}
		s = strings.Join(words, separator)
	}
	return s
}

func (tr translation) list(list []string) []string {
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, tr.text(s))
	}
	slices.Sort(out)
	return out
}

func (tr translation) values(m map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range m {
		out[key] = tr.text(value)
	}
	return out
}

// port returns the recorded row as expected here.
func (tr translation) port(p recordedPort) recordedPort {
	p.Addresses, p.PortSecurity = tr.list(p.Addresses), tr.list(p.PortSecurity)
	p.ExternalIDs, p.Options = tr.values(p.ExternalIDs), tr.values(p.Options)
	slices.Sort(p.Groups)
	p.Groups = append([]string{}, p.Groups...)
	return p
}

func (tr translation) ports(list []recordedPort) []recordedPort {
	out := make([]recordedPort, 0, len(list))
	for _, p := range list {
		out = append(out, tr.port(p))
	}
	slices.SortFunc(out, func(a, b recordedPort) int { return strings.Compare(a.Name, b.Name) })
	return out
}
