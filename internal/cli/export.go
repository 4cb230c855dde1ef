package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// Files of an export besides those of kinds.
const (
	exportedNorthbound = "nb.json"
	exportedSouthbound = "sb.json"
)

// exportOptions are the flags of the command.
type exportOptions struct {
	reading
	force bool
	// progress is where is said how far the command is.
	progress io.Writer
}

func newExportCommand() *cobra.Command {
	var o exportOptions
	o.filters = true
	cmd := &cobra.Command{
		Use:   "export DIR",
		Short: "Write what an audit reads into files, to be judged elsewhere",
		Long: `Reads the cluster and the Northbound database (with --sb the Southbound one, too), and writes one
file for each kind of object, nb.json and sb.json into the directory, which must be empty or not
there (--force writes into another one). Only fields are written that judgement rests on: no
environment of containers, no Secret, nothing else of manifests. The files are for your account
alone. audit, status, doctor, explain and check read them with --from DIR --nb DIR/nb.json.

Exit code: 0 all is written, 2 wrong usage, 3 the API server or a database could not be reached, 4
some kinds could not be read; what could be is written.`,
		Example: "  ovnguard export cluster/\n  ovnguard audit --from cluster/ --nb cluster/nb.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(errors.New("want DIR, the directory to write to"))
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.progress = cmd.ErrOrStderr()
			return o.run(cmd.Context(), args[0], cmd.OutOrStdout(), cmd.Flags())
		},
	}
	flags := cmd.Flags()
	o.addFlags(flags)
	o.told.addFlags(flags)
	flags.Lookup("nb").Usage += ", or where Kube-OVN's controller finds it"
	flags.BoolVar(&o.force, "force", false, "write into a directory that is not empty, over files of the same names")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "how long all of it may take")
	return cmd
}

