// Command ovnguard-docs writes what is made from the commands: the page of all flags, man pages and completions.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/ovnguard/ovnguard/internal/cli"
)

func main() {
	page := flag.String("page", "", "file for the page of all commands and flags, in Markdown")
	table := flag.String("commands", "", "page with the table of commands, which is written again")
	dir := flag.String("dir", "", "directory for man pages (man/) and completions (completions/)")
	flag.Parse()
	root := cli.Commands("ovnguard")
	var errs []error
	if *page != "" {
		errs = append(errs, writePage(root, *page))
	}
	if *table != "" {
		errs = append(errs, writeTable(root, *table))
	}
	if *dir != "" {
		errs = append(errs, writeMan(root, filepath.Join(*dir, "man")),
			writeCompletions(root, filepath.Join(*dir, "completions")))
	}
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(os.Stderr, "ovnguard-docs:", err)
		os.Exit(1)
	}
}

const intro = `# All commands and flags

Made from the commands by ` + "`make docs`" + `. [The command line](cli.md) says what they are for, with examples.
`

// related finds what cobra writes below each command: where its other pages are.
var related = regexp.MustCompile(`(?s)\n### SEE ALSO.*$`)

// writePage writes one page with all commands.
func writePage(root *cobra.Command, path string) error {
	page := bytes.NewBufferString(intro)
	for _, c := range all(root) {
		if !c.Runnable() || c == root {
			continue
		}
		c.DisableAutoGenTag = true
		var text bytes.Buffer
		if err := doc.GenMarkdown(c, &text); err != nil {
			return err
		}
		page.WriteString("\n" + strings.TrimSpace(related.ReplaceAllString(text.String(), "")) + "\n")
	}
	return os.WriteFile(path, page.Bytes(), 0o644)
}

// Marks around the table of commands.
const (
	tableBegins = "<!-- commands: made by make docs -->\n"
	tableEnds   = "<!-- end of commands -->\n"
)

// writeTable writes the table of commands between its marks: what each does, and its formats. It leads to the section
// of the page that is called as the first word of the command, or else to the page of flags.
func writeTable(root *cobra.Command, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(data), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		return fmt.Errorf("%s: want the marks %q and %q around the table of commands", path, tableBegins, tableEnds)
	}
	table := bytes.NewBufferString("| command | does | `-o` |\n|---|---|---|\n")
	for _, c := range all(root) {
		output := c.Flags().Lookup("output")
		if !c.Runnable() || c == root || c.HasAvailableSubCommands() && output == nil { // it shows its help alone
			continue
		}
		words := strings.Fields(c.CommandPath())[1:]
		at := "#" + words[0]
		if !strings.Contains(after, "\n## "+words[0]+"\n") {
			at = "reference.md#ovnguard-" + strings.Join(words, "-")
		}
		formats := ""
		if output != nil {
			formats = output.Usage
		}
		fmt.Fprintf(table, "| [`%s`](%s) | %s | %s |\n", strings.Join(words, " "), at, c.Short, formats)
	}
	return os.WriteFile(path, []byte(before+tableBegins+table.String()+tableEnds+after), 0o644)
}

// all returns a command and all that are under it, in the order in which help lists them.
func all(c *cobra.Command) []*cobra.Command {
	out := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() && !sub.IsAdditionalHelpTopicCommand() {
			out = append(out, all(sub)...)
		}
	}
	return out
}

func writeMan(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{Title: "OVNGUARD", Section: "1", Source: "ovnguard"}, dir)
}

func writeCompletions(root *cobra.Command, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		root.GenBashCompletionFileV2(filepath.Join(dir, "ovnguard.bash"), true),
		root.GenZshCompletionFile(filepath.Join(dir, "_ovnguard")),
		root.GenFishCompletionFile(filepath.Join(dir, "ovnguard.fish"), true),
		root.GenPowerShellCompletionFileWithDesc(filepath.Join(dir, "ovnguard.ps1")),
	)
}
