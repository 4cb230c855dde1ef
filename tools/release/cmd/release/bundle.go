package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/tools/release/internal/bundle"
)

func newBundleCommand(o *options) *cobra.Command {
	var limit int64
	cmd := &cobra.Command{
		Use:   "bundle REPOSITORY",
		Short: "Pack what was made, and what of the repository is installed, for machines without internet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.bundle(cmd.OutOrStdout(), args[0], limit*1e6)
		},
	}
	cmd.Flags().Int64Var(&limit, "limit-mb", 120, "how large the bundle may be, in megabytes")
	return cmd
}

// part is a pattern for files, and where they go in the bundle.
type part struct {
	directory, pattern string
	mode               fs.FileMode
	// optional files may be missing.
	optional bool
}

// parts returns what goes into the bundle besides the chart. The plugin for Linux is the program in the image, where
// load.sh takes it from.
func (o *options) parts(repository string) []part {
	packed := filepath.Join(o.out, "kubectl-ovnguard-"+o.version)
	return []part{
		{directory: "images", pattern: o.named("-image.tar"), mode: 0o644},
		{directory: "sbom", pattern: o.named("-*.cdx.json"), mode: 0o644},
		{directory: "plugin", pattern: packed + "-darwin-*.tar.gz", mode: 0o644},
		{directory: "plugin", pattern: packed + "-windows-*.zip", mode: 0o644},
		{directory: "bin", pattern: filepath.Join(o.out, "bin", "ovnguard-load-*"), mode: 0o755},
		{directory: "crds", pattern: filepath.Join(repository, "deploy", "crds", "*.yaml"), mode: 0o644},
		{directory: "manifests", pattern: filepath.Join(repository, "deploy", "*.yaml"), mode: 0o644, optional: true},
		{pattern: filepath.Join(repository, "LICENSE"), mode: 0o644},
	}
}

func (o *options) bundle(out io.Writer, repository string, limit int64) error {
	b := bundle.Bundle{Name: program + "-" + o.version, Date: o.at, Limit: limit}
	for _, p := range o.parts(repository) {
		files, err := filepath.Glob(p.pattern)
		if err != nil {
			return err
		}
		if len(files) == 0 && !p.optional {
			return fmt.Errorf("there is no %s: make image plugin makes it", p.pattern)
		}
		b.Parts = append(b.Parts, bundle.Part{Directory: p.directory, Mode: p.mode, Files: files})
	}
	chart := filepath.Join(repository, "charts", program)
	switch _, err := os.Stat(filepath.Join(chart, "Chart.yaml")); {
	case err == nil:
		b.Chart = chart
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if _, err := fmt.Fprintf(
			out,
			"%s is not there: the bundle has no chart\n",
			strings.TrimPrefix(chart, "./"),
		); err != nil {
			return err
		}
	}
	file := o.named("-bundle.tar.gz")
	size, err := b.Write(file)
	if err != nil {
		return err
	}
	if err := o.writeSums("-bundle.sha256", []string{file}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", file, megabytes(size))
	return err
}
