package multus

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

func TestParse(t *testing.T) {
	cases := map[string]struct {
		annotations map[string]string
		want        Networks
	}{
		"nothing": {},
		"list": {
			annotations: map[string]string{kubeovn.Networks: "nad1, other/nad2@net7"},
			want: Networks{Attachments: []kubeovn.Attachment{
				{Namespace: "ns", Name: "nad1"}, {Namespace: "other", Name: "nad2", Interface: "net7"},
			}},
		},
		"json": {
			annotations: map[string]string{
				kubeovn.Networks: `[{"name":"nad1","namespace":"a","interface":"net1","ips":["10.0.0.1"]}]`,
			},
			want: Networks{
				Attachments: []kubeovn.Attachment{{Namespace: "a", Name: "nad1", Interface: "net1"}},
				Requests: []Request{
					{
						Attachment: kubeovn.Attachment{Namespace: "a", Name: "nad1", Interface: "net1"},
						IPs:        []string{"10.0.0.1"},
					},
				},
			},
		},
		"default replaced": {
			annotations: map[string]string{kubeovn.DefaultNetwork: "a/nad1"},
			want:        Networks{Default: &kubeovn.Attachment{Namespace: "a", Name: "nad1"}},
		},
		"default without a namespace": {
			annotations: map[string]string{kubeovn.DefaultNetwork: `[{"name":"nad1","mac":"0a:00:00:00:00:01"}]`},
			want: Networks{
				Default:     &kubeovn.Attachment{Namespace: "ns", Name: "nad1"},
				BareDefault: true,
				Requests: []Request{
					{Attachment: kubeovn.Attachment{Namespace: "ns", Name: "nad1"}, MAC: "0a:00:00:00:00:01"},
				},
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Parse("ns", c.annotations)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"[null]", "[{", "a/b/c", `[{"namespace":"a"}]`, `[{"name":1}]`} {
		if got, err := Parse("ns", map[string]string{kubeovn.Networks: text}); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
	}
	if got, err := Parse("ns", map[string]string{kubeovn.DefaultNetwork: "a/b,c/d"}); err == nil {
		t.Errorf("two default networks gave %+v, want an error", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"nad1", "a/b@c,d", "[null]", `[{"name":"n"}]`, `"x"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse("ns", map[string]string{kubeovn.Networks: text, kubeovn.DefaultNetwork: text})
		if err != nil {
			return
		}
		for _, a := range n.All() {
			if a.Name == "" || a.Namespace == "" {
				t.Errorf("%q gave an attachment without a name or namespace: %+v", text, a)
			}
		}
	})
}
