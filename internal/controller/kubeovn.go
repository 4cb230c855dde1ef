package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/events"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/monitor"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// Times of looking at how Kube-OVN is laid out.
const (
	// unclearEvery is how often it is looked at while it is not known who writes Kube-OVN's keys.
	unclearEvery = 2 * time.Second
	// layoutEvery is how often it is looked at anyway: rights change without a workload's changing.
	layoutEvery = 30 * time.Second
	// lookTimeout bounds one look.
	lookTimeout = 4 * time.Second
	// refusedFor is how long a refusal of an account of Kube-OVN's is found after the last one.
	refusedFor = 10 * time.Minute
)

// layoutName is the name of the ConfigMap in the program's own namespace that says how Kube-OVN is laid out, and its
// keys: as it is now, and as it was when it was clear last.
const (
	layoutName  = "ovnguard-kube-ovn"
	layoutNow   = "layout.yaml"
	layoutClear = "clear.yaml"
)

// usualTLS are the files in which deploy/controller.yaml mounts the certificates for the Northbound database.
func usualTLS() ovn.TLSFiles {
	const dir = "/etc/ovnguard/northbound/"
	return ovn.TLSFiles{CA: dir + "cacert", Certificate: dir + "cert", Key: dir + "key"}
}

// kubeOVN knows how Kube-OVN is laid out: above all which accounts write its keys and must never be refused. It looks
// before anything else begins, and then whenever something that runs Kube-OVN's programs changes.
type kubeOVN struct {
	options Options
	live    client.Client
	gather  kube.Evidence
	told    *events.Book
	log     logr.Logger

	// clear is the layout when it was clear last; its accounts count.
	clear atomic.Pointer[layout.Layout]
	// problems is what is not known at the moment, in words; nil for nothing.
	problems atomic.Pointer[string]
	// changed is called when other accounts count than before; nil before the webhooks are there.
	changed func()
	// said is what was told last.
	said string
	// written is what the ConfigMap says.
	written string

	refusals *prometheus.CounterVec
	// monitor is told of refusals; nil before it runs.
	monitor *monitor.Monitor
	mu      sync.Mutex
	// refused is what each account was refused last, and when.
	refused map[string]refusal
}

type refusal struct {
	what string
	at   time.Time
}

// newKubeOVN returns one that has not looked yet.
func newKubeOVN(o Options, live client.Client, told *events.Book, log logr.Logger) *kubeOVN {
	return &kubeOVN{
		options: o, live: live, gather: kube.Evidence{Live: live, Reviews: live}, told: told, log: log,
		refused: make(map[string]refusal),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ovnguard_kube_ovn_refused_total",
			Help: "Requests of accounts under which Kube-OVN's own workloads run that a webhook refused: pods may " +
				"get no network.",
		}, []string{"account", "webhook"}),
	}
}

// look works out how Kube-OVN is laid out now.
func (k *kubeOVN) look(ctx context.Context) layout.Layout {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	noted := k.noted(ctx)
	var before []string
	if noted != nil {
		before = noted.Accounts
	}
	e := k.gather.Gather(ctx, before)
	e.Wanted, e.Noted = k.options.wanted(), noted
	l := layout.Detect(e)
	if l.Northbound.Is == "" {
		return l
	}
	if _, err := ovn.ParseEndpoints(l.Northbound.Is); err != nil {
		text := fmt.Sprintf(
			"where the Northbound database is, %s says, and it is no such place: %v",
			l.Northbound.From,
			err,
		)
		l.Missing = append(l.Missing, layout.Problem{Flag: layout.FlagNorthbound, Text: text})
		l.Northbound.Is = ""
		return l
	}
	if err := missingFile(k.options.placed(l)); err != nil {
		from := "the Secret that Kube-OVN's certificates are in"
		if l.TLSSecret.Is != "" {
			from = "Secret " + l.TLSSecret.Is
		}
		text := fmt.Sprintf(
			"the Northbound database is reached with TLS, and there is no certificate for it: %v; copy %s to Secret "+
				"ovnguard-northbound of the program's own namespace, or set --nb-ca, --nb-cert and --nb-key",
			err,
			from,
		)
		l.Missing = append(l.Missing, layout.Problem{Text: text})
	}
	return l
}

