package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/leader"
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

// builds is the answer of the command. It may grow; a field never changes its meaning or goes away.
type builds struct {
	build
	// Controller is nil where no cluster was asked, or where the answer is not known.
	Controller *runningBuild `json:"controller,omitempty"`
}

// runningBuild is the build of the controller's replica that leads.
type runningBuild struct {
	// Installed means that a replica has led at some time. The rest is empty without.
	Installed bool `json:"installed"`
	leader.Build
	// Replica is the one that leads; empty where none does now. The build is that of the last one then.
	Replica string `json:"replica"`
}

// versionOptions are the flags of the command.
type versionOptions struct {
	connection
	short, client bool
	namespace     string
	timeout       time.Duration
	output        output
}

func newVersionCommand() *cobra.Command {
	var o versionOptions
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the versions of this program and of the controller",
		Long: `Shows the version of this program, and the commit that it was built from. Where a cluster is
configured, the version of the controller's replica that leads is shown as well: it is read from
the Lease in the program's namespace, which takes the right to get leases there.

Exit code: 0, 2 wrong usage, 3 the API server could not be reached, 4 it does not show the Lease.
This program's version is shown with each of them.`,
		Example: "  ovnguard version\n  ovnguard version --client\n  ovnguard version --short",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	flags := cmd.Flags()
	o.addKubernetesFlags(flags)
	flags.BoolVar(&o.client, "client", false, "only this program: no cluster is asked")
	flags.BoolVar(&o.short, "short", false, "only the version of this program")
	flags.StringVar(&o.namespace, "namespace", namespaceDefault(), "namespace of the program, where the Lease is")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long to wait for the API server")
	o.output.addOutputFlags(flags)
	return cmd
}

func (o *versionOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.output.checkOutput(); err != nil {
		return err
	}
	if o.timeout <= 0 {
		return usage(fmt.Errorf("--timeout: %s: must be more than 0", o.timeout))
	}
	b := builds{build: ownBuild()}
	if o.short && o.output.format == "table" {
		_, err := fmt.Fprintln(out, b.Version)
		return err
	}
	var unknown error
	if !o.client && !o.short {
		b.Controller, unknown = o.running(ctx)
		if code, ok := errors.AsType[*exitError](unknown); ok && code.code == exitUsage {
			return unknown
		}
	}
	if err := o.output.put(out, b.answer()); err != nil {
		return err
	}
	return unknown
}

// running returns the build of the controller. It is nil without an error where no cluster is configured.
func (o *versionOptions) running(ctx context.Context) (*runningBuild, error) {
	config, err := o.rest()
	if errors.Is(err, errNoCluster) && o.kubeconfig == "" && o.overrides.CurrentContext == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	held, err := leader.ReadHolder(ctx, config, o.namespace)
	switch {
	case apierrors.IsNotFound(err):
		return &runningBuild{}, nil
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return nil, &exitError{code: exitIncomplete, err: fmt.Errorf(
			"the controller's version is not known: %w; it takes the right to get leases in namespace %s (--namespace)",
			err, o.namespace)}
	case err != nil:
		return nil, unreachable(fmt.Errorf("the controller's version is not known: %w; --client asks no cluster", err))
	}
	found := &runningBuild{Installed: true, Build: held.Build}
	if held.Leads(time.Now()) {
		found.Replica = held.Identity
	}
	return found, nil
}

// ownBuild returns what is known of this program.
func ownBuild() build {
	info, _ := debug.ReadBuildInfo()
	return buildOf(info)
}

// buildOf returns what is known of the program; info may be nil. What scripts/build.sh has set comes before what the go
// command notes in a clone.
func buildOf(info *debug.BuildInfo) build {
	b := build{
		Meta: answer.Of(
			"Version",
		),
		Version:  version,
		Commit:   commit,
		Date:     date,
		Modified: strings.HasSuffix(version, "-dirty"),
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	if info == nil || commit != "" {
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

// answer returns the builds as pairs.
func (b builds) answer() answer.Answer {
	at := orUnknown(b.Commit)
	if b.Modified {
		at += ", with changes"
	}
	a := answer.Answer{Title: "ovnguard version", Document: b, Sections: []answer.Section{{Rows: []answer.Row{
		answer.NewRow("version", b.Version),
		answer.NewRow("commit", at),
		answer.NewRow("date", orUnknown(b.Date)),
		answer.NewRow("go", b.Go),
		answer.NewRow("platform", b.Platform),
	}}}}
	if b.Controller != nil {
		a.Sections = append(a.Sections, b.Controller.section())
	}
	return a
}

// section returns the pairs about the controller.
func (r runningBuild) section() answer.Section {
	if !r.Installed {
		return answer.Section{Rows: []answer.Row{
			answer.NewRow("controller", "none has run in the namespace of the program"),
		}}
	}
	return answer.Section{Rows: []answer.Row{
		answer.NewRow("controller", orUnknown(r.Version)),
		answer.NewRow("commit", orUnknown(r.Commit)),
		answer.NewRow("date", orUnknown(r.Date)),
		answer.NewRow("replica", cmp.Or(r.Replica, "none leads now; the last one had this version")),
	}}
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
