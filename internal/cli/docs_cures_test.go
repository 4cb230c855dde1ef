package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every command that docs/troubleshooting.md tells people to run is one of the program's, with flags that it has. In
// first cells stand messages, which name commands in their own way.
func TestCommandsOfTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	span := regexp.MustCompile("`ovnguard ([^`]+)`")
	var commands []string
	for line := range strings.Lines(string(page)) {
		if words, ok := strings.CutPrefix(line, "ovnguard "); ok { // in a block for the shell
			words, _, _ = strings.Cut(words, " #")
			commands = append(commands, words)
		}
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			line = cells[2]
		}
		for _, found := range span.FindAllStringSubmatch(line, -1) {
			commands = append(commands, found[1])
		}
	}
	if len(commands) < 40 {
		t.Fatalf("the page has %d commands: this rule is stale", len(commands))
	}
	for _, words := range commands {
		root := newRootCommand("ovnguard")
		root.InitDefaultHelpFlag()
		cmd, rest, err := root.Find(strings.Fields(words))
		if err != nil || cmd == root && !strings.HasPrefix(words, "--") {
			t.Errorf("ovnguard %s: there is no such command", words)
			continue
		}
		cmd.InitDefaultHelpFlag()
		for _, word := range rest {
			name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
			switch {
			case strings.HasPrefix(word, "--") && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil,
				strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") &&
					cmd.Flags().ShorthandLookup(name) == nil:
				t.Errorf("ovnguard %s: %s has no flag %s", words, cmd.CommandPath(), word)
			}
		}
	}
}