// missingFile says which file for TLS is not there; nil where all are, or none is needed.
func missingFile(o Options) error {
	if !strings.Contains(o.Northbound, "ssl:") {
		return nil
	}
	for _, file := range []string{o.TLS.CA, o.TLS.Certificate, o.TLS.Key} {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns what flags say of the layout.
func (o Options) wanted() layout.Wanted {
	return layout.Wanted{
		Accounts:   o.Accounts.KubeOVN,
		Router:     o.ClusterRouter,
		NodeSwitch: o.NodeSwitch,
		KeepVMIP:   o.KeepVMIP,
		NonPrimary: o.NonPrimary,
		Northbound: o.Northbound,
	}
}

// placed returns the options with what the layout says in place of flags that were not given.
func (o Options) placed(l layout.Layout) Options {
	o.Accounts.KubeOVN, o.Northbound = l.Accounts.Is, l.Northbound.Is
	if o.TLS == (ovn.TLSFiles{}) && strings.Contains(o.Northbound, "ssl:") {
		o.TLS = usualTLS()
	}
	return o
}

// noted returns the layout when it was clear last, as this program or the one before it wrote it down; nil for none.
func (k *kubeOVN) noted(ctx context.Context) *layout.Noted {
	if l := k.clear.Load(); l != nil {
		noted := l.Noted()
		return &noted
	}
	var kept corev1.ConfigMap
	if err := k.live.Get(ctx, client.ObjectKey{Namespace: k.options.Namespace, Name: layoutName}, &kept); err != nil {
		return nil // there is none, or it cannot be read: the workloads must say it
	}
	var l layout.Layout
	if err := yaml.Unmarshal([]byte(kept.Data[layoutClear]), &l); err != nil || len(l.Accounts.Is) == 0 {
		return nil
	}
	noted := l.Noted()
	return &noted
}

// await looks until it is known who writes Kube-OVN's keys and where the database is. Meanwhile nothing is registered
// that could refuse, and log, Events, readiness and the ConfigMap say which flag to set.
func (k *kubeOVN) await(ctx context.Context) (layout.Layout, error) {
	var waiting *http.Server
	defer func() {
		if waiting != nil {
			_ = waiting.Close() // its address is needed for the checks of all the rest
		}
	}()
	for {
		l := k.look(ctx)
		k.tell(ctx, l)
		if l.Clear() && l.Northbound.Is != "" {
			k.clear.Store(&l)
			if waiting != nil {
				k.log.Info("the wait is over", "after", "how Kube-OVN is laid out")
			}
			return l, nil
		}
		if waiting == nil {
			waiting = k.sayWaiting()
			writer := &events.Writer{
				Client:   k.live,
				Book:     k.told,
				Instance: "waiting",
				Log:      k.log,
				Wrote:    func(error) {},
			}
			writing, stop := context.WithCancel(ctx)
			var done sync.WaitGroup
			done.Go(func() { writer.Run(writing) })
			defer func() {
				stop()
				done.Wait()
			}()
		}
		select {
		case <-ctx.Done():
			return layout.Layout{}, ctx.Err()
		case <-time.After(unclearEvery):
		}
	}
}

// sayWaiting serves the health checks while nothing else runs: alive, and not ready for a reason. It returns nil where
// they are served nowhere.
func (k *kubeOVN) sayWaiting() *http.Server {
	if k.options.HealthAddress == nowhere {
		return nil
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, k.ready(r).Error(), http.StatusServiceUnavailable)
	})
	server := &http.Server{Addr: k.options.HealthAddress, Handler: mux, ReadHeaderTimeout: requestTimeout}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			k.log.Error(
				err,
				"health checks are not served while Kube-OVN's layout is not known",
				"address",
				k.options.HealthAddress,
			)
		}
	}()
	return server
}

// ready implements healthz.Checker.
func (k *kubeOVN) ready(*http.Request) error {
	if p := k.problems.Load(); p != nil {
		return errors.New(*p)
	}
	if k.clear.Load() == nil {
		return errors.New("it is not known yet how Kube-OVN is laid out")
	}
	return nil
}

// tell says what is known: in the log and by an Event where that is news, and in the ConfigMap.
func (k *kubeOVN) tell(ctx context.Context, l layout.Layout) {
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
		Namespace: k.options.Namespace,
		Action:    events.ActionDetect,
		Reason:    events.ReasonKubeOVNKnown,
		Good:      true,
	}
	notice.Text = fmt.Sprintf("Kube-OVN is in namespace %s; its accounts, which are never refused, are %s (from %s)",
		l.Namespace.Is, strings.Join(l.Accounts.Is, " and "), l.Accounts.From)
	switch {
	case !l.Clear() && first:
		k.log.Info(
			"WARNING: no webhook is registered: it is not known who writes Kube-OVN's keys, and pods would get no "+
				"network",
			"reason",
			problems,
		)
	case problems != "":
		k.log.Info("WARNING: it is not known how Kube-OVN is laid out", "reason", problems)
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
func (k *kubeOVN) note(ctx context.Context, l layout.Layout) {
	text, err := yaml.Marshal(l)
	if err != nil || string(text) == k.written {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	kept := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: k.options.Namespace, Name: layoutName}}
	err = k.live.Get(ctx, client.ObjectKeyFromObject(kept), kept)
	if err != nil && !apierrors.IsNotFound(err) {
		k.log.Error(err, "how Kube-OVN is laid out is not written down", "configMap", layoutName)
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
		k.log.Error(err, "how Kube-OVN is laid out is not written down", "configMap", layoutName)
		return
	}
	k.written = string(text)
}

