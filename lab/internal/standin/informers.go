package standin

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	kubeinformers "k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/ovnguard/ovnguard/lab/internal/standin/crd"
)

// syncTimeout is how long the first lists may take before the start fails with a reason.
const syncTimeout = 30 * time.Second

// resource is the watched state of one kind of object.
type resource[T metav1.Object] struct {
	informer cache.SharedIndexInformer
}

// get returns the object, or false. The caller must not change it.
func (r resource[T]) get(namespace, name string) (T, bool) {
	key := name
	if namespace != "" {
		key = namespace + "/" + name
	}
	var none T
	obj, ok, err := r.informer.GetStore().GetByKey(key)
	if err != nil || !ok {
		return none, false
	}
	t, ok := obj.(T)
	return t, ok
}

// list returns all objects by namespace and name. The caller must not change them.
func (r resource[T]) list() []T {
	var all []T
	for _, obj := range r.informer.GetStore().List() {
		if t, ok := obj.(T); ok {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b T) int {
		return strings.Compare(a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName())
	})
	return all
}

// on calls the functions for changes; before is the zero value for a new object.
func (r resource[T]) on(changed func(before, after T), gone func(T)) error {
	_, err := r.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			var none T
			if t, ok := obj.(T); ok {
				changed(none, t)
			}
		},
		UpdateFunc: func(oldObj, newObj any) {
			before, ok1 := oldObj.(T)
			after, ok2 := newObj.(T)
			if ok1 && ok2 && before.GetResourceVersion() != after.GetResourceVersion() {
				changed(before, after)
			}
		},
		DeleteFunc: func(obj any) {
			if last, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = last.Obj
			}
			if t, ok := obj.(T); ok {
				gone(t)
			}
		},
	})
	return err
}

// informers has everything that the stand-in watches.
type informers struct {
	podsSeen   resource[*corev1.Pod]
	namespaces resource[*corev1.Namespace]
	nodes      resource[*corev1.Node]
	policies   resource[*networkingv1.NetworkPolicy]
	subnets    resource[*crd.Subnet]
	vpcs       resource[*crd.Vpc]
	ips        resource[*crd.IP]
	vips       resource[*crd.Vip]
	pools      resource[*crd.IPPool]
	vlans      resource[*crd.Vlan]
	nads       resource[*crd.NAD]
	groups     resource[*crd.SecurityGroup]

	kube    kubeinformers.SharedInformerFactory
	dynamic dynamicinformer.DynamicSharedInformerFactory
}

func newInformers(ctx context.Context, kube kubernetes.Interface, dyn dynamic.Interface) (*informers, error) {
	i := &informers{
		kube: kubeinformers.NewSharedInformerFactoryWithOptions(
			kube,
			0,
			kubeinformers.WithTransform(dropManagedFields),
		),
		dynamic: dynamicinformer.NewDynamicSharedInformerFactory(dyn, 0),
	}
	i.podsSeen = resource[*corev1.Pod]{i.kube.Core().V1().Pods().Informer()}
	i.namespaces = resource[*corev1.Namespace]{i.kube.Core().V1().Namespaces().Informer()}
	i.nodes = resource[*corev1.Node]{i.kube.Core().V1().Nodes().Informer()}
	i.policies = resource[*networkingv1.NetworkPolicy]{i.kube.Networking().V1().NetworkPolicies().Informer()}
	var errs [8]error
	i.subnets, errs[0] = watch[*crd.Subnet](i, crd.Subnets)
	i.vpcs, errs[1] = watch[*crd.Vpc](i, crd.VPCs)
	i.ips, errs[2] = watch[*crd.IP](i, crd.IPs)
	i.vips, errs[3] = watch[*crd.Vip](i, crd.Vips)
	i.pools, errs[4] = watch[*crd.IPPool](i, crd.IPPools)
	i.vlans, errs[5] = watch[*crd.Vlan](i, crd.Vlans)
	i.nads, errs[6] = watch[*crd.NAD](i, crd.NADs)
	i.groups, errs[7] = watch[*crd.SecurityGroup](i, crd.SecurityGroups)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	if err := i.ips.informer.AddIndexers(cache.Indexers{byPod: podOfIP}); err != nil {
		return nil, fmt.Errorf("index ips by pod: %w", err)
	}
	i.kube.Start(ctx.Done())
	i.dynamic.Start(ctx.Done())
	wait, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	for t, ok := range i.kube.WaitForCacheSync(wait.Done()) {
		if !ok {
			return nil, fmt.Errorf("list %v: no answer within %v", t, syncTimeout)
		}
	}
	for r, ok := range i.dynamic.WaitForCacheSync(wait.Done()) {
		if !ok {
			return nil, fmt.Errorf("list %s: no answer within %v", r.Resource, syncTimeout)
		}
	}
	return i, nil
}

// wait returns when all informers have ended; their context must have ended before.
func (i *informers) wait() {
	i.kube.Shutdown()
	i.dynamic.Shutdown()
}

// watch returns the state of one kind from an informer that stores objects of a Go type.
func watch[T metav1.Object](i *informers, r schema.GroupVersionResource) (resource[T], error) {
	inf := i.dynamic.ForResource(r).Informer()
	if err := inf.SetTransform(convert[T]); err != nil {
		return resource[T]{}, fmt.Errorf("watch %s: %w", r.Resource, err)
	}
	return resource[T]{inf}, nil
}

// convert converts an object of the dynamic client to a T. It returns an object that is a T already.
func convert[T metav1.Object](obj any) (any, error) {
	u, ok := obj.(*unstructured.Unstructured)
	if !ok {
		return obj, nil
	}
	t, ok := reflect.TypeAssert[T](reflect.New(reflect.TypeFor[T]().Elem()))
	if !ok {
		return nil, fmt.Errorf("%s/%s: cannot be held as %v", u.GetKind(), u.GetName(), reflect.TypeFor[T]())
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, t); err != nil {
		return nil, fmt.Errorf("%s/%s: %w", u.GetKind(), u.GetName(), err)
	}
	t.SetManagedFields(nil)
	return t, nil
}

func dropManagedFields(obj any) (any, error) {
	if o, ok := obj.(metav1.Object); ok {
		o.SetManagedFields(nil)
	}
	return obj, nil
}

// byPod names the index of IP resources by the pod, or the VM, that they belong to.
const byPod = "pod"

func podOfIP(obj any) ([]string, error) {
	if ip, ok := obj.(*crd.IP); ok {
		return []string{ip.Spec.Namespace + "/" + ip.Spec.PodName}, nil
	}
	return nil, nil
}

// ipsOfPod returns the IP resources of a pod or VM ("namespace/name").
func (i *informers) ipsOfPod(key string) ([]*crd.IP, error) {
	objs, err := i.ips.informer.GetIndexer().ByIndex(byPod, key)
	if err != nil {
		return nil, fmt.Errorf("ips of %s: %w", key, err)
	}
	var list []*crd.IP
	for _, obj := range objs {
		if ip, ok := obj.(*crd.IP); ok {
			list = append(list, ip)
		}
	}
	return list, nil
}
