package registration

import (
	"context"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/internal/admissionpolicy"
)

// TellLeftOut logs which pods admission leaves out for the program's own sake, and warns where those are others' as
// well, or none.
func TellLeftOut(ctx context.Context, c client.Reader, o Options, log logr.Logger) {
	accounts := o.Accounts().Self
	own := slices.DeleteFunc(slices.Clone(accounts), func(user string) bool {
		return !strings.HasPrefix(user, "system:serviceaccount:"+o.Namespace+":")
	})
	if o.Namespace != admissionpolicy.OwnNamespace {
		if len(own) == 0 {
			log.Info(
				"no pods are left out of admission: none of --own-accounts is of --namespace. Where this program "+
					"runs as a pod, name its account, "+
					"or its last replica cannot start again",
				"namespace",
				o.Namespace,
				"own-accounts",
				accounts,
			)
			return
		}
		log.Info(
			"of the namespace, only pods of the program's own accounts are left out of admission",
			"namespace",
			o.Namespace,
			"accounts",
			own,
		)
		return
	}
	var pods corev1.PodList
	if err := c.List(ctx, &pods, client.InNamespace(o.Namespace)); err != nil {
		// It is a notice: a program that may not look there yet guards the cluster all the same.
		log.Error(
			err,
			"it is not known whether others' pods are in the program's own namespace, which admission leaves out as "+
				"a whole; "+
				"deploy/rbac.yaml gives the right to list them",
			"namespace",
			o.Namespace,
		)
		return
	}
	var others []string
	for i := range pods.Items {
		p := &pods.Items[i]
		if !slices.Contains(own, "system:serviceaccount:"+p.Namespace+":"+p.Spec.ServiceAccountName) {
			others = append(others, p.Name)
		}
	}
	if len(others) > 0 {
		log.Info(
			"WARNING: pods that are not the program's own are in its namespace, which admission leaves out as a "+
				"whole; move them to another one",
			"namespace",
			o.Namespace,
			"pods",
			others,
		)
	}
}
