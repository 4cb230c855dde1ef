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
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// How the pods that take longest to judge are sent.
const (
	worstRounds  = 5
	worstReviews = 100
	// worstSenders is the number of connections that each send one of them every worstPace, while ordinary reviews are
	// timed.
	worstSenders = 2
	worstPace    = 50 * time.Millisecond
	ordinary     = 500
)

// keyed returns annotations that ask for 32 networks, with one key for each.
func keyed(suffix string, value func(nic int) string) map[string]string {
	names, out := make([]string, 32), make(map[string]string)
	for i := range names {
		names[i] = fmt.Sprintf("net%d", i)
		out[fmt.Sprintf("net%d.default.ovn.kubernetes.io/%s", i, suffix)] = value(i)
	}
	out["k8s.v1.cni.cncf.io/networks"] = strings.Join(names, ",")
	return out
}

// listOf returns a list of that many items; item returns the item with a number.
func listOf(count int, item func(int) string) string {
	items := make([]string, count)
	for i := range items {
		items[i] = item(i)
	}
	return strings.Join(items, ",")
}

// worstPods returns annotations that take as long to judge as they can. Those in refused are even larger.
func worstPods() (admitted, refused map[string]map[string]string) {
	six := func(i int) string { return fmt.Sprintf("2001:db8:aaaa:bbbb:cccc:dddd:1000:%x", i+1) }
	admitted = map[string]map[string]string{
		"addresses on 32 networks": keyed("ip_address", func(int) string { return listOf(62, six) }),
		"addresses to share":       keyed("port_vips", func(int) string { return listOf(62, six) }),
		"subnets":                  keyed("logical_switch", func(int) string { return listOf(62, six) }),
		"pools": {
			"k8s.v1.cni.cncf.io/networks":            "net0",
			"ovn.kubernetes.io/ip_pool":              listOf(1024, six),
			"net0.default.ovn.kubernetes.io/ip_pool": listOf(1024, six),
		},
		"keys of no NIC": func() map[string]string {
			m := map[string]string{}
			for i := range 6_000 {
				m[fmt.Sprintf("n%d.default.ovn.kubernetes.io/vip", i)] = ""
			}
			return m
		}(),
	}
	refused = map[string]map[string]string{
		"1 MB of addresses": {"ovn.kubernetes.io/port_vips": strings.Repeat("10.0.0.1,", 110_000)},
		"1 MB of networks":  {"k8s.v1.cni.cncf.io/networks": strings.Repeat("a/b,", 260_000)},
		"1 MB of lists":     keyed("port_vips", func(int) string { return listOf(800, six) }),
		"1 MB of annotations": func() map[string]string {
			m := map[string]string{}
			for i := range 40_000 {
				m[fmt.Sprintf("n%d.kubernetes.io/vip", i)] = "v"
			}
			return m
		}(),
	}
	return admitted, refused
}

// reviewOf returns an AdmissionReview for the creation of a pod with these annotations.
func reviewOf(annotations map[string]string) ([]byte, error) {
	pod := ordinaryPod("default")
	pod.APIVersion, pod.Kind, pod.Name = "v1", "Pod", workloadName+"-x7x7x"
	pod.Spec = corev1.PodSpec{}
	pod.Annotations = maps.Clone(annotations)
	raw, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	kind, resource := metav1.GroupVersionKind{
		Version: "v1",
		Kind:    "Pod",
	}, metav1.GroupVersionResource{
		Version:  "v1",
		Resource: "pods",
	}
	return json.Marshal(admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
			Kind:      kind,
			Resource:  resource,
			Name:      pod.Name,
			Namespace: pod.Namespace,
			Operation: admissionv1.Create,
			Object:    runtime.RawExtension{Raw: raw},
		},
	})
}

// processorTime returns the processor time of a process so far, in steps of a hundredth of a second (proc(5), stat).
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("process %d: no times in %q", pid, text)
	}
	total := 0
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		total += ticks
	}
	return time.Duration(total) * 10 * time.Millisecond, nil
}

// connect opens a connection for sending the review again and again.
func (e endpoint) connect(ctx context.Context, body []byte) (*exchange, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(e.ca) {
		return nil, errors.New("no certificate in the CA bundle")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return nil, err
	}
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", address(e.url))
	if err != nil {
		return nil, err
	}
	return &exchange{conn: conn, reader: bufio.NewReader(conn), request: wire.Bytes(), close: conn.Close}, nil
}

