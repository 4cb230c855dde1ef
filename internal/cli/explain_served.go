package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/internal/answer"
	"github.com/ovnguard/ovnguard/internal/explain"
)

// path returns where the controller's API answers about it; ok is false for what the API is not asked about. given is
// the namespace that the command line names.
func (t target) path(given string) (path string, query url.Values, ok bool) {
	switch t.kind {
	case targetPod:
		return "pods/" + url.PathEscape(t.namespace) + "/" + url.PathEscape(t.name), nil, true
	case targetPort:
		if given != "" {
			query = url.Values{"namespace": {given}}
		}
		return "ports/" + url.PathEscape(t.name), query, true
	}
	return "", nil, false
}

// servedPorts returns what the controller answers about the ports; nil where the command reads for itself.
func (o *explainOptions) servedPorts(
	ctx context.Context, t target, flags *pflag.FlagSet,
) (*explain.Served, reply, error) {
	named := flags.Changed("server")
	path, query, ok := t.path(o.namespace)
	switch {
	case !ok && named:
		return nil, reply{}, usage(fmt.Errorf(
			"--server: the controller's API answers about pod/NAME and port/NAME, and not about %s; leave --server out",
			answer.Plain(t.String())))
	case !ok:
		return nil, reply{}, nil
	}
	r, err := o.served(ctx, flags, path, query)
	if wrong, ok := errors.AsType[*wrongQuestion](err); ok && wrong.refused.Code == http.StatusNotFound {
		if named {
			return nil, reply{}, &exitError{code: exitFindings, err: t.nothing(o.provider)}
		}
		return nil, reply{}, nil // it may be known to OVN alone
	}
	if err != nil || r.body == nil {
		return nil, r, err
	}
	served, err := explain.ParseServed(r.body)
	if err != nil {
		return nil, r, unreachable(fmt.Errorf("the controller's API: %w", err))
	}
	if o.provider != "" && !served.Only(o.provider) {
		return nil, r, &exitError{code: exitFindings, err: t.nothing(o.provider)}
	}
	served.Notes = append([]string{
		servedNote(served.Time, served.Version),
		"the API does not say what repair did, and which Events there are: ovnguard journal and kubectl get events do",
	}, served.Notes...)
	return &served, r, nil
}
