package main

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/tools/release/internal/bundle"
)

// packedPlatforms are those that a whole bundle is for. The images, and what load.sh runs, are for Linux alone.
var packedPlatforms = []string{
	"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
}

func newBundleCommand(o *options) *cobra.Command {
	var limit int64
	var platforms []string
	cmd := &cobra.Command{
		Use:   "bundle REPOSITORY",
		Short: "Pack what was made, and what of the repository is installed, for machines without internet",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.bundle(cmd.OutOrStdout(), args[0], platforms, limit*1e6)
		},
	}
	cmd.Flags().Int64Var(&limit, "limit-mb", 120, "how large the bundle may be, in megabytes")
	cmd.Flags().StringSliceVar(&platforms, "platforms", packedPlatforms, "platforms that programs were made for")
	return cmd
}

// part is a pattern for files, and where they go in the bundle.
type part struct {
	directory, pattern string
	mode               fs.FileMode
	manifests          bool
}

// parts returns what goes into the bundle besides the chart. The plugin for Linux is the program in the image, where
// load.sh takes it from.
func (o *options) parts(repository string, platforms []string) []part {
	parts := []part{
		{directory: "images", pattern: o.named("-image.tar"), mode: 0o644},
		{directory: "crds", pattern: filepath.Join(repository, "deploy", "crds", "*.yaml"), mode: 0o644},
		{directory: "manifests", pattern: filepath.Join(repository, "deploy", "*.yaml"), mode: 0o644, manifests: true},
		{pattern: filepath.Join(repository, "LICENSE"), mode: 0o644},
	}
	for _, platform := range platforms {
		target := strings.ReplaceAll(platform, "/", "-")
		if strings.HasPrefix(platform, "linux/") {
			parts = append(parts,
				part{directory: "bin", pattern: filepath.Join(o.out, "bin", "ovnguard-load-"+target), mode: 0o755},
				part{directory: "sbom", pattern: o.named("-" + target + ".cdx.json"), mode: 0o644})
			continue
		}
		plugin := filepath.Join(o.out, "kubectl-ovnguard-"+o.version+"-"+target+".*")
		parts = append(parts, part{directory: "plugin", pattern: plugin, mode: 0o644})
	}
	return parts
}

func (o *options) bundle(out io.Writer, repository string, platforms []string, limit int64) error {
	b := bundle.Bundle{
		Name: program + "-" + o.version, Version: o.version, Date: o.at, Limit: limit,
		Chart: filepath.Join(repository, "charts", program),
	}
	for _, p := range o.parts(repository, platforms) {
		files, err := filepath.Glob(p.pattern)
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("there is no %s: make bundle makes it first", p.pattern)
		}
		b.Parts = append(b.Parts, bundle.Part{
			Directory: p.directory, Mode: p.mode, Files: files, Manifests: p.manifests,
		})
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
