package governance

import (
	"cmp"
	"context"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// Attachment judges NetworkAttachmentDefinitions. Kube-OVN's controller makes ports by a definition's name and
// namespace, while its CNI plugs them by the provider that the config names: where the two differ, a pod is plugged
// into another one's port. And pods that policy forbids NICs outside OVN get what the definition makes when they start,
// not what it made when they were admitted.
func (g *Guard) Attachment(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error) {
	if err := of(
		req,
		"k8s.cni.cncf.io",
		"network-attachment-definitions",
		nil,
		admissionv1.Create,
		admissionv1.Update,
	); err != nil {
		return Answer{}, err
	}
	type definition struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Config string `json:"config"`
		} `json:"spec"`
	}
	object, old, err := decode[definition](req)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	config := object.Spec.Config
	if old != nil && old.Spec.Config == config {
		return a, nil
	}
	network := kubeovn.Attachment{Namespace: req.Namespace, Name: cmp.Or(object.Metadata.Name, req.Name)}
	switch onOVN := kind(config) == kubeovn.KindOVN; {
	case onOVN:
	case old == nil:
		if err := g.madeUnderPods(&a, network); err != nil {
			return Answer{}, err
		}
	case kind(old.Spec.Config) == kubeovn.KindOVN:
		if err := g.takenOffOVN(ctx, &a, network); err != nil {
			return Answer{}, err
		}
	}
	if config == "" {
		a.Warn(
			"spec.config is empty, so each node reads its own file; ovnguard cannot see whether pods get a NIC " +
				"on OVN by it, and guards them as if they did",
		)
		return a, nil
	}
	places, err := kubeovn.Definitions(config)
	if err != nil {
		a.Deny("%s", err.Error()+`; write it as {"cniVersion":"0.3.1","type":"kube-ovn",...}`)
		return a, nil //nolint:nilerr // what cannot be read is refused, which is an answer
	}
	slices.SortFunc(places, func(x, y kubeovn.Definition) int { return cmp.Compare(x.Path, y.Path) })
	want := string(kubeovn.AttachmentProvider(network.Namespace, network.Name))
	for _, place := range places {
		a.provider(place, want)
	}
	return a, nil
}

// provider refuses a provider that is not that of the definition itself.
func (a *Answer) provider(place kubeovn.Definition, want string) {
	if len(place.Providers) == 0 && !place.IPAM {
		a.Warn(
			`spec.config%s has no provider, so Kube-OVN's CNI would use the pod's default NIC for it; write "provider": %q`,
			place.Path,
			want,
		)
	}
	for _, p := range place.Providers {
		switch {
		case p == want:
		case place.IPAM && p+".ovn" == want: // address management for NICs outside OVN
		default:
			a.Deny(
				`spec.config%s.provider: %q belongs to another definition, and pods would be plugged into its ports or get its addresses; write %q`,
				place.Path,
				p,
				allowed(place, want),
			)
		}
	}
}

// allowed returns the provider to write.
func allowed(place kubeovn.Definition, want string) string {
	if place.IPAM {
		return strings.TrimSuffix(want, ".ovn")
	}
	return want
}
