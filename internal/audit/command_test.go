package audit

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/portsec"
)

func TestCommand(t *testing.T) {
	cases := map[string]struct {
		words []string
		want  string
	}{
		"bare": {
			[]string{"lsp-del", "p.ns_1-x/y:z=1,2@3%4+5"},
			"ovn-nbctl lsp-del p.ns_1-x/y:z=1,2@3%4+5",
		},
		"blank":             {[]string{"a b"}, "ovn-nbctl 'a b'"},
		"empty":             {[]string{""}, "ovn-nbctl ''"},
		"quote":             {[]string{"it's"}, `ovn-nbctl 'it'\''s'`},
		"substitution":      {[]string{"$(id)", "`id`", "a;b"}, "ovn-nbctl '$(id)' '`id`' 'a;b'"},
		"tilde":             {[]string{"~root"}, "ovn-nbctl '~root'"},
		"new line":          {[]string{"a\nb"}, ""},
		"escape":            {[]string{"\x1b[2J"}, ""},
		"writing direction": {[]string{"a\u202eb"}, ""},
		"not UTF-8":         {[]string{"a\xffb"}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := command("ovn-nbctl", c.words...); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A real shell splits every command into the words that it was made of.
func TestShellReadsBack(t *testing.T) {
	var all []string
	words := rapid.SliceOfN(rapid.StringOf(rapid.RuneFrom([]rune(" '\"\\$`!*?[]{}()<>|&;~#=%^-ab1é"))), 1, 4)
	for i := range 200 {
		all = append(all, words.Example(i)...)
	}
	line := strings.TrimPrefix(command("x", all...), "x")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `for w in`+line+`; do printf '%s\n' "$w"; done`).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"); !slices.Equal(got, all) {
		t.Errorf("the shell reads %q, want %q", got, all)
	}
}

// A name that somebody else chose never becomes a command when a user copies a fix.
func TestFixesAreSafeToCopy(t *testing.T) {
	const evil = "$(touch /tmp/owned)"
	first := func(p inventory.Port) string {
		t.Helper()
		got := Evaluate(p, portsec.Eras())
		if len(got.Findings) == 0 {
			t.Fatal("nothing is found")
		}
		return got.Findings[0].Fix
	}
	rename := func(name string) func(*inventory.Port) {
		return func(p *inventory.Port) { p.Name, p.Row.Name, p.Row.UUID = name, name, "5f3c" }
	}
	provider := func(p *inventory.Port) { p.Provider = kubeovn.Provider("blue.ns.ovn." + evil) }
	for name, c := range map[string]struct {
		port inventory.Port
		want string
	}{
		"a row's name":          {port(noPod, noRecord, rename(evil)), "ovn-nbctl lsp-del '" + evil + "'"},
		"a name like an option": {port(noPod, noRecord, rename("--db=x")), "ovn-nbctl lsp-del 5f3c"},
		"an interface's name": {
			port(portSecurity(), provider),
			"kubectl annotate pod -n ns p 'blue.ns.ovn." + evil + ".kubernetes.io/port_security=true' --overwrite",
		},
		"an address": {
			port(noRecord, addresses("unknown", evil)), "ovn-nbctl lsp-set-addresses p.ns '" + evil + "'",
		},
		"an address like a flag":  {port(noRecord, addresses("unknown", "--")), ""},
		"a name that moves lines": {port(noPod, noRecord, rename("x\r")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := first(c.port); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A fix writes what only Kube-OVN's controller may write as that controller's user in this cluster.
func TestFixesNameTheControllersAccount(t *testing.T) {
	for account, setup := range map[string]*kubeovn.Setup{
		kubeovn.ControllerAccount:                  nil,
		"system:serviceaccount:cozy-kubeovn:other": {Account: "system:serviceaccount:cozy-kubeovn:other"},
	} {
		p := port(noRow, annotate("ovn.kubernetes.io/allocated", "true"), func(p *inventory.Port) { p.KubeOVN = setup })
		got := Evaluate(p, portsec.Eras())
		if len(got.Findings) != 1 || got.Findings[0].Rule.ID != "OVG007" ||
			!strings.HasSuffix(got.Findings[0].Fix, " --as="+account) {
			t.Errorf("%s: %+v", account, got)
		}
	}
}
