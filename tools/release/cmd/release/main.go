// Command release makes what is published from binaries that were built: the container image, the plugin of kubectl
// with its manifest, lists of what the binaries were built from, checksums, and a bundle for machines without
// internet. The scripts of this repository build the binaries and call it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
	"github.com/ovnguard/ovnguard/tools/release/internal/oci"
)

// What is said of the program in every artefact.
const (
	program  = "ovnguard"
	homepage = "https://github.com/ovnguard/ovnguard"
	license  = "Apache-2.0"
)

func main() {
	root := newCommand()
	if err := root.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are the flags that all commands have.
type options struct {
	version, commit, date, out string

	at time.Time
}

func newCommand() *cobra.Command {
	var o options
	root := &cobra.Command{
		Use: "release", Short: "Make what is published", SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return o.check() },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&o.version, "version", "", "version of the program, such as v0.1.0")
	flags.StringVar(&o.commit, "commit", "", "commit that it was built from")
	flags.StringVar(&o.date, "date", "", "date of the commit, RFC 3339; every file bears it")
	flags.StringVar(&o.out, "out", "dist", "directory where files are written")
	root.AddCommand(newImageCommand(&o), newPluginCommand(&o), newBundleCommand(&o))
	return root
}

func (o *options) check() error {
	var errs []error
	if o.version == "" {
		errs = append(errs, errors.New("--version: is required; scripts/version.sh prints it"))
	}
	var err error
	if o.at, err = time.Parse(time.RFC3339, o.date); err != nil {
		errs = append(errs, fmt.Errorf("--date: %w; scripts/version.sh prints it", err))
	}
	return errors.Join(errs...)
}

// named returns the path of a file of this version in the output directory.
func (o *options) named(suffix string) string {
	return filepath.Join(o.out, program+"-"+o.version+suffix)
}

// binaries reads the arguments OS/ARCH=PATH.
func binaries(args []string) ([]oci.Binary, error) {
	var out []oci.Binary
	for _, a := range args {
		b, err := oci.ParseBinary(a)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// writeSums writes the checksums of files of the output directory.
func (o *options) writeSums(suffix string, files []string) error {
	var entries []archive.Entry
	for _, f := range files {
		entries = append(entries, archive.Entry{Name: filepath.Base(f), From: f})
	}
	sums, err := archive.Sums(entries)
	if err != nil {
		return err
	}
	return archive.Write(o.named(suffix), 0o644, func(w io.Writer) error {
		_, err := w.Write(sums)
		return err
	})
}

// megabytes returns a size as people read it.
func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// sizeOf returns the size of a file as people read it.
func sizeOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return megabytes(info.Size()), nil
}
