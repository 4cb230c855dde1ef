package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/internal/answer"
)

// build is what is known of this program. Fields are empty where the build does not say.
type build struct {
	answer.Meta
	Version string `json:"version"`
	Commit  string `json:"commit"`
	// Date is that of the commit.
	Date string `json:"date"`
	// Modified means that the sources differed from the commit.
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersionCommand() *cobra.Command {
	var short bool
	var o output
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Long: `Shows the version of this program, and the commit that it was built from. No cluster is asked;
ovnguard doctor shows the versions there.

Exit code: 0, or 2 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.checkOutput(); err != nil {
				return err
			}
			info, _ := debug.ReadBuildInfo()
			b, out := buildOf(info), cmd.OutOrStdout()
			if short && o.format == "table" {
				_, err := fmt.Fprintln(out, b.Version)
				return err
			}
			return o.put(out, b.answer())
		},
	}
	cmd.Flags().BoolVar(&short, "short", false, "only the version")
	o.addOutputFlags(cmd.Flags())
	return cmd
}

// buildOf returns what is known of the program; info may be nil.
func buildOf(info *debug.BuildInfo) build {
	b := build{
		Meta:     answer.Of("Version"),
		Version:  version,
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info == nil {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified, _ = strconv.ParseBool(s.Value)
		}
	}
	return b
}

// answer returns what is known as pairs.
func (b build) answer() answer.Answer {
	commit := orUnknown(b.Commit)
	if b.Modified {
		commit += ", with changes"
	}
	return answer.Answer{Title: "ovnguard version", Document: b, Sections: []answer.Section{{Rows: []answer.Row{
		answer.NewRow("version", b.Version),
		answer.NewRow("commit", commit),
		answer.NewRow("date", orUnknown(b.Date)),
		answer.NewRow("go", b.Go),
		answer.NewRow("platform", b.Platform),
	}}}}
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
