package governance

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// placement are the annotations of a namespace by which Kube-OVN chooses the subnet of its pods, and which it writes
// itself.
var placement = []string{
	kubeovn.DefaultProvider.Key(kubeovn.LogicalSwitch),
	kubeovn.DefaultProvider.Key("ip_pool"),
	kubeovn.DefaultProvider.Key(kubeovn.CIDR),
	kubeovn.DefaultProvider.Key("exclude_ips"),
}

// interfaceLike are names that a NIC's provider may end with: Kube-OVN 1.16 and later add the interface to the provider
// of an attachment that is listed more than once.
var interfaceLike = regexp.MustCompile(`^(net|eth)[0-9]+$`)

// Namespace judges the creation and the change of namespaces. status and finalize are namespaces too: both let labels
// and annotations through.
//
// Rights are not a matter of a policy's mode: a namespace that was loosened without them while a policy only warned
// would stay loose when it begins to enforce.
func (g *Guard) Namespace(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(
		req,
		"",
		"namespaces",
		[]string{"status", "finalize"},
		admissionv1.Create,
		admissionv1.Update,
	); err != nil {
		return Answer{}, err
	}
	object, before, err := decode[struct {
		Metadata metadata `json:"metadata"`
	}](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	name := object.Metadata.Name
	now := policy.Namespace{Name: name, Labels: object.Metadata.Labels, Annotations: object.Metadata.Annotations}
	// What is new is measured against a namespace that says nothing. The label with its name is the API server's own.
	old := policy.Namespace{Name: name, Labels: map[string]string{labelName: name}}
	if before != nil {
		old.Labels, old.Annotations = before.Metadata.Labels, before.Metadata.Annotations
	} else {
		a.reserved(name)
	}
	if a.lists(old, now); len(a.Denials()) == 0 {
		a.readable(old, now)
	}
	if len(a.Denials()) == 0 {
		if err := g.rights(ctx, &a, req, old, now); err != nil {
			return Answer{}, err
		}
	}
	holds := old
	if len(a.Denials()) == 0 {
		holds = now
		if before != nil {
			g.tell(&a, now)
		}
	}
	g.decidedFor(&a, holds)
	return a, nil
}

// rights refuses what loosens the namespace, and what Kube-OVN alone writes, to whoever may not do that.
func (g *Guard) rights(
	ctx context.Context,
	a *Answer,
	req *admissionv1.AdmissionRequest,
	old, now policy.Namespace,
) error {
	var wants []string
	if req.Operation == admissionv1.Create {
		wants = append(wants, g.housing(now.Name)...)
	}
	loosened, err := g.loosened(ctx, old, now)
	if err != nil {
		return err
	}
	wants = append(wants, loosened...)
	if !g.kubeOVN(req) {
		wants = append(wants, moved(old, now)...)
	}
	selected, err := g.selected(old, now)
	if err != nil {
		return err
	}
	wants = append(wants, selected...)
	if len(wants) == 0 {
		return nil
	}
	ok, err := g.exempt(ctx, req.UserInfo, now.Name)
	switch {
	case err != nil:
		a.Deny("%s: %v", strings.Join(wants, "; "), err)
	case !ok:
		a.Deny(
			"%s; user %s needs the verb \"exempt\" on namespaces.%s for that; an administrator can grant it by "+
				"a ClusterRole with the rule %s",
			strings.Join(wants, "; "),
			req.UserInfo.Username,
			group,
			rule("namespaces", now.Name, "exempt"),
		)
	default:
		a.Note("exempt", admission.ShortNote(strings.Join(wants, "; ")))
	}
	return nil
}

// housing says which exempt accounts the author of a new namespace would own: who makes a namespace usually has every
// right in it, and can make a token for each of its service accounts.
func (g *Guard) housing(name string) []string {
	accounts := g.Accounts.In(name)
	if len(accounts) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("metadata.name: %s would be an account of this namespace, and ovnguard allows "+
		"this account more than others", strings.Join(accounts, ", "))}
}

// labelName is the label that the API server gives each namespace, and that nobody can change.
const labelName = "kubernetes.io/metadata.name"

