package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/api"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/registration"
	"github.com/ovnguard/ovnguard/internal/report"
)

// envServer is the variable with the default of --server.
const envServer = "OVNGUARD_SERVER"

// findTimeout bounds the search for a controller that nobody has named.
const findTimeout = 3 * time.Second

// serverOptions are the flags by which a command finds the API of the controller.
type serverOptions struct {
	url, ca, name string
	direct        bool
}

func (o *serverOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.url, "server", os.Getenv(envServer),
		"ask the controller's API at this URL, such as https://localhost:9443; default: $"+envServer+
			", or the address that the webhooks are registered with")
	flags.StringVar(
		&o.ca,
		"server-ca",
		"",
		"file with the authority that signed the certificate of --server; default: the authority that the webhooks are "+
			"registered with",
	)
	flags.StringVar(&o.name, "server-name", "",
		"name in the certificate of --server; default: the registered name, or with --server-ca the host of the URL")
	flags.BoolVar(&o.direct, "direct", false,
		"read the cluster and the databases, and do not ask the controller's API")
}

// ownSources are the flags that say what a command reads; a controller has read for itself.
var ownSources = []string{
	"nb", "sb", "from", "kubernetes", "selector", "nb-ca", "nb-cert", "nb-key", "ovn-version", "kube-ovn-release",
	layout.FlagRouter, layout.FlagNodeSwitch, layout.FlagKeepVMIP, layout.FlagNonPrimary,
}

// check says what is wrong with the flags that name the API.
func (o *serverOptions) check(flags *pflag.FlagSet) error {
	named := ""
	for _, name := range []string{"server", "server-ca", "server-name"} {
		if flags.Changed(name) {
			named = name
		}
	}
	if named == "" {
		return nil
	}
	if o.direct {
		return usage(fmt.Errorf("--%s and --direct: give one of them", named))
	}
	for _, own := range ownSources {
		if flags.Changed(own) {
			return usage(
				fmt.Errorf("--%s and --%s: the controller has read what it answers from; leave one of the two out",
					named, own),
			)
		}
	}
	return nil
}

// reply is what the API answered. body is nil where the command reads for itself.
type reply struct {
	body []byte
	// note says which way was taken, where there is something to say.
	note []string
	// failed is why the API gave no answer; nil where it was not asked.
	failed error
}

// instead adds to the error of reading directly why the API was no help, and names the other way.
func (o *reading) instead(r *reply, err error) error {
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		return err
	}
	code, unnamed := exit.code, o.northbound == ""
	if o.kubernetes != "" || code != exitUnreachable && (code != exitUsage && code != exitIncomplete || !unnamed) {
		return err
	}
	if _, none := o.rest(); none != nil { // the API needs the user's token
		return err
	}
	hint := "; the controller's API can be asked instead: --server, see docs/api.md"
	if r.failed != nil {
		hint = "; nor does the controller's API answer: " + answer.Plain(r.failed.Error())
	}
	return &exitError{code: code, err: fmt.Errorf("%w%s", err, hint)}
}

// served asks the API for what is at a path, unless the flags say what else to read. A controller that is named by
// --server must answer; where another one does not, the command reads for itself.
func (o *reading) served(ctx context.Context, flags *pflag.FlagSet, path string, query url.Values) (reply, error) {
	if err := o.server.check(flags); err != nil {
		return reply{}, err
	}
	must := flags.Changed("server")
	own := o.kubernetes != "" || o.northbound != "" || o.southbound != "" ||
		slices.ContainsFunc(ownSources, flags.Changed)
	if o.server.direct || own && !must && o.server.url == "" || slices.ContainsFunc(ownSources, flags.Changed) {
		return reply{}, nil
	}
	named := o.server.url != ""
	search := ctx
	if !named {
		var cancel context.CancelFunc
		search, cancel = context.WithTimeout(ctx, findTimeout)
		defer cancel()
	}
	client, at, err := o.findServer(search)
	if err != nil && !named {
		return reply{}, nil // there is none, and nobody asked for one
	}
	var body []byte
	if err == nil {
		body, err = client.Get(search, path, query)
	}
	if err == nil {
		return reply{body: body}, nil
	}
	if r, ok := errors.AsType[*api.Refused](err); ok && r.Asks() {
		return reply{}, usage(fmt.Errorf("the controller at %s: %s", at, answer.Plain(r.Text)))
	}
	err = fmt.Errorf("%s: %w", at, err)
	if must {
		return reply{}, unreachable(
			fmt.Errorf("--server: %s; --direct reads the cluster and the databases", answer.Plain(err.Error())),
		)
	}
	return reply{
		failed: err,
		note:   []string{"read directly, and not from the controller's API: " + err.Error()},
	}, nil
}

