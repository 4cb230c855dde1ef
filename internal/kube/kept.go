package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Where the annotations of an object are, and those of the pods that are made from it.
const (
	annotationsPath = "metadata.annotations"
	configPath      = "spec.config"
)

// owned are the fields that say by what an object was made.
var owned = []string{
	"metadata.ownerReferences[].apiVersion", "metadata.ownerReferences[].kind", "metadata.ownerReferences[].name",
	"metadata.ownerReferences[].uid", "metadata.ownerReferences[].controller",
}

// templateFields are the fields that are read of a pod's template.
var templateFields = []string{
	"metadata.labels", annotationsPath, "spec.hostNetwork", "spec.networks[].multus.networkName",
	"spec.networks[].multus.default",
}

// keptFields are the fields of each kind that judgement rests on, besides metadata.name and metadata.namespace. "[]" is
// each element of a list.
var keptFields = func() map[schema.GroupVersionKind][]string {
	fields := map[schema.GroupVersionKind][]string{
		corev1.SchemeGroupVersion.WithKind("Namespace"): {"metadata.uid", "metadata.labels", annotationsPath},
		corev1.SchemeGroupVersion.WithKind("Pod"): slices.Concat(owned, []string{
			"metadata.uid", "metadata.labels", annotationsPath, "metadata.deletionTimestamp", "spec.hostNetwork",
			"spec.restartPolicy", "status.phase", "status.reason",
			"spec.containers[].ports[].name", "spec.containers[].ports[].containerPort",
			"spec.containers[].ports[].protocol", "spec.initContainers[].restartPolicy",
			"spec.initContainers[].ports[].name", "spec.initContainers[].ports[].containerPort",
			"spec.initContainers[].ports[].protocol",
		}),
		NetworkPolicyKind:         {"metadata.uid", annotationsPath, "spec"},
		ClusterNetworkPolicyKind:  {"metadata.uid", annotationsPath, "spec"},
		AdminNetworkPolicyKind:    {"metadata.uid", annotationsPath, "spec"},
		BaselineNetworkPolicyKind: {"metadata.uid", annotationsPath, "spec"},
		corev1.SchemeGroupVersion.WithKind("Node"): {
			annotationsPath, "status.addresses[].type", "status.addresses[].address",
		},
		corev1.SchemeGroupVersion.WithKind("Service"): {
			"spec.clusterIPs", "spec.externalIPs", "status.loadBalancer.ingress[].ip",
		},
		PolicyKind:     {"spec"},
		ExceptionKind:  {"spec", "metadata.creationTimestamp"},
		AttachmentKind: {configPath},
		IPKind: {
			"metadata.labels", "spec.macAddress", "spec.subnet", "spec.podType", "spec.namespace", "spec.podName",
			"spec.v4IpAddress", "spec.v6IpAddress",
		},
		VipKind: {
			"spec.namespace", "spec.subnet", "spec.type", "spec.selector", "status.type", "status.mac", "status.v4ip",
			"status.v6ip",
		},
		SubnetKind: {
			"metadata.uid", "spec.vpc", "spec.provider", "spec.vlan", "spec.namespaces", "spec.namespaceSelectors",
			"spec.cidrBlock", "spec.gateway", "spec.vips", "spec.excludeIps", "status.u2oInterconnectionIP",
			"status.u2oInterconnectionMAC", "status.mcastQuerierIP", "status.mcastQuerierMAC",
		},
		VPCKind:  {"spec.namespaces", "status.default"},
		VLANKind: {"spec.provider", "spec.id"},
		PoolKind: {"spec.subnet", "spec.namespaces", "spec.ips"},
		EIPKind: {
			"spec.externalSubnet", "spec.v4Ip", "spec.v6Ip", "spec.macAddress", "status.v4Ip", "status.v6Ip",
			"status.macAddress",
		},
		FIPKind: {
			"spec.vpc", "spec.ipName", "spec.ipType", "spec.v4Ip", "spec.v6Ip", "status.vpc", "status.v4Eip",
			"status.v6Eip", "status.v4Ip", "status.v6Ip",
		},
		LBRuleKind:      {"spec.namespace", "spec.vip"},
		ServiceCIDRKind: {"spec.cidrs"},
		NATGatewayKind:  {"metadata.uid", "metadata.creationTimestamp", "spec.namespace"},
		EgressGatewayKind: {
			"metadata.uid", "metadata.creationTimestamp", "spec.prefix", "spec.bgpConf", "spec.selectors",
			"spec.policies[].snat", "spec.policies[].ipBlocks", "spec.policies[].subnets",
		},
		MigrationKind: {
			"metadata.creationTimestamp", "spec.vmiName", "status.phase", "status.phaseTransitionTimestamps[].phase",
			"status.phaseTransitionTimestamps[].phaseTransitionTimestamp",
		},
	}
	for _, kind := range TemplateKinds() {
		at := "spec.template."
		switch kind.Kind {
		case "CronJob":
			at = "spec.jobTemplate.spec.template."
		case "VirtualMachineInstance":
			at = "" // it is the template
		}
		list := append(slices.Clone(owned), "metadata.uid", "metadata.creationTimestamp")
		for _, f := range templateFields {
			list = append(list, at+f)
		}
		switch kind.Kind {
		case "StatefulSet":
			list = append(list, "spec.ordinals.start", "spec.replicas")
		case "ReplicaSet":
			list = append(list, "spec.replicas")
		case "Job":
			list = append(list, "status.conditions[].type", "status.conditions[].status")
		}
		fields[kind] = list
	}
	return fields
}()

