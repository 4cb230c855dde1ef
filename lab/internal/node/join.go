package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/netns"
	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// nodeLink is the node's own interface on OVN, as Kube-OVN's daemon calls it.
const nodeLink = "ovn0"

// joinTimeout is how long kubelet may take to register the node, and Kube-OVN to give it an address.
const joinTimeout = time.Minute

// joined is the node's own address on OVN.
type joined struct {
	mac      string
	prefixes []netip.Prefix
	gateways []netip.Addr
}

// readJoined reads what Kube-OVN wrote on the node; false if it has not yet.
func readJoined(n *corev1.Node) (joined, bool, error) {
	value := func(s kubeovn.Suffix) string { return n.Annotations[kubeovn.DefaultProvider.Key(s)] }
	if value(kubeovn.Allocated) != kubeovn.True {
		return joined{}, false, nil
	}
	mac, err := net.ParseMAC(value(kubeovn.MACAddress))
	if err != nil {
		return joined{}, false, fmt.Errorf("annotation mac_address: %w", err)
	}
	addresses, err := parseList(value(kubeovn.IPAddress), parseAddr)
	if err != nil {
		return joined{}, false, fmt.Errorf("annotation ip_address: %w", err)
	}
	subnets, err := parseList(value(kubeovn.CIDR), netip.ParsePrefix)
	if err != nil {
		return joined{}, false, fmt.Errorf("annotation cidr: %w", err)
	}
	j := joined{mac: mac.String()}
	if j.gateways, err = parseList(value(kubeovn.Gateway), parseAddr); err != nil {
		return joined{}, false, fmt.Errorf("annotation gateway: %w", err)
	}
	for _, ip := range addresses {
		for _, s := range subnets {
			if s.Contains(ip) {
				j.prefixes = append(j.prefixes, netip.PrefixFrom(ip, s.Bits()))
			}
		}
	}
	return j, true, nil
}

// joinNode makes the node's own interface on OVN, once Kube-OVN has given it an address.
func (a *agent) joinNode(ctx context.Context) error {
	j, err := a.awaitJoined(ctx)
	if err != nil {
		return err
	}
	a.gateways = j.gateways
	if err := a.bridge.addInternal(ctx, nodeLink, j.mac, upstream.NodePortName(a.Name)); err != nil {
		return err
	}
	var commands []string
	for _, p := range j.prefixes {
		commands = append(commands, fmt.Sprintf("addr replace %s dev %s", p, nodeLink))
	}
	if err := netns.Batch(ctx, a.Netns, append(commands, "link set "+nodeLink+" up")...); err != nil {
		return err
	}
	return errors.Join(a.routeSubnets(ctx), a.route(ctx, a.ServiceCIDR))
}

func (a *agent) awaitJoined(ctx context.Context) (joined, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout,
		fmt.Errorf("not registered by kubelet, or without an address of Kube-OVN, after %s", joinTimeout))
	defer cancel()
	for {
		n, err := a.kube.CoreV1().Nodes().Get(ctx, a.Name, metav1.GetOptions{})
		switch {
		case err == nil:
			if j, ok, err := readJoined(n); err != nil || ok {
				return j, err
			}
		case !apierrors.IsNotFound(err) && ctx.Err() == nil:
			return joined{}, err
		}
		select {
		case <-ctx.Done():
			return joined{}, context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// routeSubnets sends what is for a subnet of the cluster's router to that router.
func (a *agent) routeSubnets(ctx context.Context) error {
	list, err := a.dynamic.Resource(crd.Subnets).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, s := range list.Items {
		vpc, _, _ := unstructured.NestedString(s.Object, "spec", "vpc")
		cidrs, _, _ := unstructured.NestedString(s.Object, "spec", "cidrBlock")
		if vpc != a.Router || s.GetName() == a.NodeSwitch {
			continue
		}
		for cidr := range strings.SplitSeq(cidrs, ",") {
			if err := a.route(ctx, cidr); err != nil {
				return err
			}
		}
	}
	return nil
}

// route sends what is for a prefix to the router, if that has an address of its family.
func (a *agent) route(ctx context.Context, cidr string) error {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return fmt.Errorf("route to %q: %w", cidr, err)
	}
	for _, gateway := range a.gateways {
		if gateway.Is4() == p.Addr().Is4() {
			return netns.Batch(
				ctx,
				a.Netns,
				fmt.Sprintf("route replace %s via %s dev %s", p.Masked(), gateway, nodeLink),
			)
		}
	}
	return nil
}
