package cli

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/spf13/cobra"
)

// build is what is known of this program. Fields are empty where the build does not say.
type build struct {
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
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program",
		Long: `Shows the version of this program, and the commit that it was built from. No cluster is asked;
ovnguard doctor shows the versions there.

Exit code: 0, or 2 wrong usage.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			info, _ := debug.ReadBuildInfo()
			b, out := buildOf(info), cmd.OutOrStdout()
			if short && output == outputTable {
				_, err := fmt.Fprintln(out, b.Version)
				return err
			}
			return writeAs(out, output, b, func(w io.Writer) error { return writeBuild(w, b) })
		},
	}
	cmd.Flags().BoolVar(&short, "short", false, "only the version")
	addOutputFlag(cmd.Flags(), &output)
	return cmd
}

// buildOf returns what is known of the program; info may be nil.
func buildOf(info *debug.BuildInfo) build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
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

func writeBuild(w io.Writer, b build) error {
	commit := orUnknown(b.Commit)
	if b.Modified {
		commit += ", with changes"
	}
	_, err := fmt.Fprintf(w, "version   %s\ncommit    %s\ndate      %s\ngo        %s\nplatform  %s\n",
		b.Version, commit, orUnknown(b.Date), b.Go, b.Platform)
	return err
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
