package demo

import (
	"context"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// attachment is a second network with its own subnet.
const attachment = `
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: blue
  namespace: nics
spec:
  config: '{"cniVersion":"0.3.1","type":"kube-ovn","provider":"blue.nics.ovn"}'
---
apiVersion: kubeovn.io/v1
kind: Subnet
metadata:
  name: blue
spec:
  protocol: IPv4
  provider: blue.nics.ovn
  cidrBlock: 10.44.0.0/24
  gateway: 10.44.0.1
`

// secondNIC shows that a NIC on an attachment is protected by its own key.
func (st *story) secondNIC(ctx context.Context) error {
	t := st.teller
	t.chapter(4, "A second NIC is protected by its own key")
	if err := st.scene.Namespace(ctx, "nics", nil); err != nil {
		return err
	}
	if err := st.scene.Apply(ctx, []byte(attachment)); err != nil {
		return err
	}
	blue := kubeovn.AttachmentProvider("nics", "blue")
	var actors []*scene.Actor
	for _, name := range []string{"frank", "grace", "heidi"} {
		pod, err := st.scene.Pod(ctx, "nics", name, map[string]string{kubeovn.Networks: "nics/blue"})
		if err != nil {
			return err
		}
		a, err := scene.OpenActor(pod, blue, "net1")
		if err != nil {
			return err
		}
		st.actors = append(st.actors, a)
		actors = append(actors, a)
	}
	frank, grace, heidi := actors[0], actors[1], actors[2]
	t.header("frank to grace on net1")
	t.verdict(
		"  annotation "+blue.Key(kubeovn.PortSecurity),
		kubeovn.True,
		frank.Pod.Annotations[blue.Key(kubeovn.PortSecurity)],
	)
	return st.compareFrames(ctx, frank, grace, heidi, false)
}
