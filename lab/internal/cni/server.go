package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Handler does what a plugin asks for. root is the directory of the file system in which the request's paths are.
type Handler func(ctx context.Context, root string, request Request) (Response, error)

// Serve answers plugins at a unix socket until ctx ends. It calls ready when it listens.
func Serve(ctx context.Context, socket string, handle Handler, ready func()) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("serve plugins: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("serve plugins: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	ready()
	var calls sync.WaitGroup
	defer calls.Wait()
	for {
		c, err := listener.AcceptUnix()
		if err != nil {
			return ctx.Err()
		}
		calls.Go(func() {
			// A plugin that has gone needs no answer.
			_ = errors.Join(answer(ctx, c, handle), c.Close())
		})
	}
}

func answer(ctx context.Context, c *net.UnixConn, handle Handler) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	var request Request
	if err := json.NewDecoder(c).Decode(&request); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := ask(ctx, c, handle, request)
	if err != nil {
		response = Response{Error: err.Error()}
	}
	return json.NewEncoder(c).Encode(response)
}

// ask calls handle with the file system of the process at the other end, which may be in another mount namespace.
func ask(ctx context.Context, c *net.UnixConn, handle Handler, request Request) (Response, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Response{}, err
	}
	var peer *unix.Ucred
	var peerErr error
	if err := raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return Response{}, err
	}
	if peerErr != nil {
		return Response{}, peerErr
	}
	return handle(ctx, "/proc/"+strconv.Itoa(int(peer.Pid))+"/root", request)
}