// spent returns the process's processor time for one review, averaged over many.
func (e endpoint) spent(ctx context.Context, pid int, body []byte) (time.Duration, error) {
	x, err := e.connect(ctx, body)
	if err != nil {
		return 0, err
	}
	defer func() { _ = x.close() }()
	begin, err := processorTime(pid)
	if err != nil {
		return 0, err
	}
	for range worstReviews {
		if _, err := x.once(); err != nil {
			return 0, err
		}
	}
	end, err := processorTime(pid)
	return (end - begin) / worstReviews, err
}

// latency returns the time that 99 of 100 ordinary reviews need at most while pods that take long to judge are sent.
func (e endpoint) latency(ctx context.Context, plain []byte, worst [][]byte) (time.Duration, error) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, worstSenders)
	for i := range worstSenders {
		x, err := e.connect(ctx, worst[i%len(worst)])
		if err != nil {
			stop()
			return 0, err
		}
		go func() {
			defer func() { _ = x.close() }()
			for pace := time.NewTicker(worstPace); ctx.Err() == nil; <-pace.C {
				if _, err := x.once(); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	x, err := e.connect(ctx, plain)
	var took []time.Duration
	for range ordinary {
		if err != nil {
			break
		}
		begin := time.Now()
		_, err = x.once()
		took = append(took, time.Since(begin))
	}
	stop()
	for range worstSenders {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return 0, err
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// worst measures the cost of pods that take longest to judge, and their effect on others.
func worst(ctx context.Context, program string) (table []row, err error) {
	progress("pods that are long to judge: getting ready")
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
	ca, peer := config.Webhooks[0].ClientConfig.CABundle, endpoint{p.bare.at.URL + allowPath, p.bare.at.CA}
	admitted, refused := worstPods()
	var bodies [][]byte
	for name, annotations := range admitted {
		body, err := reviewOf(annotations)
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, body)
		for _, path := range []string{"/mutate-pods", "/guard-pods"} {
			r, err := p.beyond(ctx, "pod with "+name+", "+path, endpoint{p.guard.URL() + path, ca}, peer, body)
			if err != nil {
				return nil, err
			}
			table = append(table, r)
		}
	}
	for name, annotations := range refused {
		body, err := reviewOf(annotations)
		if err != nil {
			return nil, err
		}
		r, err := p.refusing(ctx, name+", refused", endpoint{p.guard.URL() + "/guard-pods", ca}, peer, body)
		if err != nil {
			return nil, err
		}
		table = append(table, r)
	}
	plain, err := review()
	if err != nil {
		return nil, err
	}
	var ours, theirs rates
	for range worstRounds {
		their, err := peer.latency(ctx, plain, bodies)
		if err != nil {
			return nil, err
		}
		our, err := endpoint{p.guard.URL() + "/guard-pods", ca}.latency(ctx, plain, bodies)
		if err != nil {
			return nil, err
		}
		ours, theirs = append(ours, our.Seconds()), append(theirs, their.Seconds())
	}
	return append(
		table,
		atMost(
			"99 of 100 ordinary reviews, while such pods are sent",
			"a bare handler that decodes them",
			ours,
			theirs,
			latencyBar,
		),
	), nil
}

// beyond measures a review's processor time beyond the bare handler's, as a share of the allowed time.
func (p *place) beyond(ctx context.Context, what string, ours, peer endpoint, body []byte) (row, error) {
	var our, their rates
	err := p.bothSpend(ctx, what, ours, peer, body, func(spent, bare time.Duration) {
		our, their = append(our, max(spent-bare, 0).Seconds()), append(their, beyondBare.Seconds())
	})
	if err != nil {
		return row{}, err
	}
	return atMost(what, "what it may take beyond a bare handler", our, their, 1), nil
}

// refusing measures the processor time of refusing a body, compared with the bare handler, which decodes it.
func (p *place) refusing(ctx context.Context, what string, ours, peer endpoint, body []byte) (row, error) {
	var our, their rates
	err := p.bothSpend(ctx, what, ours, peer, body, func(spent, bare time.Duration) {
		our, their = append(our, spent.Seconds()), append(their, bare.Seconds())
	})
	if err != nil {
		return row{}, err
	}
	return atMost(what, "a bare handler that decodes it", our, their, refusedBar), nil
}

// bothSpend sends a body to both in turn and calls take with the processor time of each, once a round.
func (p *place) bothSpend(
	ctx context.Context, what string, ours, peer endpoint, body []byte, take func(spent, bare time.Duration),
) error {
	for range worstRounds {
		bare, err := peer.spent(ctx, p.bare.PID(), body)
		if err != nil {
			return err
		}
		spent, err := ours.spent(ctx, p.guard.PID(), body)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		take(spent, bare)
	}
	return nil
}
