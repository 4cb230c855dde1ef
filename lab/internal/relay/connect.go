package relay

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
)

// Connect serves HTTP's CONNECT on a unix socket, as kube-apiserver's egress selector asks for: it dials what a request
// names in the network namespace that choose returns for it.
func Connect(socket string, choose func(host string) (namespace string, err error)) (*Relay, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("relay: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	return serve(listener, func(ctx context.Context, c net.Conn) error {
		reader := bufio.NewReader(c)
		request, err := http.ReadRequest(reader)
		if err != nil {
			return err
		}
		if request.Method != http.MethodConnect {
			return answer(c, http.StatusMethodNotAllowed, "only CONNECT is served here")
		}
		far, err := dialFor(ctx, request.Host, choose)
		if err != nil {
			return answer(c, http.StatusBadGateway, err.Error())
		}
		if err := answer(c, http.StatusOK, ""); err != nil {
			return errors.Join(err, far.Close())
		}
		return carry(ctx, c, reader, far)
	}), nil
}

func dialFor(ctx context.Context, address string, choose func(string) (string, error)) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	namespace, err := choose(host)
	if err != nil {
		return nil, err
	}
	return dialIn(ctx, namespace, address)
}

// answer writes the response to a CONNECT. One that refuses has the reason as its body.
func answer(c net.Conn, status int, reason string) error {
	length := ""
	if status != http.StatusOK {
		length = fmt.Sprintf("Content-Length: %d\r\nConnection: close\r\n", len(reason))
	}
	_, err := fmt.Fprintf(c, "HTTP/1.1 %d %s\r\n%s\r\n%s", status, http.StatusText(status), length, reason)
	return err
}
