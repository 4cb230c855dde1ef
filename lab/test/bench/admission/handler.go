package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
)

// How reviews are sent: each round measures every server in turn, so that other load of the machine affects all
// equally.
const (
	handlerRounds = 3
	handlerTime   = 2 * time.Second
)

// endpoint is a webhook to be measured.
type endpoint struct {
	url string
	ca  []byte
}

// handlers measures reviews per second of both servers at each concurrency.
func handlers(ctx context.Context, program string) (table []row, err error) {
	progress("reviews: getting ready")
	p, err := open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.startGuard(ctx, program); err != nil {
		return nil, err
	}
	if p.bare, err = startBare(ctx); err != nil {
		return nil, err
	}
	config, err := p.guard.Registration(ctx)
	if err != nil {
		return nil, err
	}
	client := config.Webhooks[0].ClientConfig
	if client.URL == nil {
		return nil, errors.New("the webhook is registered without a URL")
	}
	body, err := review()
	if err != nil {
		return nil, err
	}
	ours, peer := endpoint{*client.URL, client.CABundle}, endpoint{p.bare.at.URL + allowPath, p.bare.at.CA}
	for _, concurrency := range []int{1, 8, 64} {
		progress("reviews of a pod of %d bytes, %d at a time", len(body), concurrency)
		var our, their rates
		for range handlerRounds {
			if err := their.add(peer.load(ctx, body, concurrency)); err != nil {
				return nil, fmt.Errorf("bare handler: %w", err)
			}
			if err := our.add(ours.load(ctx, body, concurrency)); err != nil {
				return nil, fmt.Errorf("ovnguard: %w", err)
			}
		}
		table = append(
			table,
			compare(
				fmt.Sprintf("reviews of an 8 KiB pod, %d at a time", concurrency),
				"a bare handler that decodes it",
				our,
				their,
				handlerBar,
			),
		)
	}
	return table, nil
}

// load sends the review over that many connections, each waiting for its answer, and returns reviews per second.
func (e endpoint) load(ctx context.Context, body []byte, connections int) (float64, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(e.ca) {
		return 0, errors.New("no certificate in the CA bundle")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return 0, err
	}
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}}
	conns := make([]*exchange, connections)
	for i := range conns {
		conn, err := dialer.DialContext(ctx, "tcp", address(e.url))
		if err != nil {
			return 0, err
		}
		conns[i] = &exchange{conn: conn, reader: bufio.NewReader(conn), request: wire.Bytes()}
		defer func() { _ = conn.Close() }()
		if err := conns[i].checked(); err != nil { // the first answer is checked, and warms up
			return 0, err
		}
	}
	var answered atomic.Int64
	var wg sync.WaitGroup
	failed := make(chan error, connections)
	begin := time.Now()
	for _, x := range conns {
		wg.Go(func() {
			for time.Since(begin) < handlerTime {
				if _, err := x.once(); err != nil {
					failed <- err
					return
				}
				answered.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return 0, err
	default:
	}
	return float64(answered.Load()) / took.Seconds(), nil
}

// exchange is a connection that is kept open.
type exchange struct {
	conn    io.Writer
	reader  *bufio.Reader
	request []byte
	close   func() error
}

func (x *exchange) once() ([]byte, error) {
	if _, err := x.conn.Write(x.request); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(x.reader, nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, nil
}

// checked sends the review once, and checks that the pod is allowed.
func (x *exchange) checked() error {
	body, err := x.once()
	if err != nil {
		return err
	}
	var out admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &out); err != nil {
		return err
	}
	if out.Response == nil || !out.Response.Allowed {
		return fmt.Errorf("an ordinary pod is not allowed: %s", body)
	}
	return nil
}