// KeptKinds returns every kind that an audit reads, in order, each once.
func KeptKinds() []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for _, s := range Sources() {
		kinds = append(kinds, s.Kind)
	}
	for _, kind := range TemplateKinds() {
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// Keep returns a new object with those fields of an object that judgement rests on, and no other: neither what a
// container's environment holds, nor what kubectl noted of the manifest.
func Keep(u *unstructured.Unstructured) map[string]any {
	kind := u.GroupVersionKind()
	out := make(map[string]any)
	for _, path := range append([]string{"metadata.name", "metadata.namespace"}, keptFields[kind]...) {
		copyField(out, u.Object, strings.Split(path, "."))
	}
	for _, path := range keptFields[kind] {
		if strings.HasSuffix(path, annotationsPath) {
			keepAnnotations(kind, out, strings.Split(path, "."))
		}
	}
	switch kind {
	case IPKind:
		keepEntries(out, []string{"metadata", "labels"}, func(key string) bool { return key == kubeovn.ReservedLabel })
	case AttachmentKind:
		config, _, _ := unstructured.NestedString(u.Object, "spec", "config") // another type cannot be read either
		of, err := kubeovn.KindOfConfig(config)
		text := kubeovn.ConfigOf(of)
		if err != nil {
			text = "{" // it stays one that cannot be read
		}
		out["spec"] = map[string]any{"config": text}
	case corev1.SchemeGroupVersion.WithKind("Pod"):
		keepChosen(out, u.GetAnnotations()[corev1.LastAppliedConfigAnnotation])
	}
	return out
}

// copyField copies what is at the path, as far as it is there. Elements of lists stay at their places.
func copyField(to, from map[string]any, path []string) {
	name, isList := strings.CutSuffix(path[0], "[]")
	value, found := from[name]
	if !found {
		return
	}
	if len(path) == 1 {
		to[name] = value
		return
	}
	if !isList {
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		next, ok := to[name].(map[string]any)
		if !ok {
			next = make(map[string]any)
			to[name] = next
		}
		copyField(next, object, path[1:])
		return
	}
	list, ok := value.([]any)
	if !ok {
		return
	}
	next, ok := to[name].([]any)
	if !ok {
		next = make([]any, len(list))
		for i := range next {
			next[i] = make(map[string]any)
		}
		to[name] = next
	}
	for i, item := range list {
		object, isObject := item.(map[string]any)
		into, _ := next[i].(map[string]any)
		if isObject && into != nil {
			copyField(into, object, path[1:])
		}
	}
}

// keepEntries leaves in a map those entries whose key is picked.
func keepEntries(object map[string]any, path []string, pick func(key string) bool) {
	values, found, err := unstructured.NestedMap(object, path...)
	if err != nil || !found {
		return
	}
	for key := range values {
		if !pick(key) {
			delete(values, key)
		}
	}
	_ = unstructured.SetNestedMap(object, values, path...) // the way to it was just gone
}

// keepAnnotations leaves those annotations that say something about networks and ports.
func keepAnnotations(kind schema.GroupVersionKind, object map[string]any, path []string) {
	keepEntries(object, path, func(key string) bool {
		switch kind.Kind {
		case "Pod":
			return isRead(key) || kubeovn.ClassOf(key) == kubeovn.NetworkKey
		case "Node":
			return slices.Contains(notedKeys, key)
		}
		provider, _, ok := kubeovn.SplitKey(key)
		return isRead(key) || kubeovn.ClassOf(key) != kubeovn.Harmless || ok && provider.OnOVN()
	})
}

// keepChosen notes what the manifest of a pod chose, as chosenIn reads it.
func keepChosen(object map[string]any, applied string) {
	chosen := chosenIn(applied)
	if len(chosen) == 0 {
		return
	}
	text, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": chosen}})
	if err != nil {
		return
	}
	_ = unstructured.SetNestedField( // metadata is a map: it has the name
		object, string(text), "metadata", "annotations", corev1.LastAppliedConfigAnnotation,
	)
}

// EachKept lists the objects of a kind, a page at a time, and calls write with what is kept of each.
func EachKept(
	ctx context.Context, c client.Reader, kind schema.GroupVersionKind, write func(object map[string]any) error,
) error {
	token := ""
	for {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		if err := c.List(ctx, list, client.Limit(pageSize), client.Continue(token)); err != nil {
			return fmt.Errorf("list %s: %w", kind.GroupKind(), err)
		}
		for i := range list.Items {
			list.Items[i].SetGroupVersionKind(kind)
			if err := write(Keep(&list.Items[i])); err != nil {
				return err
			}
		}
		if token = list.GetContinue(); token == "" {
			return nil
		}
	}
}
