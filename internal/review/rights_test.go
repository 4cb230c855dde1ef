package review

import (
	"context"
	"testing"
	"time"

	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/kube"
)

// counting allows every question, and counts them.
type counting struct {
	client.Writer

	asked int
}

func (c *counting) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	c.asked++
	if review, ok := o.(*authorizationv1.SubjectAccessReview); ok {
		review.Status.Allowed = true
	}
	return nil
}

// The path of the webhook shows what the API server already knows about the right to loosen a namespace or approve an
// exception: nobody who reaches the port causes a question, and other questions are paced.
func TestThreat34NoQuestionsForStrangers(t *testing.T) {
	api := new(counting)
	w := &World{reviews: api, asked: newPace(rate.Every(time.Hour), 4)}
	ask := func(w *World, group, verb string) (bool, error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return rights{
			kube.Cluster{Reviews: w.reviews},
			w.known,
			w.asked,
		}.May(
			ctx,
			authenticationv1.UserInfo{},
			authorizationv1.ResourceAttributes{Group: group, Verb: verb},
		)
	}
	for _, verb := range []string{"exempt", "approve"} {
		for _, has := range []bool{false, true} {
			if got, err := ask(
				w.Knowing(Right{verb, has}),
				v1alpha1.GroupVersion.Group,
				verb,
			); got != has ||
				err != nil {
				t.Errorf("%s: %v, %v, want what the API server said, %v", verb, got, err, has)
			}
		}
	}
	if api.asked != 0 {
		t.Errorf("the API server was asked %d times for what it has said", api.asked)
	}
	for range 2 {
		if got, err := ask(w.Knowing(Right{"exempt", true}), "kubeovn.io", "exempt"); !got || err != nil {
			t.Errorf("a right of another group: %v, %v", got, err)
		}
	}
	if _, err := ask(w, "kubeovn.io", "update"); err == nil || api.asked != 2 {
		t.Errorf("one question more than may be at a time: %v, %d were asked", err, api.asked)
	}
}