// counted returns the accounts as they count now.
func (k *kubeOVN) counted(a admission.Accounts) admission.Accounts {
	if l := k.clear.Load(); l != nil {
		a.KubeOVN = l.Accounts.Is
	}
	return a
}

// runs reports whether Kube-OVN's workloads run under the account.
func (k *kubeOVN) runs(user string) bool {
	l := k.clear.Load()
	return l != nil && (slices.Contains(l.Runs, user) || slices.Contains(l.Accounts.Is, user))
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (k *kubeOVN) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable: it looks again after each change of a workload of Kube-OVN's, and from time to
// time.
func (k *kubeOVN) Start(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	synced, err := k.watch(ctx, wake)
	if err != nil {
		return err
	}
	every := layoutEvery
	for {
		select {
		case <-ctx.Done():
			return nil
		case cached := <-synced:
			k.gather.Cache, synced = cached, nil
		case <-wake:
		case <-time.After(every):
		}
		k.forget()
		if every = layoutEvery; !k.again(ctx) {
			every = unclearEvery
		}
	}
}

// again looks once more, has other accounts count where they changed, and reports whether all is clear. Accounts that
// counted go on to count while it is unclear who writes.
func (k *kubeOVN) again(ctx context.Context) (ok bool) {
	was, l := k.clear.Load(), k.look(ctx)
	if ctx.Err() != nil {
		return true
	}
	before, now := was.Setup(), l.Setup()
	before.Account = now.Account // whichever writes is followed
	if l.Clear() && (now != before || l.Northbound.Is != was.Northbound.Is) {
		l.Missing = append(
			l.Missing,
			layout.Problem{Text: fmt.Sprintf("Kube-OVN was laid out anew since this program started: it was "+
				"%+v with its database at %s, and is %+v at %s; restart this program, one replica after the other",
				before, was.Northbound.Is, now, l.Northbound.Is)},
		)
		// What the rest of the program goes by stays what it was.
		l.Namespace, l.Router, l.NodeSwitch, l.KeepVMIP = was.Namespace, was.Router, was.NodeSwitch, was.KeepVMIP
		l.NonPrimary, l.Northbound = was.NonPrimary, was.Northbound
	}
	k.tell(ctx, l)
	if !l.Clear() {
		// A workload that moved counts for refusals at once, also where a flag leaves it out.
		kept := *was
		kept.Runs = l.Runs
		k.clear.Store(&kept)
		return false
	}
	k.clear.Store(&l)
	if !slices.Equal(was.Accounts.Is, l.Accounts.Is) && k.changed != nil {
		k.changed()
	}
	return true
}

// watch has wake told of each change of a workload of Kube-OVN's. What it returns gets the cache when it has all of
// them.
func (k *kubeOVN) watch(ctx context.Context, wake chan<- struct{}) (<-chan client.Reader, error) {
	config := rest.CopyConfig(k.options.REST)
	scheme, err := kube.Scheme()
	if err != nil {
		return nil, err
	}
	cached, err := cache.New(config, cache.Options{Scheme: scheme, DefaultTransform: kube.StripWorkload})
	if err != nil {
		return nil, fmt.Errorf("set up the cache of workloads: %w", err)
	}
	tell := func(object any) {
		if kube.RunsKubeOVN(object) {
			select {
			case wake <- struct{}{}:
			default: // it is about to look already
			}
		}
	}
	for _, kind := range []client.Object{&appsv1.Deployment{}, &appsv1.DaemonSet{}} {
		informer, err := cached.GetInformer(ctx, kind, cache.BlockUntilSynced(false))
		if err != nil {
			return nil, fmt.Errorf("follow workloads: %w", err)
		}
		handler := toolscache.ResourceEventHandlerFuncs{
			AddFunc: tell, DeleteFunc: tell,
			UpdateFunc: func(was, is any) {
				if !kube.SameWorkload(was, is) {
					tell(was)
					tell(is)
				}
			},
		}
		if _, err := informer.AddEventHandler(handler); err != nil {
			return nil, fmt.Errorf("follow workloads: %w", err)
		}
	}
	synced := make(chan client.Reader, 1)
	go func() {
		if err := cached.Start(ctx); err != nil {
			k.log.Error(err, "workloads are not followed")
		}
	}()
	go func() {
		if cached.WaitForCacheSync(ctx) {
			synced <- cached
		}
	}()
	return synced, nil
}
