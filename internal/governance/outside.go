package governance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// namedPods is how many pods a refusal names.
const namedPods = 3

// kind returns what an attachment with this config makes; what cannot be read is of no known kind.
func kind(config string) kubeovn.AttachmentKind {
	k, err := kubeovn.KindOfConfig(config)
	if err != nil {
		return kubeovn.KindUnknown
	}
	return k
}

// takenOffOVN refuses that a definition of OVN becomes another while a policy forbids other networks, whoever uses it
// now: pods of any namespace may ask for it, and one that is admitted at this moment is not seen here yet.
func (g *Guard) takenOffOVN(ctx context.Context, a *Answer, network kubeovn.Attachment) error {
	policies, err := g.Cluster.Policies(ctx)
	if err != nil {
		return fmt.Errorf(
			"the policies could not be read, so a definition on OVN may not be changed to one outside OVN; try "+
				"again: %w",
			err,
		)
	}
	provider := kubeovn.AttachmentProvider(network.Namespace, network.Name)
	forbidden := make(map[policy.Mode][]string)
	for _, p := range policies {
		if p.ForbidsOthers && p.Providers.Pick(provider) {
			forbidden[p.Mode] = append(forbidden[p.Mode], p.Name)
		}
	}
	for mode, names := range forbidden {
		who, how := admission.Forbidders(names)
		a.Against(
			mode,
			"spec.config: pods were admitted to this network while it was on OVN; they would get NICs outside "+
				"OVN, and %s forbids those; leave this definition as it is and create another with a new name; %s",
			who,
			how,
		)
	}
	return nil
}

// madeUnderPods refuses a definition outside OVN under a name that pods use which policy forbids such: they were
// admitted to one of OVN that is gone.
func (g *Guard) madeUnderPods(a *Answer, network kubeovn.Attachment) error {
	untold := fmt.Sprintf(
		"whether pods that may not have NICs outside OVN ask for network %s/%s",
		network.Namespace,
		network.Name,
	)
	if err := g.known(untold, inventory.Pods, inventory.Policies); err != nil {
		return err
	}
	users := make(map[policy.Mode][]inventory.NetworkUser)
	g.Look(func(inv *inventory.State) {
		for _, u := range inv.NetworkUsers(network, g.Now()) {
			if u.Decision.ForbidsOthers() {
				users[u.Decision.Mode] = append(users[u.Decision.Mode], u)
			}
		}
	})
	for mode, pods := range users {
		var names, own, policies []string
		for _, u := range pods {
			names = append(names, u.String())
			if u.Namespace == network.Namespace {
				own = append(own, u.String())
			}
			policies = append(policies, u.Decision.OthersForbiddenBy...)
		}
		slices.Sort(policies)
		who, how := admission.Forbidders(slices.Compact(policies))
		a.Against(
			mode,
			"spec.config: %s would get NICs outside OVN, because they ask for network %s/%s, and %s forbids "+
				"those; give the definition another name, or delete the pods first; %s",
			admission.Private{Public: someOf(own, len(names)), Whole: some(names)},
			network.Namespace,
			network.Name,
			who,
			how,
		)
	}
	return nil
}

// someOf names the first of some pods of the asker's own namespace; all is how many there are with those of others, of
// which nothing else is said.
func someOf(own []string, all int) string {
	switch {
	case len(own) == all:
		return some(own)
	case len(own) == 0:
		return "pods of other namespaces"
	}
	return some(own) + " and pods of other namespaces"
}

// some names the first of some pods.
func some(pods []string) string {
	switch more := len(pods) - namedPods; {
	case len(pods) == 1:
		return "pod " + pods[0]
	case more > 0:
		return fmt.Sprintf("pods %s and %d more", strings.Join(pods[:namedPods], ", "), more)
	}
	return "pods " + strings.Join(pods, ", ")
}
