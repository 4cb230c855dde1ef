package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
	"github.com/ovnguard/ovnguard/tools/release/internal/plugin"
)

func newPluginCommand(o *options) *cobra.Command {
	var text, download string
	cmd := &cobra.Command{
		Use:   "plugin OS/ARCH=BINARY...",
		Short: "Write the archives of the plugin of kubectl, and krew's manifest",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.plugin(cmd.OutOrStdout(), text, download, args)
		},
	}
	cmd.Flags().StringVar(&text, "license", "LICENSE", "file with the license, which goes into each archive")
	cmd.Flags().StringVar(&download, "download", "",
		"address of the directory where krew finds the archives; default: the release of this version")
	return cmd
}

func (o *options) plugin(out io.Writer, text, download string, args []string) error {
	built, err := binaries(args)
	if err != nil {
		return err
	}
	if download == "" {
		download = homepage + "/releases/download/" + o.version
	}
	release := plugin.Release{Version: o.version, Date: o.at, License: text, Download: download, Homepage: homepage}
	var archives []plugin.Archive
	var files []string
	for _, b := range built {
		a, err := release.Pack(o.out, b.Platform.OS, b.Platform.Architecture, b.Path)
		if err != nil {
			return err
		}
		file := filepath.Join(o.out, a.File)
		size, err := sizeOf(file)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s: %s\n", file, size); err != nil {
			return err
		}
		archives, files = append(archives, a), append(files, file)
	}
	manifest, err := release.Manifest(archives)
	if err != nil {
		return err
	}
	file := filepath.Join(o.out, plugin.ManifestFile)
	err = archive.Write(file, 0o644, func(w io.Writer) error {
		_, err := w.Write(manifest)
		return err
	})
	if err != nil {
		return err
	}
	return o.writeSums("-plugin.sha256", append(files, file))
}