// reserved refuses names with which the name of a pod's port would be that of another pod's.
func (a *Answer) reserved(name string) {
	if name == string(kubeovn.DefaultProvider) || interfaceLike.MatchString(name) {
		a.Deny(
			"metadata.name: %q is reserved: in a namespace with this name, the port of a pod x.shop.blue.lab "+
				"could have the same name as the port of the second NIC of pod x in namespace shop; choose another "+
				"name",
			name,
		)
	}
}

// maxGuarded is how many annotations of a namespace may say what ports send or take in: two for each of more networks
// than a pod may have.
const maxGuarded = 128

// lists refuses more annotations about ports than anybody needs: each is compared with every policy.
func (a *Answer) lists(old, now policy.Namespace) {
	if count := len(guarded(now.Annotations)); count > maxGuarded && count > len(guarded(old.Annotations)) {
		a.Deny(
			"metadata.annotations: %d of them are about port security, and the limit is %d; use a "+
				"PortSecurityPolicy with spec.providers for many networks",
			count,
			maxGuarded,
		)
	}
}

// readable refuses values that say neither on nor off, where they are new.
func (a *Answer) readable(old, now policy.Namespace) {
	for _, key := range slices.Sorted(maps.Keys(now.Annotations)) {
		value := now.Annotations[key]
		_, suffix, ok := kubeovn.SplitKey(key)
		if !ok || suffix != kubeovn.PortSecurity && suffix != kubeovn.Layer2Forward || old.Annotations[key] == value {
			continue
		}
		if _, err := kubeovn.ParseToggle(value); err != nil {
			a.Deny(
				"metadata.annotations[%q]: %v; write one of these values, or remove the annotation to follow "+
					"policy",
				key,
				err,
			)
		}
	}
	if value := now.Labels[policy.LevelLabel]; value != "" && old.Labels[policy.LevelLabel] != value {
		if _, err := policy.ParseLevel(value); err != nil {
			a.Deny(
				"metadata.labels[%q]: %v; write one of these values, or remove the label to follow policy",
				policy.LevelLabel,
				err,
			)
		}
	}
}

// loosened says what about ports gets looser by what the namespace says, by keys that are gone, and by labels that
// bring it under another policy.
func (g *Guard) loosened(ctx context.Context, old, now policy.Namespace) ([]string, error) {
	if maps.Equal(old.Labels, now.Labels) && maps.Equal(guarded(old.Annotations), guarded(now.Annotations)) {
		return nil, nil
	}
	if n := changed(guarded(old.Annotations), guarded(now.Annotations)); n > kubeovn.MaxChanged {
		return []string{
			fmt.Sprintf(
				"metadata.annotations: %d annotations about NICs change at once, and the limit without the verb "+
					"is %d",
				n,
				kubeovn.MaxChanged,
			),
		}, nil
	}
	policies, err := g.Cluster.Policies(ctx)
	if err != nil {
		return nil, fmt.Errorf(
			"the policies could not be read, so the change of the namespace is refused; try again: %w",
			err,
		)
	}
	var out []string
	for _, provider := range policy.Representatives(policies, guarded(old.Annotations), guarded(now.Annotations)) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf(
				"there was not enough time to compare the annotations before and after; change fewer at once: "+
					"%w",
				err,
			)
		}
		if why := looserFor(policies, old, now, provider); why != "" && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	return out, nil
}

// looserFor says in which way ports of a provider get looser, or "".
func looserFor(policies []policy.Policy, old, now policy.Namespace, provider kubeovn.Provider) string {
	oldBase, oldByLabel := policy.Match(policies, old, provider)
	base, byLabel := policy.Match(policies, now, provider)
	if why := loosens(sideOf(old, oldBase, nil), sideOf(now, base, nil), provider); why != "" {
		return why
	}
	// What the namespace says overrides also what is tighter for pods with certain labels, so that these are looked at
	// one by one.
	for i := range oldByLabel {
		if why := loosens(
			sideOf(old, oldBase, &oldByLabel[i]),
			sideOf(now, base, &oldByLabel[i]),
			provider,
		); why != "" {
			return fmt.Sprintf("for pods that policy %q tightens: %s", oldByLabel[i].Name, why)
		}
	}
	for i := range byLabel {
		why := loosens(sideOf(old, oldBase, nil), sideOf(now, base, &byLabel[i]), provider)
		if why != "" && !named(oldByLabel, byLabel[i].Name) {
			return fmt.Sprintf("for pods that policy %q selects: %s", byLabel[i].Name, why)
		}
	}
	if why := base.Weaker(&oldBase, now.Name); why != "" {
		return fmt.Sprintf("%s NICs would come under policy %q: %s", provider, base.Name, why)
	}
	for _, p := range oldByLabel {
		if !named(byLabel, p.Name) {
			return fmt.Sprintf("policy %q would no longer tighten pods of the namespace", p.Name)
		}
	}
	// Of the policies that tighten by labels the first counts: one that comes in between may hide one that is tighter.
	for i, p := range byLabel {
		if !named(oldByLabel, p.Name) && i < len(byLabel)-1 {
			return fmt.Sprintf("policy %q would come before policy %q", p.Name, byLabel[i+1].Name)
		}
	}
	return ""
}

