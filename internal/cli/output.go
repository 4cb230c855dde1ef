package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"

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
