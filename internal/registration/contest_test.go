package registration

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Replicas that register differently, as while one version replaces another, do not write against one another without
// end, and in the end the registration is that of the replica that stays.
func TestReplicasThatDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes int
		c := api(t, &writes, nil)
		count := newContestCount()
		older := &registrar{client: c, options: valid(), contests: contests{count: count}}
		newer := &registrar{
			client:   c,
			options:  valid(func(o *Options) { o.AdmissionPolicies = true }),
			contests: contests{count: count},
		}
		look := func(r *registrar) (bool, time.Duration) {
			t.Helper()
			written, again, err := r.register(t.Context(), []byte("A\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return written, again
		}
		const rounds = 6 // of the time after which a value may be put back
		for range rounds * 20 {
			look(older) // they see one another's writes at once
			look(newer)
			time.Sleep(contestEvery / 20)
		}
		// Each writes two objects at first, and then the one that differs.
		if least, most := rounds, 2*(2+contestBurst+rounds); writes < least || writes > most {
			t.Errorf("%d writes in %s, want %d to %d", writes, rounds*contestEvery, least, most)
		}
		if got := testutil.ToFloat64(
			count.WithLabelValues("MutatingWebhookConfiguration", configurationName),
		); got < 1 {
			t.Error("nobody is told that it is contested")
		}

		for again := contestEvery; again > 0; { // the older one has ended
			time.Sleep(again)
			_, again = look(newer)
		}
		if written, again := look(newer); written || again > 0 {
			t.Errorf("written %v, to look again after %s; want that nothing is to be done", written, again)
		}
		var have admissionregistrationv1.MutatingWebhookConfiguration
		if err := c.Get(t.Context(), client.ObjectKey{Name: configurationName}, &have); err != nil {
			t.Fatal(err)
		}
		want, _ := configurations(newer.options, nil)
		if len(have.Webhooks[0].MatchConditions[0].Expression) != len(want[0].MatchConditions[0].Expression) {
			t.Error("what the replica that stays wants is not there")
		}
	})
}

// A value that is changed now and then is put back at once each time; one that is changed all the time, after a while;
// and a change of this program's own options is never held up.
func TestContestIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writes int
		c := api(t, &writes, nil)
		in := &installer{client: c, options: valid(), owner: ownerOf(c, valid()), followed: true}
		look := func() time.Duration {
			t.Helper()
			got, err := in.Reconcile(t.Context(), reconcile.Request{})
			if err != nil {
				t.Fatal(err)
			}
			return got.RequeueAfter
		}
		spoil := func() {
			t.Helper()
			var all admissionregistrationv1.ValidatingAdmissionPolicyBindingList
			if err := c.List(t.Context(), &all); err != nil {
				t.Fatal(err)
			}
			all.Items[0].Spec.ValidationActions = nil
			if err := c.Update(t.Context(), &all.Items[0]); err != nil {
				t.Fatal(err)
			}
			writes = 0
		}
		look()
		for range 5 {
			spoil()
			if again := look(); writes != 1 || again != 0 {
				t.Errorf("changed now and then: %d writes, again after %s", writes, again)
			}
			time.Sleep(contestEvery)
		}
		time.Sleep(contestBurst * contestEvery)
		for range contestBurst {
			spoil()
			if look(); writes != 1 {
				t.Errorf("changed a few times in a row: %d writes", writes)
			}
		}
		spoil()
		again := look()
		if writes != 0 || again <= 0 || again > contestEvery {
			t.Errorf(
				"changed all the time: %d writes, again after %s; want none, and within %s",
				writes,
				again,
				contestEvery,
			)
		}
		in.options.Namespace = "elsewhere" // the new value is written although another is held up
		if look(); writes != 2 {
			t.Errorf("wanted again: %d writes, want the two policies that leave the program's own pods out", writes)
		}
		time.Sleep(again)
		writes = 0
		if again = look(); writes != 1 || again != 0 {
			t.Errorf("after a while: %d writes, again after %s", writes, again)
		}
	})
}
