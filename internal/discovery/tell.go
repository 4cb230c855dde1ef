package discovery

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/layout"
)

// LayoutName is the name of the ConfigMap in the program's own namespace that says how Kube-OVN is laid out, and its
// keys: as it is now, and as it was when it was clear last.
const (
	LayoutName  = "ovnguard-kube-ovn"
	layoutNow   = "layout.yaml"
	layoutClear = "clear.yaml"
)

// tell says what is known: in the log and by an Event where that is news, and in the ConfigMap.
func (k *KubeOVN) tell(ctx context.Context, l layout.Layout) {
	problems := strings.Join(l.Problems(), ". ")
	if k.problems.Store(nil); problems != "" {
		k.problems.Store(&problems)
	}
	k.note(ctx, l)
	text := problems + fmt.Sprint(l.Accounts, l.Namespace, l.Setup(), l.Northbound, l.Ignored)
	if text == k.said {
		return
	}
	first := k.said == ""
	k.said = text
	notice := events.Notice{
		Namespace: k.namespace,
		Action:    events.ActionDetect,
		Reason:    events.ReasonKubeOVNKnown,
		Good:      true,
	}
	notice.Text = fmt.Sprintf("Kube-OVN is in namespace %s; its accounts, which are never refused, are %s (from %s)",
		l.Namespace.Is, strings.Join(l.Accounts.Is, " and "), l.Accounts.From)
	switch {
	case !l.Clear() && first:
		k.log.Info(
			"WARNING: no webhook is registered: ovnguard does not know the accounts of Kube-OVN, and with a "+
				"webhook pods would get no network",
			"reason",
			problems,
		)
	case problems != "":
		k.log.Info("WARNING: Kube-OVN's layout is not known", "reason", problems)
	}
	if problems != "" {
		notice.Reason, notice.Good, notice.Text = events.ReasonKubeOVNUnclear, false, problems
	}
	k.log.Info("how Kube-OVN is laid out", values(l)...)
	notice.Case = notice.Text
	k.told.Tell(notice)
}

// values lists a layout for the log.
func values(l layout.Layout) []any {
	from := func(is any, from string) string { return fmt.Sprintf("%v, from %s", is, from) }
	return []any{
		"namespace",
		from(l.Namespace.Is, l.Namespace.From),
		"accounts",
		from(l.Accounts.Is, l.Accounts.From),
		layout.FlagRouter,
		from(l.Router.Is, l.Router.From),
		layout.FlagNodeSwitch,
		from(l.NodeSwitch.Is, l.NodeSwitch.From),
		layout.FlagKeepVMIP,
		from(l.KeepVMIP.Is, l.KeepVMIP.From),
		layout.FlagNonPrimary,
		from(l.NonPrimary.Is, l.NonPrimary.From),
		"northbound",
		from(l.Northbound.Is, l.Northbound.From),
		"ignored",
		l.Ignored,
	}
}

// note writes the layout down, for people and for the next start.
func (k *KubeOVN) note(ctx context.Context, l layout.Layout) {
	text, err := yaml.Marshal(l)
	if err != nil || string(text) == k.written {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: LayoutName}}
	err = k.live.Get(ctx, client.ObjectKeyFromObject(kept), kept)
	if err != nil && !apierrors.IsNotFound(err) {
		k.log.Error(err, "Kube-OVN's layout could not be written down", "configMap", LayoutName)
		return
	}
	data := map[string]string{layoutNow: string(text), layoutClear: kept.Data[layoutClear]}
	if l.Clear() && l.Northbound.Is != "" {
		data[layoutClear] = string(text)
	}
	if kept.Data = data; err == nil {
		err = k.live.Update(ctx, kept)
	} else {
		err = k.live.Create(ctx, kept)
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) { // another replica writes the same
		k.log.Error(err, "Kube-OVN's layout could not be written down", "configMap", LayoutName)
		return
	}
	k.written = string(text)
}
