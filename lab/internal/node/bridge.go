package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

// Keys in external_ids of an Interface. ovn-controller binds a port by the first one, the others are the lab's own.
const (
	ifaceID   = "iface-id"
	idPod     = "lab-pod"
	idPodUID  = "lab-pod-uid"
	idSandbox = "lab-sandbox"
	installed = "ovn-installed"
)

// bridge is the node's integration bridge.
type bridge struct {
	ovsdb string
	name  string
}

// plug is one NIC on the bridge.
type plug struct {
	iface  string
	pod    string
	podUID string
	// sandbox is the ID of the pod's sandbox on a node with a kubelet, else empty.
	sandbox string
}

// add plugs a link into the bridge as the port of that name. A link that is plugged already is no error.
func (b bridge) add(ctx context.Context, p plug, port string) error {
	_, err := b.vsctl(
		ctx,
		"--may-exist",
		"add-port",
		b.name,
		p.iface,
		"--",
		"set",
		"Interface",
		p.iface,
		"external_ids:"+ifaceID+"="+quote(
			port,
		),
		"external_ids:"+idPod+"="+quote(p.pod),
		"external_ids:"+idPodUID+"="+quote(p.podUID),
		"external_ids:"+idSandbox+"="+quote(p.sandbox),
	)
	return err
}

// addInternal makes a link of the bridge's own as the port of that name. An existing one is no error.
func (b bridge) addInternal(ctx context.Context, link, mac, port string) error {
	_, err := b.vsctl(ctx, "--may-exist", "add-port", b.name, link, "--", "set", "Interface", link, "type=internal",
		"mac="+quote(mac), "external_ids:"+ifaceID+"="+quote(port))
	return err
}

// remove unplugs a link. A link that is not plugged is no error.
func (b bridge) remove(ctx context.Context, iface string) error {
	_, err := b.vsctl(ctx, "--if-exists", "del-port", b.name, iface)
	return err
}

// waitInstalled waits until the flows of a port are all in place.
func (b bridge) waitInstalled(ctx context.Context, iface string) error {
	_, err := b.vsctl(ctx, "wait-until", "Interface", iface, "external_ids:"+installed+"=true")
	return err
}

// list returns the NICs that a lab's agent plugged for the pod of a key, "namespace/name"; for all pods if key is
// empty.
func (b bridge) list(ctx context.Context, key string) ([]plug, error) {
	condition := "external_ids:" + idPod + `!=""`
	if key != "" {
		condition = "external_ids:" + idPod + "=" + quote(key)
	}
	out, err := b.vsctl(ctx, "--format=json", "--columns=name,external_ids", "find", "Interface", condition)
	if err != nil {
		return nil, err
	}
	var table struct {
		Data [][2]json.RawMessage `json:"data"`
	}
	if len(bytes.TrimSpace(out)) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(out, &table); err != nil {
		return nil, fmt.Errorf("ovs-vsctl find Interface: %w", err)
	}
	var plugs []plug
	for _, row := range table.Data {
		var p plug
		var ids [2]json.RawMessage // ["map", [[key, value], ...]]
		var pairs [][2]string
		if err := json.Unmarshal(row[0], &p.iface); err != nil {
			return nil, fmt.Errorf("ovs-vsctl find Interface: name: %w", err)
		}
		if err := json.Unmarshal(row[1], &ids); err != nil {
			return nil, fmt.Errorf("ovs-vsctl find Interface: external_ids: %w", err)
		}
		if err := json.Unmarshal(ids[1], &pairs); err != nil {
			return nil, fmt.Errorf("ovs-vsctl find Interface: external_ids: %w", err)
		}
		for _, pair := range pairs {
			switch pair[0] {
			case idPod:
				p.pod = pair[1]
			case idPodUID:
				p.podUID = pair[1]
			case idSandbox:
				p.sandbox = pair[1]
			}
		}
		if p.pod != "" {
			plugs = append(plugs, p)
		}
	}
	return plugs, nil
}

func (b bridge) vsctl(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "ovs-vsctl", append([]string{"--db=" + b.ovsdb, "--timeout=10"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ovs-vsctl %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return out, nil
}

// quote returns a value in the quotes of ovs-vsctl, whatever it contains.
func quote(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
