package kubeovn

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// className are the names of the classes in docs/keys.md.
var className = map[KeyClass]string{
	Harmless:    "harmless",
	LevelKey:    "level",
	GrantKey:    "grant",
	IdentityKey: "identity",
	OwnKey:      "Kube-OVN's own",
	MachineKey:  "machine",
	EgressKey:   "egress",
	GroupKey:    "group",
	WishKey:     "wish",
}

// docs/keys.md has the program's row for each key, and no other rows.
func TestKeysPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range KeyRules {
		want = append(
			want,
			fmt.Sprintf("| `%s` | %s | %s | %s | %s |", r.Suffix, className[r.Class], r.On, r.ReadBy, r.Why),
		)
	}
	var have []string
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "| `") {
			have = append(have, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(have, want) {
		t.Errorf("docs/keys.md is not what the program has; its table is:\n%s", strings.Join(want, "\n"))
	}
}

// Each key is listed once, with a class, its reader and a reason.
func TestKeyRules(t *testing.T) {
	seen := make(map[Suffix]bool)
	for _, r := range KeyRules {
		if seen[r.Suffix] || r.On == "" || r.ReadBy == "" || r.Why == "" || className[r.Class] == "" {
			t.Errorf("%+v", r)
		}
		seen[r.Suffix] = true
		if got := ClassOf(DefaultProvider.Key(r.Suffix)); got != r.Class {
			t.Errorf("%s is of class %d", r.Suffix, got)
		}
	}
	if len(seen) != 90 { // 89 of master, and allow_live_migration
		t.Errorf("%d keys; where a key came or went, change the number here and in docs/keys.md", len(seen))
	}
}
