package standin

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
	"github.com/ovnguard/ovnguard/lab/internal/standin/upstream"
)

// kubeVirt watches KubeVirt's resources, each after its definition appears: the cluster may have none of them.
type kubeVirt struct {
	factory     dynamicinformer.DynamicSharedInformerFactory
	definitions cache.SharedIndexInformer
	watched     map[string]bool
}

// listenKubeVirt starts to look for KubeVirt's definitions.
func (c *controller) listenKubeVirt(ctx context.Context) error {
	f := dynamicinformer.NewDynamicSharedInformerFactory(c.dyn, 0)
	c.virt = &kubeVirt{factory: f, definitions: f.ForResource(crd.Definitions).Informer(), watched: map[string]bool{}}
	seen := func(obj any) {
		if d, ok := obj.(*unstructured.Unstructured); ok && crd.IsEstablished(d) {
			c.watchKubeVirt(ctx, d.GetName())
		}
	}
	_, err := c.virt.definitions.AddEventHandler(
		cache.ResourceEventHandlerFuncs{AddFunc: seen, UpdateFunc: func(_, obj any) { seen(obj) }},
	)
	if err != nil {
		return fmt.Errorf("look for KubeVirt: %w", err)
	}
	f.Start(ctx.Done())
	return nil
}

// watchKubeVirt watches one resource. It is called by one informer's handler only, one call at a time.
func (c *controller) watchKubeVirt(ctx context.Context, definition string) {
	handlers := map[schema.GroupVersionResource]cache.ResourceEventHandlerFuncs{
		crd.VMs:  {DeleteFunc: func(obj any) { c.queueVirt(kindVM, obj) }},
		crd.VMIs: {DeleteFunc: func(obj any) { c.queueVirt(kindVM, obj) }},
		crd.Migrations: {
			AddFunc:    func(obj any) { c.queueVirt(kindMigration, obj) },
			UpdateFunc: func(_, obj any) { c.queueVirt(kindMigration, obj) },
		},
	}
	for r, h := range handlers {
		if r.Resource+"."+r.Group != definition || c.virt.watched[definition] {
			continue
		}
		c.virt.watched[definition] = true
		if _, err := c.virt.factory.ForResource(r).Informer().AddEventHandler(h); err != nil {
			c.log.Warn("resource is not watched", "resource", definition, "error", err)
			continue
		}
		c.virt.factory.Start(ctx.Done())
	}
}

func (c *controller) queueVirt(k kind, obj any) {
	if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = last.Obj
	}
	if o, ok := obj.(metav1.Object); ok {
		c.queue.add(k, o.GetNamespace(), o.GetName())
	}
}

// syncVM removes the ports of a VM that is gone with all its pods.
func (c *controller) syncVM(ctx context.Context, namespace, name string) error {
	owner := upstream.Owner{Name: name, VM: true}
	defer c.locks.lock(upstream.PodKey(namespace, owner))()
	keep, err := c.keepsPorts(ctx, namespace, owner)
	if err != nil || keep || len(c.launchers(namespace, name)) > 0 {
		return err
	}
	return c.removePorts(ctx, namespace, owner)
}

// launchers returns the living pods that run a VM.
func (c *controller) launchers(namespace, vm string) []*corev1.Pod {
	var list []*corev1.Pod
	for _, pod := range c.podsSeen.list() {
		owner := upstream.OwnerOf(pod)
		if pod.Namespace == namespace && owner.VM && owner.Name == vm && !upstream.IsFinished(pod) {
			list = append(list, pod)
		}
	}
	return list
}

// parkPorts changes ports that stay when their pod goes: it ends their migration, and removes them from their groups.
// On newer releases the ports of a VM that another pod runs by now stay in their groups.
func (c *controller) parkPorts(ctx context.Context, namespace string, owner upstream.Owner) error {
	rows, err := c.nb.PortsOfPod(ctx, upstream.PodKey(namespace, owner))
	if err != nil {
		return err
	}
	running := owner.VM && c.cfg.Version.KeepsGroupsOfMovedVM() && len(c.launchers(namespace, owner.Name)) > 0
	for _, row := range rows {
		if owner.VM {
			if err := c.setOptions(
				ctx,
				row.Name,
				map[string]string{upstream.OptionRequestedChassis: "", upstream.OptionActivationStrategy: ""},
			); err != nil {
				return err
			}
		}
		if running {
			continue
		}
		groups, err := c.nb.PortGroups(ctx)
		if err != nil {
			return err
		}
		for _, g := range groups {
			if err := c.nb.LeavePortGroup(ctx, g.Name, row.UUID); err != nil {
				return err
			}
		}
	}
	return nil
}

// syncMigration sets the options of a VM's ports during its live migration.
func (c *controller) syncMigration(ctx context.Context, namespace, name string) error {
	m, err := c.dyn.Resource(crd.Migrations).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("migration %s/%s: %w", namespace, name, err)
	}
	vm, _, _ := unstructured.NestedString(m.Object, "spec", "vmiName")
	phase, _, _ := unstructured.NestedString(m.Object, "status", "phase")
	vmi, err := c.dyn.Resource(crd.VMIs).Namespace(namespace).Get(ctx, vm, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("virtual machine instance %s/%s: %w", namespace, vm, err)
	}
	source, _, _ := unstructured.NestedString(vmi.Object, "status", "migrationState", "sourceNode")
	if source == "" {
		source, _, _ = unstructured.NestedString(vmi.Object, "status", "nodeName")
	}
	target, _, _ := unstructured.NestedString(vmi.Object, "status", "migrationState", "targetNode")
	for _, pod := range c.launchers(namespace, vm) {
		if target == "" && pod.Labels[upstream.LabelMigration] == string(m.GetUID()) {
			target = pod.Spec.NodeName
		}
	}
	options := upstream.OptionsOfPhase(phase, source, target)
	if len(options) == 0 {
		return nil
	}
	owner := upstream.Owner{Name: vm, VM: true}
	defer c.locks.lock(upstream.PodKey(namespace, owner))()
	rows, err := c.nb.PortsOfPod(ctx, upstream.PodKey(namespace, owner))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := c.setOptions(ctx, row.Name, options); err != nil {
			return err
		}
	}
	return nil
}
