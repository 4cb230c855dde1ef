package admissionpolicy

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// parts are expressions and constants in CEL, by the names under which longer expressions use them.
type parts map[string]string

// and returns the parts with others.
func (p parts) and(others parts) parts {
	out := maps.Clone(p)
	for name, part := range others {
		if before, there := out[name]; there && before != part {
			panic("admissionpolicy: two parts have the name " + name)
		}
		out[name] = part
	}
	return out
}

// fill returns an expression, on one line, in which each $name stands for the part of that name. A name that is none is
// a mistake in this package, which every test finds that makes the policies.
func (p parts) fill(expression string) string {
	return os.Expand(strings.Join(strings.Fields(expression), " "), func(name string) string {
		part, ok := p[name]
		if !ok {
			panic(fmt.Sprintf("admissionpolicy: there is no part %s for %s", name, expression))
		}
		return part
	})
}

// common are the parts that depend on nothing.
var common = parts{
	"annotations":  annotations,
	"before":       before,
	"isNew":        isNew,
	"user":         user,
	"owners":       part("object", "ownerReferences"),
	"ownersBefore": ownersBefore,

	"portSecurity":   quote(portSecurity),
	"record":         quote(policy.RecordAnnotation),
	"mark":           quote(policy.UndoAnnotation),
	"networks":       quote(kubeovn.Networks),
	"defaultNetwork": quote(kubeovn.DefaultNetwork),

	// What the key k of an annotation is about.
	"isSecurity":   isSecurity,
	"isForwarding": "k.endsWith('.kubernetes.io/" + string(kubeovn.Layer2Forward) + "')",
	"isMentioned":  mentioned,
	"isIdentity":   anyKey(kubeovn.IdentityKey, kubeovn.OwnKey, kubeovn.WishKey),
	"isOwn":        anyKey(kubeovn.OwnKey),
	"isMachine":    anyKey(kubeovn.MachineKey),
	"isNetwork":    anyKey(kubeovn.NetworkKey),
	"isEgress":     anyKey(kubeovn.EgressKey),
	"isAny":        everyKey(),
}

// annotations is the pod's annotations, which may be missing; before is those that it had.
var (
	annotations  = part("object", "annotations")
	before       = "(oldObject != null && has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {})"
	portSecurity = kubeovn.DefaultProvider.Key(kubeovn.PortSecurity)
)

const (
	user = "request.userInfo.username"
	// isNew holds for a pod that is to be made. The API server finds what is in the object sooner than what is in the
	// request.
	isNew = "oldObject == null && object.kind == 'Pod'"
	// ownersBefore is the owners that the pod had.
	ownersBefore = "(oldObject != null && has(oldObject.metadata.ownerReferences) ? " +
		"oldObject.metadata.ownerReferences : [])"
	// isSecurity holds for port_security of a NIC on OVN: what is said of others has no effect, and refusing a key that
	// lacks ".ovn" would give advice that has none either.
	isSecurity = "k.endsWith('.kubernetes.io/" + string(kubeovn.PortSecurity) + "') && " +
		`k.matches('(^|\\.)ovn(\\..*)?\\.kubernetes\\.io/')`
	// mentioned holds for a key that is about the pod, its default NIC, or one of its networks.
	mentioned = "(!k.contains('.kubernetes.io/') || k.startsWith('ovn.kubernetes.io/') || " +
		"[k.split('.')].exists(p, (p[1] + '/' + p[0]) in variables.networks))"
)
