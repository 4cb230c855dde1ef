package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// Values of -o.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

// addOutputFlag adds -o for a command that writes a table, JSON or YAML.
func addOutputFlag(flags *pflag.FlagSet, output *string) {
	flags.StringVarP(output, "output", "o", outputTable, "table, json or yaml")
}

// checkOutput says what is wrong with -o.
func checkOutput(output string) error {
	if !slices.Contains([]string{outputTable, outputJSON, outputYAML}, output) {
		return usage(fmt.Errorf("--output: %q: want table, json or yaml", output))
	}
	return nil
}

// writeAs writes the answer of a command: the document for programs, or the table.
func writeAs(out io.Writer, output string, document any, table func(io.Writer) error) error {
	var err error
	switch output {
	case outputJSON:
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(document)
	case outputYAML:
		var text []byte
		if text, err = yaml.Marshal(document); err == nil {
			_, err = out.Write(text)
		}
	default:
		err = table(out)
	}
	if err != nil {
		return unreachable(fmt.Errorf("write the answer: %w", err))
	}
	return nil
}

// plain replaces characters that could move a terminal's cursor or break a table, and has all in one line.
func plain(text string) string {
	text = strings.ReplaceAll(text, "\n", "; ")
	return strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// bare finds words that a shell takes as they are.
var bare = regexp.MustCompile(`^[a-zA-Z0-9_./:=,@%+-]+$`)

// quoted returns a word as a shell takes it.
func quoted(word string) string {
	if bare.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
