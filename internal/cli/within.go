package cli

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// cannotRead words the error of reading the cluster: where a right is lacking, with what to do about it.
func cannotRead(err error, namespace string) error {
	err = fmt.Errorf("read the cluster: %w", err)
	switch {
	case !apierrors.IsForbidden(err):
		return err
	case namespace == "":
		return fmt.Errorf(
			"%w; with -n NAMESPACE this namespace alone is read, or an administrator grants the right to "+
				"list the kind by a ClusterRole (ovnguard doctor shows which rights are used)",
			err,
		)
	}
	return fmt.Errorf("%w; an administrator can grant it by a RoleBinding to ClusterRole view in namespace %s", err,
		namespace)
}

// withheldNotes says what was left out because it may not be listed.
func withheldNotes(withheld []kube.Withheld, namespace string) []string {
	var within, out, lacks []string
	for _, w := range withheld {
		name := w.Kind.GroupKind().String()
		if w.Namespace != "" {
			within = append(within, name)
			continue
		}
		out = append(out, name)
		if w.Lacks != "" {
			lacks = append(lacks, w.Lacks)
		}
	}
	var notes []string
	if len(within) > 0 {
		notes = append(notes, fmt.Sprintf(
			"only namespace %s was read, because you may not list these in the whole cluster: %s; not known: what other "+
				"namespaces have, such as the holders of the same addresses",
			namespace,
			strings.Join(within, ", "),
		))
	}
	if len(out) > 0 {
		text := "you may not list these, and they were left out: " + strings.Join(out, ", ")
		if len(lacks) > 0 {
			text += "; not known: " + strings.Join(lacks, "; ")
		}
		notes = append(notes, text)
	}
	return notes
}

// errWithheld returns why an answer without findings is not a clean one, because something that decides it may not be
// listed; nil where all of that was read.
func errWithheld(inv *inventory.State) error {
	unread := inv.Unread(inventory.Policies, inventory.Exceptions)
	if len(unread) == 0 {
		return nil
	}
	words := make([]string, len(unread))
	for i, k := range unread {
		words[i] = string(k)
	}
	return errors.New("not all of these could be listed, and they decide what ports may send: " +
		strings.Join(words, ", "))
}

// checkNamespace returns an error if the cluster does not have the namespace that --namespace names: an answer about it
// has no findings, and looks clean. It returns nil for no name, and where it is not known which namespaces there are.
func checkNamespace(inv *inventory.State, name string) error {
	if name == "" || inv.Namespace(name).Err == nil || len(inv.Unread(inventory.Namespaces)) > 0 {
		return nil
	}
	for p := range inv.EachPod() {
		if p.Namespace == name {
			return nil
		}
	}
	return fmt.Errorf("--namespace: %q: the cluster has no such namespace, and no pod in it", name)
}

// checkNamespace is checkNamespace for one look; a port may still be of a namespace that is gone.
func (p *picture) checkNamespace(name string) error {
	if p.namespaces[name] {
		return nil
	}
	return checkNamespace(&p.inv.State, name)
}
