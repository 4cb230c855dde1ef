package scene

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// PodProgram is the path of the lab's program in its containers.
const PodProgram = "/ovnguard-lab-pod"

// Exec runs a command in the first container of a pod and returns what it printed.
func (s *Scene) Exec(ctx context.Context, pod *corev1.Pod, command ...string) (string, error) {
	var out, stderr bytes.Buffer
	if err := s.exec(ctx, pod, nil, &out, &stderr, command...); err != nil {
		return out.String(), fmt.Errorf("exec %q in %s/%s: %w: %s", command, pod.Namespace, pod.Name, err, &stderr)
	}
	return out.String(), nil
}

func (s *Scene) exec(
	ctx context.Context,
	pod *corev1.Pod,
	in io.Reader,
	out, stderr io.Writer,
	command ...string,
) error {
	request := s.Kube.CoreV1().RESTClient().Post().
		Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: pod.Spec.Containers[0].Name, Command: command, Stdin: in != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(s.config, http.MethodGet, request.URL().String())
	if err != nil {
		return err
	}
	return executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: in, Stdout: out, Stderr: stderr})
}

// Sender sends frames from a process in a pod's container.
type Sender struct {
	in     *io.PipeWriter
	out    *bufio.Reader
	ended  chan struct{}
	result error
	mu     sync.Mutex
}

// NewSender starts the process on a NIC of a pod that runs the lab's image, as root. Close must be called.
func (s *Scene) NewSender(ctx context.Context, pod *corev1.Pod, link string) *Sender {
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	sender := &Sender{in: inWrite, out: bufio.NewReader(outRead), ended: make(chan struct{})}
	go func() {
		defer close(sender.ended)
		var stderr bytes.Buffer
		err := s.exec(ctx, pod, inRead, outWrite, &stderr, PodProgram, "frames", link)
		if err != nil {
			err = fmt.Errorf("send frames from %s/%s: %w: %s", pod.Namespace, pod.Name, err, &stderr)
		}
		sender.result = err
		_ = errors.Join(inRead.CloseWithError(err), outWrite.CloseWithError(err)) // they never fail
	}()
	return sender
}

// Send sends one frame and waits until the process says that it is sent.
func (s *Sender) Send(frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintln(s.in, hex.EncodeToString(frame)); err != nil {
		return err
	}
	answer, err := s.out.ReadString('\n')
	if err != nil {
		return err
	}
	if answer = strings.TrimSpace(answer); answer != "sent" {
		return fmt.Errorf("send a frame from a container: %s", answer)
	}
	return nil
}

// Close ends the process.
func (s *Sender) Close() error {
	_ = s.in.Close() // it never fails
	<-s.ended
	return s.result
}
