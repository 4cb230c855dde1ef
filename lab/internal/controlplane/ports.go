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

	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Ports are taken from below Linux' default ephemeral range (32768 and up), so
// that no outgoing connection holds one by chance.
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

// choosePorts returns the ports of the last start as far as they are free, finds
// others for the rest, and stores them.
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
	for _, port := range []*int{&p.APIServer, &p.ControllerManager, &p.Scheduler} {
		if *port, err = freePort(*port, taken); err != nil {
			return ports{}, err
		}
		taken[*port] = true
	}
	if data, err = json.Marshal(p); err != nil {
		return ports{}, fmt.Errorf("encode ports: %w", err)
	}
	return p, state.WriteFile(path, append(data, '\n'), 0o600)
}

// freePort returns the wanted port or, where it is not free, another one.
func freePort(wanted int, taken map[int]bool) (int, error) {
	var last error
	for range portTries {
		if wanted > 0 && !taken[wanted] {
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
			if err == nil {
				return wanted, listener.Close()
			}
			last = err
		}
		wanted = firstPort + rand.IntN(portCount)
	}
	return 0, fmt.Errorf("no free loopback port found between %d and %d: %w", firstPort, firstPort+portCount-1, last)
}

func localURL(port int) string { return "https://127.0.0.1:" + strconv.Itoa(port) }
