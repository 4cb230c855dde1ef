package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/audit"
)

// output is how a command writes its answer.
type output struct {
	format string
	// file is the file to write to; "" for standard output.
	file string
}

// answerFormats returns the names of the formats that answers have.
func answerFormats() (names []string) {
	for _, f := range answer.Formats() {
		names = append(names, f.Name)
	}
	return names
}

// addOutputFlags adds -o and --output-file.
func (o *output) addOutputFlags(flags *pflag.FlagSet) {
	o.addFormats(flags, answerFormats())
}

// addFormats adds the flags for a command that has formats of its own. The first one is the default.
func (o *output) addFormats(flags *pflag.FlagSet, names []string) {
	flags.StringVarP(&o.format, "output", "o", names[0], allowed(names))
	flags.StringVar(&o.file, "output-file", "", "file to write to, instead of standard output")
}

// checkOutput returns the errors in the flags, before anything is read.
func (o *output) checkOutput() error {
	names := answerFormats()
	if !slices.Contains(names, o.format) {
		return usage(fmt.Errorf("--output: %q: want %s", o.format, allowed(names)))
	}
	if err := o.checkFile(); err != nil {
		return usage(err)
	}
	return nil
}

// checkFile returns an error if the file to write to can have no place.
func (o *output) checkFile() error {
	if o.file == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(o.file)); err != nil {
		return fmt.Errorf("--output-file: %s: %w", o.file, err)
	}
	return nil
}

// put writes an answer as a whole.
func (o *output) put(out io.Writer, a answer.Answer) error {
	formats := answer.Formats()
	i := slices.IndexFunc(formats, func(f answer.Format) bool { return f.Name == o.format })
	return o.putText(out, func(w io.Writer) error { return formats[i].Write(w, a) })
}

// putText writes what write writes, as a whole, to the file or to standard output.
func (o *output) putText(out io.Writer, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return unreachable(fmt.Errorf("write the answer: %w", err))
	}
	if o.file != "" {
		if err := os.WriteFile(o.file, text.Bytes(), 0o644); err != nil {
			return usage(fmt.Errorf("--output-file: %w", err))
		}
		return nil
	}
	if _, err := out.Write(text.Bytes()); err != nil {
		return unreachable(fmt.Errorf("write the answer: %w", err))
	}
	return nil
}

// quoted returns a word as a shell takes it.
func quoted(word string) string { return audit.ShellWord(word) }