// findServer returns a client of the API, and its URL.
func (o *reading) findServer(ctx context.Context) (client *api.Client, at string, err error) {
	at = o.server.url
	config, err := o.rest()
	if err != nil {
		return nil, at, err
	}
	trust := api.Trust{ServerName: o.server.name}
	if o.server.ca != "" {
		if trust.CA, err = os.ReadFile(o.server.ca); err != nil {
			return nil, at, fmt.Errorf("--server-ca: %w", err)
		}
	} else {
		live, err := newClient(config)
		if err != nil {
			return nil, at, err
		}
		registered, err := registration.AddressOf(ctx, live)
		if err != nil {
			return nil, at, fmt.Errorf("by which certificate it is known is not known; --server-ca says it: %w", err)
		}
		trust.CA = registered.CA
		if trust.ServerName == "" {
			trust.ServerName = registered.Name
		}
		if at == "" {
			at = registered.URL
		}
	}
	if at == "" {
		return nil, at, errors.New("--server: is required with --server-ca and --server-name")
	}
	client, err = api.NewClient(config, at, trust)
	return client, at, err
}

// servedStatus returns the status that the controller answers with; nil where the command reads for itself.
func (o *statusOptions) servedStatus(ctx context.Context, flags *pflag.FlagSet) (*statusReport, reply, error) {
	query := url.Values{}
	if o.namespace != "" {
		query.Set("namespace", o.namespace)
	}
	if o.all {
		query.Set("all", "true")
	}
	answer, err := o.served(ctx, flags, "status", query)
	if err != nil || answer.body == nil {
		return nil, answer, err
	}
	r := statusReport{api.NewStatus()}
	if err := json.Unmarshal(answer.body, &r.Status); err != nil || r.Time == nil {
		return nil, answer, unreachable(
			errors.New("the controller's answer is no status: its version may be another one"),
		)
	}
	for i := range r.Action {
		r.Action[i].Command = o.auditLine(flags, quoted(r.Action[i].Rule))
	}
	r.Notes = append([]string{servedNote(*r.Time, r.Version)}, r.Notes...)
	return &r, answer, nil
}

// servedSummary returns the report that the controller answers with; nil where the command reads for itself.
func (o *auditOptions) servedSummary(ctx context.Context, flags *pflag.FlagSet) (*report.Summary, reply, error) {
	const whole = "openreports"
	if o.output.format == whole {
		if flags.Changed("server") {
			return nil, reply{}, usage(
				fmt.Errorf("--server: -o %s needs what only reading directly gives; leave --server out", whole),
			)
		}
		return nil, reply{}, nil
	}
	query, f := url.Values{}, &o.output.filter
	for name, value := range map[string]string{
		"namespace": f.Namespace, "provider": string(f.Provider), "class": string(f.Class),
		"severity": string(f.Severity), "rule": strings.Join(f.Rules, ","),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	answer, err := o.served(ctx, flags, "findings", query)
	if err != nil || answer.body == nil {
		return nil, answer, err
	}
	s, err := report.Parse(answer.body)
	if err != nil {
		return nil, answer, unreachable(fmt.Errorf("the controller's answer is no report: %w", err))
	}
	s.Notes = append([]string{servedNote(s.Time, s.Version)}, s.Notes...)
	o.output.complete(&s)
	return &s, answer, nil
}

// servedNote says that the controller answered.
func servedNote(at time.Time, version string) string {
	return fmt.Sprintf(
		"read from the controller's API, version %s, state of %s",
		version,
		at.UTC().Format(time.RFC3339),
	)
}
