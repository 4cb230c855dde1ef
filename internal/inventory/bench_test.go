package inventory

import (
	"fmt"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
)

// The definition of an attachment with 10,000 pods changes.
func BenchmarkAttachmentOfManyPods(b *testing.B) {
	blue := kubeovn.Attachment{Namespace: "ns", Name: "blue"}
	inv := New()
	for i := range 10_000 {
		name := fmt.Sprintf("p%d", i)
		inv.SetPod(
			&Pod{PodKey: PodKey{Namespace: "ns", Name: name}, Owner: name, Attachments: []kubeovn.Attachment{blue}},
		)
	}
	for i := 0; b.Loop(); i++ {
		inv.SetAttachment(blue, []kubeovn.AttachmentKind{kubeovn.KindOVN, kubeovn.KindForeign}[i%2])
	}
}