func named(policies []policy.Policy, name string) bool {
	return slices.ContainsFunc(policies, func(p policy.Policy) bool { return p.Name == name })
}

// side is a namespace before or after a change, with the policies that a pod of it falls under.
type side struct {
	namespace policy.Namespace
	policies  []policy.Policy
}

// sideOf returns a side; byLabel is the policy that tightens by the pod's labels, nil for none. It has been found that
// they match.
func sideOf(ns policy.Namespace, base policy.Policy, byLabel *policy.Policy) side {
	base.Namespaces, base.Providers = nil, nil
	s := side{ns, []policy.Policy{base}}
	if byLabel != nil {
		tighter := *byLabel
		tighter.Namespaces, tighter.Providers, tighter.Pods = nil, nil, func(map[string]string) bool { return true }
		s.policies = []policy.Policy{tighter, base}
	}
	return s
}

// decide returns the decision for a NIC of a pod that says this about port security itself.
func (s side) decide(provider kubeovn.Provider, wish string) policy.Decision {
	pod := policy.Pod{Annotations: map[string]string{provider.Key(kubeovn.PortSecurity): wish}}
	return policy.Decide(policy.Query{Provider: provider, Namespace: s.namespace, Pod: pod, Policies: s.policies})
}

// loosens says in which way a change from one side to the other loosens NICs, or "".
func loosens(from, to side, provider kubeovn.Provider) string {
	was, would := from.decide(provider, ""), to.decide(provider, "")
	// A pod can tighten what is open to strict, and has no say where mac is asked for.
	wasTight, wouldTight := from.decide(provider, kubeovn.True), to.decide(provider, kubeovn.True)
	switch {
	case would.Level > was.Level:
		return fmt.Sprintf("%s NICs would be %s instead of %s", provider, would.Level, was.Level)
	case wouldTight.Level > wasTight.Level:
		return fmt.Sprintf(
			"%s NICs of pods that ask for port security themselves would be %s instead of %s",
			provider,
			wouldTight.Level,
			wasTight.Level,
		)
	case would.Forwarding > was.Forwarding:
		return fmt.Sprintf("%s NICs could have layer-2 forwarding", provider)
	case would.ExternalAddresses && !was.ExternalAddresses:
		return fmt.Sprintf("pods could take external addresses for %s NICs", provider)
	case was.ForbidsOthers() && !would.ForbidsOthers():
		return fmt.Sprintf(
			"pods could have NICs outside OVN, which policy %q forbids for %s",
			was.OthersForbiddenBy[0],
			provider,
		)
	case would.Mode > was.Mode:
		return fmt.Sprintf("%s NICs would be in mode %s instead of %s", provider, would.Mode, was.Mode)
	}
	return ""
}

// guarded returns the annotations that say what ports may send or take in.
func guarded(annotations map[string]string) map[string]string {
	out := make(map[string]string)
	for key, value := range annotations {
		_, suffix, ok := kubeovn.SplitKey(key)
		if ok && (suffix == kubeovn.PortSecurity || suffix == kubeovn.Layer2Forward) {
			out[key] = value
		}
	}
	return out
}

// changed returns how many annotations say something else than before. One that is empty says nothing.
func changed(old, now map[string]string) (n int) {
	for key, value := range now {
		if value != old[key] {
			n++
		}
	}
	for key, value := range old {
		if _, there := now[key]; !there && value != "" {
			n++
		}
	}
	return n
}

