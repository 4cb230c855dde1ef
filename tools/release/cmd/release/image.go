package main

import (
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
	"github.com/ovnguard/ovnguard/tools/release/internal/oci"
	"github.com/ovnguard/ovnguard/tools/release/internal/sbom"
)

func newImageCommand(o *options) *cobra.Command {
	var repository string
	var limit int64
	cmd := &cobra.Command{
		Use:   "image OS/ARCH=BINARY...",
		Short: "Write the container image, and what its binaries were built from",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.image(cmd.OutOrStdout(), repository, limit*1e6, args)
		},
	}
	cmd.Flags().
		StringVar(&repository, "repository", "ghcr.io/ovnguard/ovnguard", "what the image is called, without a tag")
	cmd.Flags().Int64Var(&limit, "limit-mb", 60, "how large the image may be, in megabytes")
	return cmd
}

func (o *options) image(out io.Writer, repository string, limit int64, args []string) error {
	tag, err := name.NewTag(repository+":"+o.version, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("--repository and --version: %w", err)
	}
	built, err := binaries(args)
	if err != nil {
		return err
	}
	index, err := oci.Index(oci.Program{
		Name: program, Title: program, Description: "Port security for Kube-OVN", Source: homepage, License: license,
		Version: o.version, Commit: o.commit, Date: o.at,
	}, built)
	if err != nil {
		return err
	}
	file := o.named("-image.tar")
	if err := oci.WriteLayout(file, tag, o.at, index); err != nil {
		return err
	}
	files := []string{file}
	for _, b := range built {
		file := o.named(fmt.Sprintf("-%s-%s.cdx.json", b.Platform.OS, b.Platform.Architecture))
		err := archive.Write(file, 0o644, func(w io.Writer) error {
			return sbom.Write(w, sbom.Subject{Name: program, Version: o.version, License: license, Date: o.at}, b.Path)
		})
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	if err := o.writeSums("-image.sha256", files); err != nil {
		return err
	}
	return describe(out, tag, index, built, file, limit)
}

// describe prints what the image is, and fails where it is too large.
func describe(
	out io.Writer, tag name.Tag, index v1.ImageIndex, built []oci.Binary, file string, limit int64,
) error {
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s@%s\n", tag, digest)
	if err != nil {
		return err
	}
	sizes, err := oci.Sizes(index)
	if err != nil {
		return err
	}
	var total int64
	for i, b := range built {
		plain, err := sizeOf(b.Path)
		if err != nil {
			return err
		}
		total += sizes[i]
		if _, err := fmt.Fprintf(
			out,
			"  %-12s  binary %s, compressed %s\n",
			b.Platform,
			plain,
			megabytes(sizes[i]),
		); err != nil {
			return err
		}
	}
	if total > limit {
		return fmt.Errorf("the image has %s, want at most %s (--limit-mb)", megabytes(total), megabytes(limit))
	}
	all, err := sizeOf(file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "  %s: %s\n", file, all)
	return err
}
