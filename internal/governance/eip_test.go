package governance

import "testing"

func TestThreatT21ExternalAddressNames(t *testing.T) {
	eip := func(name, kind string) object {
		return object{"metadata": object{"name": name}, "spec": object{"type": kind}}
	}
	for name, c := range map[string]struct {
		now, old any
		user     string
		words    []string
	}{
		"like a port": {
			now: eip("web-0.bank", "lsp"), words: []string{"metadata.name", "web-0.bank", "without dots"},
		},
		"which becomes a port": {
			now: eip("web-0.bank", "lsp"), old: eip("web-0.bank", "nat"), words: []string{"without dots"},
		},
		"which was one":          {now: eip("web-0.bank", "lsp"), old: eip("web-0.bank", "lsp")},
		"that is no port":        {now: eip("web-0.bank", "nat")},
		"that no port can have":  {now: eip("gateway", "lsp")},
		"of a node's port":       {now: eip("node-node-1", "lsp"), words: []string{"a node's port"}},
		"of a node without dots": {now: eip("node-1", "lsp"), words: []string{"a node's port"}},
		"of a link": {now: eip("join-ovn-cluster", "lsp"), words: []string{"the link between subnet " +
			"join and its router"}},
		"of a port that there is":   {now: eip("eth", "lsp"), words: []string{"a port on switch ovn-default"}},
		"of a Vip's port":           {now: eip("was-vip", "lsp"), words: []string{"a port on switch ovn-default"}},
		"of a link, without a port": {now: eip("join-ovn-cluster", "nat")},
		"of a node, by Kube-OVN": {
			now: eip("node1.example.org", "lsp"), user: "system:serviceaccount:kube-system:ovn",
		},
		"of a node, by somebody":     {now: eip("node1.example.org", "lsp"), words: []string{"node1.example.org"}},
		"without anything but names": {now: object{"metadata": object{"name": "a.b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			req := request(t, "ovn-eips.kubeovn.io", c.now, c.old)
			if c.user != "" {
				req.UserInfo.Username = c.user
			}
			a, err := guardOf(honouring()).EIP(t.Context(), req)
			expect(t, a, err, c.words...)
		})
	}
	if _, err := guardOf(
		honouring(),
	).EIP(t.Context(), request(t, "vips.kubeovn.io", eip("a.b", "lsp"), nil)); err == nil {
		t.Error("a Vip was judged as an OvnEip")
	}
}
