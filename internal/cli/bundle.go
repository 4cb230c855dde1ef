package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"github.com/ovnguard/ovnguard/internal/bundle"
	"github.com/ovnguard/ovnguard/internal/inventory"
)

// bundleOptions are the flags of the command.
type bundleOptions struct {
	reading
	program   string
	addresses bool
}

func newBundleCommand() *cobra.Command {
	var o bundleOptions
	cmd := &cobra.Command{
		Use:   "bundle FILE.tgz",
		Short: "Write one archive for a support case, without secrets and addresses",
		Long: `Collects what somebody needs who is asked for help: versions, doctor, status and the audit, this
project's resources, the registration, ovnguard's own workloads, Events, logs and metrics, the
journal of repair, and the rows of the ports that have findings. README.txt in the archive says what
is in it, and what was left out and why: what you may not read is left out.

Secrets are not read, and texts that look like some are removed. Addresses get placeholders, the same
one for the same address, unless --addresses keeps them. Names are as they are: look at the archive
before you hand it on. Nothing in the cluster is changed.

Exit code: 0 written with all of it, 2 wrong usage, 4 written, but something was left out.`,
		Example: `  ovnguard bundle case-17.tgz
  ovnguard bundle case-17.tgz --addresses
  ovnguard bundle case-17.tgz --from cluster.json --nb ovnnb_db.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), args[0], cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addReadingFlags(flags, ", as for audit")
	flags.StringVar(&o.program, "program-namespace", namespaceDefault(), "namespace of ovnguard")
	flags.BoolVar(&o.addresses, "addresses", false, "keep IP addresses and MACs")
	return cmd
}

func (o *bundleOptions) run(ctx context.Context, path string, out io.Writer, flags *pflag.FlagSet) error {
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return usage(err)
	}
	if o.northbound != "" {
		if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
			return usage(err)
		}
	}
	now := time.Now()
	a := &bundle.Archive{Redact: &bundle.Redactor{Addresses: o.addresses}, Made: now, By: version}
	config, err := o.rest()
	switch {
	case err == nil:
		a.Redact.Known = credentials(config)
	case o.kubernetes == "":
		return err
	}
	o.addAnswers(ctx, a, flags)
	if o.kubernetes == "" {
		c := collector{o: o, archive: a}
		if err := c.open(config); err != nil {
			return err
		}
		c.collect(ctx)
	} else {
		a.Leave("resources, logs, metrics", "the cluster is a file")
	}
	if ctx.Err() != nil {
		return unreachable(ctx.Err())
	}
	if err := writeArchive(path, a); err != nil {
		return usage(err)
	}
	left := a.LeftOut()
	if _, err := fmt.Fprintf(out, "%s: %s, %d left out; README.txt in it says what is in it\n", path,
		counted(len(a.Files()), "file"), len(left)); err != nil {
		return unreachable(fmt.Errorf("write the answer: %w", err))
	}
	if len(left) > 0 {
		return &exitError{code: exitIncomplete, err: fmt.Errorf("not all could be read, first %s: %s", left[0].What,
			left[0].Why)}
	}
	return nil
}

// writeArchive writes the archive as a whole, for its owner alone.
func writeArchive(path string, a *bundle.Archive) error {
	var data bytes.Buffer
	if err := a.Write(&data); err != nil {
		return err
	}
	return os.WriteFile(path, data.Bytes(), 0o600)
}

// credentials returns the secrets by which this program reaches the API server.
func credentials(config *rest.Config) []string {
	known := []string{config.BearerToken, config.Password}
	if config.BearerTokenFile != "" {
		if data, err := os.ReadFile(config.BearerTokenFile); err == nil {
			known = append(known, string(bytes.TrimSpace(data)))
		}
	}
	return known
}

// addAnswers adds the answers of other commands, as JSON, and the rows of the ports that have findings.
func (o *bundleOptions) addAnswers(ctx context.Context, a *bundle.Archive, flags *pflag.FlagSet) {
	var audited []byte
	for _, c := range []struct{ command, has string }{
		{"version", "the version of the program that made the archive"},
		{"doctor", "what protection rests on, and how Kube-OVN is laid out"},
		{"status", "ports by what they may send, and what needs action"},
		{"audit", "all findings, with the columns of the ports"},
		{"journal", "what repair did"},
	} {
		stage(ctx, "making the answer of ovnguard "+c.command)
		root := newRootCommand("ovnguard")
		sub, _, err := root.Find([]string{c.command})
		if err != nil {
			a.Leave(c.command, err.Error())
			continue
		}
		var text bytes.Buffer
		root.SetArgs(append([]string{c.command, "-o", "json"}, sameFlags(flags, sub.Flags())...))
		root.SetOut(&text)
		root.SetErr(io.Discard)
		note := ""
		if err := root.ExecuteContext(ctx); err != nil && err.Error() != "" {
			note = err.Error()
		}
		if text.Len() == 0 {
			a.Leave(c.command+".json", note)
			continue
		}
		if c.command == "audit" {
			audited = bytes.Clone(text.Bytes())
		}
		a.Add(c.command+".json", c.has, note, text.Bytes())
	}
	o.addRows(ctx, a, audited, flags)
}

// sameFlags returns the flags that were given and that another command has as well, as words of its command line.
func sameFlags(given, other *pflag.FlagSet) (words []string) {
	given.Visit(func(f *pflag.Flag) {
		if other.Lookup(f.Name) == nil {
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			words = append(words, "--"+f.Name+"="+value)
		}
	})
	return words
}

// mostRows is how many rows an archive has.
const mostRows = 1000

// addRows adds the rows of the ports that have findings, with everything that the Northbound database has of them.
func (o *bundleOptions) addRows(ctx context.Context, a *bundle.Archive, audited []byte, flags *pflag.FlagSet) {
	const name = "northbound-rows.json"
	var found struct{ Findings []struct{ Port string } }
	if len(audited) == 0 {
		a.Leave(name, "there is no audit that says which ports matter")
		return
	}
	if err := json.Unmarshal(audited, &found); err != nil {
		a.Leave(name, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	inv := inventory.New()
	again := o.reading // what is detected is for this reading alone
	err := again.place(ctx, flags)
	if err == nil {
		err = checkNorthbound(again.northbound)
	}
	if err == nil {
		_, err = again.readNorthbound(ctx, time.Now(), inv)
	}
	if err != nil {
		a.Leave(name, err.Error())
		return
	}
	rows, note := map[string]*inventory.Row{}, ""
	for _, f := range found.Findings {
		if r := inv.Row(f.Port); r != nil && len(rows) < mostRows {
			rows[f.Port] = r
		} else if r != nil && rows[f.Port] == nil {
			note = fmt.Sprintf("only %d of the ports with findings", mostRows)
		}
	}
	a.AddJSON(name, "the rows of the ports that have findings", note, rows)
}