// moved says which annotations would put pods of the namespace on other subnets.
func moved(old, now policy.Namespace) []string {
	var out []string
	for _, key := range placement {
		was, had := old.Annotations[key]
		if is, has := now.Annotations[key]; has != had || is != was {
			out = append(
				out,
				fmt.Sprintf(
					"metadata.annotations[%q] belongs to Kube-OVN and chooses the subnet of new pods; leave it "+
						"to Kube-OVN",
					key,
				),
			)
		}
	}
	return out
}

// selected says which subnets that select namespaces by labels would be opened to the namespace by its own: Kube-OVN
// binds it to them then, and puts new pods there.
func (g *Guard) selected(old, now policy.Namespace) (out []string, err error) {
	if maps.Equal(old.Labels, now.Labels) {
		return nil, nil
	}
	if err := g.known(whoseThisIs, inventory.Subnets, inventory.VPCs); err != nil {
		return nil, err
	}
	g.Look(func(inv *inventory.State) {
		for _, name := range inv.Opened(old, now) {
			out = append(
				out,
				fmt.Sprintf(
					"metadata.labels: subnet %s selects namespaces by labels; with these labels, pods of this "+
						"namespace could use it",
					name,
				),
			)
		}
	})
	return out, nil
}

// tell says how many running ports the change concerns.
func (g *Guard) tell(a *Answer, now policy.Namespace) {
	g.effect(a, func(inv *inventory.State) inventory.Effect { return inv.NamespaceEffect(now, g.Rewrites, g.Now()) })
}

// effect tells the author what becomes of running ports, if anything does, and that it could not be counted where not
// all are known.
func (g *Guard) effect(a *Answer, count func(*inventory.State) inventory.Effect) {
	var e inventory.Effect
	var unread []inventory.Kind
	g.Look(func(inv *inventory.State) {
		if unread = inv.Unread(inventory.Pods, inventory.Policies, inventory.Exceptions); len(unread) == 0 {
			e = count(inv)
		}
	})
	if len(unread) > 0 {
		a.Warn(
			"%s have not been read yet, so ovnguard cannot count the running ports that this loosens or "+
				"tightens",
			admission.Listed(unread),
		)
		return
	}
	if e.Outside > 0 {
		a.Warn(
			"running pods with NICs outside OVN, which this forbids: %d; they keep these NICs until they end, "+
				"and cannot be created again with them",
			e.Outside,
		)
		a.Note("outside", strconv.Itoa(e.Outside))
	}
	if e.Repaired > 0 {
		writes := strconv.Itoa(e.Rewritten)
		if e.Unasked > 0 {
			writes = "at least " + writes
		}
		a.Warn("this turns repair on for %d of the %d running ports it applies to, and repair writes %s of "+
			"them at once%s; set repair: log first to see what it would write", e.Repaired, e.Ports, writes, first(e))
		a.Note("repaired", fmt.Sprintf("begins %d, writes %d", e.Repaired, e.Rewritten))
	}
	if e.Unprotected > 0 {
		a.Warn(
			"policy is no longer enforced for %d of the %d running ports it applies to: when their pods are created again, "+
				"they get what they ask for, and are open if they ask for nothing",
			e.Unprotected,
			e.Ports,
		)
		a.Note("unprotected", strconv.Itoa(e.Unprotected))
	}
	if e.Looser == 0 && e.Tighter == 0 {
		return
	}
	kept := ""
	if e.Kept > 0 {
		kept = fmt.Sprintf(
			"; %d of them stay as they are until their pods are created again, because policy does not say repair: repair",
			e.Kept,
		)
	}
	a.Warn(
		"this loosens %d and tightens %d of the %d running ports it applies to%s%s",
		e.Looser,
		e.Tighter,
		e.Ports,
		first(e),
		kept,
	)
	a.Note("effect", fmt.Sprintf("looser %d, tighter %d, of %d", e.Looser, e.Tighter, e.Ports))
}

// first names the first ports of an effect. Whoever may write the object may know of them: they are of its own
// namespace, or of a policy's.
func first(e inventory.Effect) string {
	if len(e.Names) == 0 {
		return ""
	}
	return ", such as " + strings.Join(e.Names, ", ")
}
