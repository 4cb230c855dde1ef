package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/journal"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/ovn"
	"github.com/ovnguard/ovnguard/internal/policy"
	"github.com/ovnguard/ovnguard/internal/repair"
	"github.com/ovnguard/ovnguard/internal/rows"
)

// Whoever writes ConfigMaps in the program's namespace can make entries of the journal up, and whoever takes them back
// writes with rights of their own. So nothing is taken from an entry that repair could not have written, and nothing is
// given back that Kube-OVN would not give this pod.

// known returns the picture of the pod's port that an entry names, as the audit has it. It is an error where the pod
// can have no port of that name.
func known(pod *corev1.Pod, row *ovn.Port, record *inventory.Record) (inventory.Port, error) {
	setup := kubeovn.DefaultSetup()
	for _, keeps := range []bool{true, false} { // whether machines keep their ports is not known here
		setup.KeepVMIP = keeps
		inv := inventory.New()
		inv.SetSetup(setup)
		inv.SetPod(kube.PodOf(pod))
		inv.SetRow(rows.Of(row))
		if record != nil {
			inv.SetRecord(record)
		}
		if p := inv.Port(row.Name, time.Time{}); p.Pod != nil {
			return p, nil
		}
	}
	return inventory.Port{}, fmt.Errorf("port: %q is none that pod %s/%s has", row.Name, pod.Namespace, pod.Name)
}

// record returns the IP resource of a port; nil where there is none.
func (u *Undoer) record(ctx context.Context, port string) (*inventory.Record, error) {
	ip := &unstructured.Unstructured{}
	ip.SetGroupVersionKind(kube.IPKind)
	err := u.Client.Get(ctx, client.ObjectKey{Name: port}, ip)
	switch {
	case apierrors.IsNotFound(err), meta.IsNoMatchError(err):
		return nil, nil //nolint:nilnil // there is none
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%w; ClusterRole ovnguard-undoer-proof lets you read it", err)
	case err != nil:
		return nil, fmt.Errorf("read the IP resource of port %s: %w", port, err)
	}
	return kube.RecordOf(ip), nil
}

// madeUp says why an entry is none that repair wrote about this port; nil where it may be.
func madeUp(e journal.Entry, p inventory.Port) error {
	if e.Namespace != p.Pod.Namespace || e.Pod != p.Pod.Name {
		return fmt.Errorf("pod: %s/%s is not the pod with that UID, which is %s", e.Namespace, e.Pod, p.Pod.PodKey)
	}
	ours := []string{p.Provider.Key(kubeovn.PortSecurity), policy.RecordAnnotation}
	for _, annotations := range []map[string]string{e.Before.Annotations, e.After.Annotations} {
		for _, key := range slices.Sorted(maps.Keys(annotations)) {
			if !slices.Contains(ours, key) {
				return fmt.Errorf("annotations: repair writes no %s for port %s", key, p.Name)
			}
		}
	}
	return nil
}

// errSeeWho is what is to be done about an entry that repair did not write.
var errSeeWho = errors.New("repair did not write that: see who writes ConfigMaps in the program's namespace")

// believe says why the entries must not be taken back although the port is as they say; nil where they may.
func (r *Restore) believe(p inventory.Port) error {
	for _, e := range r.Unit.Changes {
		if err := madeUp(e, p); err != nil {
			return fmt.Errorf("entry %s of the journal: %w; %w", e.ID, err, errSeeWho)
		}
	}
	key := p.Provider.Key(kubeovn.PortSecurity)
	value, restored := r.annotations[key]
	if !restored {
		value = p.Pod.Annotations[key]
	}
	column, err := repair.Restore(p, value == kubeovn.True, repair.Columns{
		PortSecurity: r.values.PortSecurity, Addresses: r.values.Addresses, ExternalIDs: r.values.ExternalIDs,
	})
	switch {
	case err == nil:
		return nil
	case column == "":
		return fmt.Errorf("entry %s of the journal: %w; see ovnguard audit", r.Unit.Whose().ID, err)
	}
	return fmt.Errorf(
		"entry %s of the journal: %s: %w; have the policy or a PortSecurityException grant what the pod is to have beyond "+
			"that, or write the row with ovn-nbctl",
		r.Unit.Found(column),
		column,
		err,
	)
}

// ofRow reports whether the unit gives the row something back.
func (r *Restore) ofRow() bool {
	return r.values.PortSecurity != nil || r.values.Addresses != nil || r.values.ExternalIDs != nil
}
