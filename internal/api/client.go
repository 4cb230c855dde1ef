package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/client-go/rest"
)

// maxAnswer is the longest answer that a client takes, in bytes.
const maxAnswer = 256 << 20

// ErrNoToken says that a kubeconfig has nothing that the API takes: a client certificate proves nothing to it.
var ErrNoToken = errors.New(
	"the user of the kubeconfig has no token, and the controller's API takes tokens alone: use " +
		"one of a ServiceAccount (kubectl create token)",
)

// Client asks the API of a controller.
type Client struct {
	url  string
	http *http.Client
}

// Trust says by which certificate a controller is known.
type Trust struct {
	// CA is the authority, as PEM; ServerName is the name in the certificate, where that is not the host of the URL.
	CA         []byte
	ServerName string
}

// NewClient returns a client that has the token of user, and nothing else of it. at is the URL, such as
// https://ovnguard.ovnguard-system.svc.
func NewClient(user *rest.Config, at string, trust Trust) (*Client, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q: want https://HOST or https://HOST:PORT", at)
	}
	switch {
	case user.Impersonate.UserName != "":
		return nil, fmt.Errorf("the kubeconfig acts as %q, and the controller's API knows the owner of the token alone",
			user.Impersonate.UserName)
	case user.BearerToken == "" && user.BearerTokenFile == "" && user.ExecProvider == nil && user.AuthProvider == nil:
		return nil, ErrNoToken
	}
	client, err := rest.HTTPClientFor(&rest.Config{
		Host:        at,
		BearerToken: user.BearerToken, BearerTokenFile: user.BearerTokenFile,
		ExecProvider: user.ExecProvider, AuthProvider: user.AuthProvider, AuthConfigPersister: user.AuthConfigPersister,
		TLSClientConfig: rest.TLSClientConfig{CAData: trust.CA, ServerName: trust.ServerName},
		UserAgent:       user.UserAgent,
	})
	if err != nil {
		return nil, err
	}
	// A token goes to nobody else.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{strings.TrimSuffix(at, "/"), client}, nil
}

// Refused is an answer without what was asked for.
type Refused struct {
	// Code is that of HTTP, and Text what the controller says.
	Code int
	Text string
}

// Error implements error.
func (r *Refused) Error() string { return fmt.Sprintf("%s (HTTP %d)", r.Text, r.Code) }

// Asks reports whether what was asked for is wrong, whoever asks: another way would not find it either.
func (r *Refused) Asks() bool {
	return r.Code == http.StatusBadRequest || r.Code == http.StatusNotFound
}

// Get asks for what is at a path below Prefix.
func (c *Client) Get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	at := c.url + Prefix + path
	if len(query) > 0 {
		at += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it has the whole address, which the caller says
		}
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	case answer.StatusCode == http.StatusOK:
		return body, nil
	}
	var said errorBody
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		// It is not this program that answers: there is no such path, or another server.
		return nil, fmt.Errorf(
			"this is not the API of ovnguard, or not a version that has it (HTTP %d)",
			answer.StatusCode,
		)
	}
	return nil, &Refused{answer.StatusCode, said.Error}
}
