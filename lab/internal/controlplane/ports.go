package controlplane

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Ports are below Linux' default ephemeral range (32768 and up), so that no outgoing connection holds one by chance.
const (
	firstPort = 20000
	portCount = 10000
	portTries = 100
)

// ports are the loopback ports of the three servers.
type ports struct {
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
}

// A server that was killed holds its port until the kernel has freed its memory, at a moment when nothing names the
// process any more. The lab waits for the port of the last start, since kubeconfig files and pods contain it.
const (
	portWait  = 5 * time.Second
	portPause = 50 * time.Millisecond
)

// choosePorts returns the ports of the last start that become free within portWait, finds others for the rest, and
// stores them.
func choosePorts(dir state.Dir) (ports, error) {
	path := dir.Join("ports.json")
	var p ports
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return ports{}, fmt.Errorf("read %s: %w: remove the file to have ports chosen again", path, err)
	}
	taken := map[int]bool{}
	waitUntil := time.Now().Add(portWait)
	for _, port := range []*int{&p.APIServer, &p.ControllerManager, &p.Scheduler} {
		if *port, err = freePort(*port, taken, waitUntil); err != nil {
			return ports{}, err
		}
		taken[*port] = true
	}
	if data, err = json.Marshal(p); err != nil {
		return ports{}, fmt.Errorf("encode ports: %w", err)
	}
	return p, state.WriteFile(path, append(data, '\n'), 0o600)
}

// freePort returns the wanted port if it is free before waitUntil, and another one otherwise. With wanted 0, any port
// will do.
func freePort(wanted int, taken map[int]bool, waitUntil time.Time) (int, error) {
	for wanted > 0 && !taken[wanted] {
		err := probe(wanted)
		if err == nil {
			return wanted, nil
		}
		if !time.Now().Before(waitUntil) {
			break
		}
		time.Sleep(portPause)
	}
	var last error
	for range portTries {
		port := firstPort + rand.IntN(portCount)
		if taken[port] {
			continue
		}
		if last = probe(port); last == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free loopback port found between %d and %d: %w", firstPort, firstPort+portCount-1, last)
}

// probe returns nil if the loopback port can be listened on.
func probe(port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}

func localURL(port int) string { return "https://127.0.0.1:" + strconv.Itoa(port) }