func (o *exportOptions) run(ctx context.Context, dir string, out io.Writer, flags *pflag.FlagSet) error {
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	for flag, value := range map[string]string{"--nb": o.northbound, "--sb": o.southbound} {
		if path, file := databaseFile(value); file && value != "" {
			return usage(fmt.Errorf("%s: %s: is a file already; want endpoints of the running database", flag, path))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	_, api, err := o.connect(ctx)
	if err != nil {
		return err
	}
	if err := o.place(ctx, flags); err != nil {
		return err
	}
	if err := errors.Join(checkNorthbound(o.northbound), o.check()); err != nil {
		return usage(err)
	}
	to, err := openExport(dir, o.force)
	if err != nil {
		return usage(err)
	}
	defer func() { _ = to.Close() }()
	e := &export{Root: to, progress: o.progress}
	for _, kind := range kube.KeptKinds() {
		if err := e.kind(ctx, api, kind); err != nil {
			if _, disk := errors.AsType[*fs.PathError](err); disk {
				return usage(err)
			}
			return unreachable(err)
		}
	}
	e.database(ctx, &o.reading, ovn.Northbound, o.northbound, exportedNorthbound)
	if o.southbound != "" {
		e.database(ctx, &o.reading, ovn.Southbound, o.southbound, exportedSouthbound)
	}
	for _, n := range append(e.notes, o.unplaced...) {
		_, _ = fmt.Fprintln(o.progress, "note: "+answer.Plain(n)) // nobody is left to tell
	}
	line := fmt.Sprintf("ovnguard audit --from %s --nb %s", quoted(dir), quoted(filepath.Join(dir, exportedNorthbound)))
	if o.southbound != "" {
		line += " --sb " + quoted(filepath.Join(dir, exportedSouthbound))
	}
	if _, err := fmt.Fprintf(
		out, "%d objects of %d kinds are in %s; to judge them:\n  %s\n",
		e.objects, e.kinds, answer.Plain(dir), line+o.setupFlags(),
	); err != nil {
		return err
	}
	return e.verdict()
}

// setupFlags returns the flags that say how Kube-OVN is laid out, where that is not as usual: files do not tell it.
func (o *exportOptions) setupFlags() (text string) {
	usual := kubeovn.DefaultSetup()
	if o.setup.Router != usual.Router {
		text += " --" + layout.FlagRouter + "=" + quoted(o.setup.Router)
	}
	if o.setup.NodeSwitch != usual.NodeSwitch {
		text += " --" + layout.FlagNodeSwitch + "=" + quoted(o.setup.NodeSwitch)
	}
	if o.setup.KeepVMIP != usual.KeepVMIP {
		text += fmt.Sprintf(" --%s=%t", layout.FlagKeepVMIP, o.setup.KeepVMIP)
	}
	if o.setup.NonPrimary != usual.NonPrimary {
		text += fmt.Sprintf(" --%s=%t", layout.FlagNonPrimary, o.setup.NonPrimary)
	}
	return text
}

// openExport returns the directory that is written to, made where it is not there.
func openExport(dir string, force bool) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 && !force {
		return nil, fmt.Errorf("%s: is not empty; name another directory, or write into this one with --force", dir)
	}
	return os.OpenRoot(dir)
}

// export writes files, and notes what could not be read.
type export struct {
	*os.Root

	progress       io.Writer
	kinds, objects int
	// missing are the kinds and databases that could not be read, and away those databases that do not answer.
	missing, away, notes []string
}

// kind writes the objects of a kind. The error is that of an API server that does not answer, or of the disk.
func (e *export) kind(ctx context.Context, api client.Reader, kind schema.GroupVersionKind) error {
	name := strings.ToLower(kind.GroupKind().String()) + ".json"
	began, said, n := time.Now(), time.Now(), 0
	err := e.write(name, func(w io.Writer) error {
		if _, err := fmt.Fprintf(
			w, `{"kind":%q,"apiVersion":%q,"items":[`, kind.Kind+"List", kind.GroupVersion().String(),
		); err != nil {
			return err
		}
		err := kube.EachKept(ctx, api, kind, func(object map[string]any) error {
			text, err := json.Marshal(object)
			if err != nil {
				return err
			}
			begin := "\n"
			if n > 0 {
				begin = ",\n"
			}
			n++
			if time.Since(said) > time.Second {
				said = time.Now()
				_, _ = fmt.Fprintf(
					e.progress,
					"%s: %d after %s\n",
					kind.GroupKind(),
					n,
					time.Since(began).Round(time.Second),
				)
			}
			_, err = w.Write(append([]byte(begin), text...))
			return err
		})
		if err != nil && !meta.IsNoMatchError(err) {
			return err
		}
		if err != nil { // the cluster has none, and can have none
			e.notes = append(e.notes, fmt.Sprintf("the cluster does not serve %s", kind.GroupKind()))
		}
		_, err = io.WriteString(w, "]}\n")
		return err
	})
	switch {
	case err == nil:
		e.kinds, e.objects = e.kinds+1, e.objects+n
	case ctx.Err() != nil || apierrors.ReasonForError(err) == metav1.StatusReasonUnknown:
		return err // it is no answer of the API server
	default:
		e.missing = append(e.missing, kind.GroupKind().String())
		e.notes = append(e.notes, err.Error())
	}
	return nil
}

// database writes what is read of a running database.
func (e *export) database(ctx context.Context, o *reading, which ovn.Database, endpoints, name string) {
	err := e.write(name, func(w io.Writer) error {
		mirror, stop, err := o.open(ctx, which, endpoints)
		if err != nil {
			return err
		}
		defer stop()
		return rows.Dump(w, mirror.Snapshot())
	})
	if err != nil {
		e.away = append(e.away, string(which))
		e.notes = append(e.notes, fmt.Sprintf("%s: %v", which, err))
	}
}

// write writes a file for the own account alone. Where the contents end with an error there is no file.
func (e *export) write(name string, contents func(io.Writer) error) error {
	if err := e.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	file, err := e.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 64<<10)
	if err = contents(w); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, e.Remove(name))
	}
	return nil
}

// verdict returns the exit code as an error.
func (e *export) verdict() error {
	switch {
	case len(e.away) > 0:
		return unreachable(
			fmt.Errorf("not written, since it could not be read: %s", strings.Join(append(e.away, e.missing...), ", ")),
		)
	case len(e.missing) > 0:
		return &exitError{
			code: exitIncomplete,
			err:  fmt.Errorf("not written, since they may not be listed: %s", strings.Join(e.missing, ", ")),
		}
	}
	return nil
}
