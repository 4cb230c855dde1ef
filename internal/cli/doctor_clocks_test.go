package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// What clocks may differ counts only beyond what is not known of them.
func TestClocksAreJudged(t *testing.T) {
	for name, c := range map[string]struct {
		ahead, doubt time.Duration
		want         outcome
		says         string
	}{
		"agree":          {5400 * time.Millisecond, 500 * time.Millisecond, pass, "agrees"},
		"not well known": {-63 * time.Second, time.Minute, pass, "agrees"},
		"ahead":          {6 * time.Second, 500 * time.Millisecond, warn, "6s ahead of that of the API server"},
		"behind":         {-60 * time.Second, 500 * time.Millisecond, warn, "1m0s behind that of the API server"},
		"far ahead":      {62 * time.Second, 500 * time.Millisecond, fail, "1m2s ahead of"},
		"far behind":     {-25 * time.Hour, time.Second, fail, "25h0m0s behind"},
	} {
		var d diagnosis
		d.leaderClock("r", clock{c.ahead, c.doubt})
		d.ownClock(clock{-c.ahead, c.doubt}) // the API server's clock is behind where this machine's is ahead
		for _, made := range d.Checks {
			if made.Result != c.want || !strings.Contains(made.Says, c.says) || (made.Fix == "") != (c.want == pass) {
				t.Errorf("%s: %+v", name, made)
			}
		}
	}
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := clockBetween(
		at.Add(7*time.Second),
		at,
		at.Add(2*time.Second),
	); got != (clock{6 * time.Second, time.Second}) {
		t.Errorf("%+v", got)
	}
	if got := (clock{time.Second, time.Second}).minus(
		clock{-time.Minute, 2 * time.Second},
	); got.ahead != 61*time.Second ||
		got.doubt != 3*time.Second {
		t.Errorf("%+v", got)
	}
}

// timekeeper is an API server with clocks of its own and of the replica that leads.
func timekeeper(t *testing.T, server, replica time.Duration, code int) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Date", time.Now().Add(server).UTC().Format(http.TimeFormat))
		if !strings.HasSuffix(r.URL.Path, "/namespaces/guard/leases/ovnguard") {
			_, _ = w.Write([]byte(`{"gitVersion":"v1.37.0"}`))
			return
		}
		if code != 0 {
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(metav1.Status{
				TypeMeta: metav1.TypeMeta{
					APIVersion: "v1",
					Kind:       "Status",
				},
				Status:  "Failure",
				Message: "no",
				Code:    int32(code),
				Reason:  map[int]metav1.StatusReason{403: metav1.StatusReasonForbidden, 404: metav1.StatusReasonNotFound}[code],
			})
			return
		}
		renewed := time.Now().Add(replica)
		if replica == 0 { // nobody renews it
			renewed = time.Unix(1, 0)
		}
		_ = json.NewEncoder(w).Encode(coordinationv1.Lease{
			TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"},
			Spec: coordinationv1.LeaseSpec{
				HolderIdentity: new("replica_1"), RenewTime: &metav1.MicroTime{Time: renewed},
			},
		})
	}))
	t.Cleanup(s.Close)
	path := t.TempDir() + "/kubeconfig"
	if err := clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"c": {Server: s.URL}},
		Contexts:       map[string]*clientcmdapi.Context{"c": {Cluster: "c"}},
		CurrentContext: "c",
	}, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// doctor reads the clocks out of what the API server sends and the leader writes.
func TestClocksAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		server, replica time.Duration
		code            int
		want            []outcome
		says            string
	}{
		"agree":           {time.Millisecond, time.Millisecond, 0, []outcome{pass, pass}, "controller agrees"},
		"replica behind":  {time.Millisecond, -30 * time.Second, 0, []outcome{pass, warn}, "at replica replica_1"},
		"server ahead":    {time.Hour, time.Hour, 0, []outcome{fail, pass}, "behind that of the API server"},
		"server behind":   {-20 * time.Second, time.Minute, 0, []outcome{warn, fail}, "ahead of that of the API server"},
		"may not be read": {time.Millisecond, 0, 403, []outcome{pass, warn}, "right to get leases in namespace guard"},
		"never led":       {time.Millisecond, 0, 404, []outcome{pass, warn}, "no replica has led in namespace guard"},
		"nobody leads":    {time.Millisecond, 0, 0, []outcome{pass, warn}, "no replica leads now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := doctorOptions{program: "guard"}
			o.kubeconfig = timekeeper(t, c.server, c.replica, c.code)
			var d diagnosis
			if err := o.clocks(t.Context(), &d); err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			for i, made := range d.Checks {
				said.WriteString(made.Says + "\n")
				if i >= len(c.want) || made.Result != c.want[i] {
					t.Errorf("%+v, want %v", made, c.want)
				}
			}
			if len(d.Checks) != len(c.want) || !strings.Contains(said.String(), c.says) {
				t.Errorf("lacks %q: %s", c.says, said.String())
			}
		})
	}
}
