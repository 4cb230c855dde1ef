package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Who may list pods in all namespaces sees all; others name a namespace where they may. Answers say what is missing.
func TestRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		time.Sleep(time.Minute) // findings settle
		for _, c := range []struct {
			token, path string
			code        int
			says        string
		}{
			{byAdmin, "status", 200, `"open": 1`},
			{byAdmin, "status?namespace=bank", 200, `"name": "bank"`},
			{byAdmin, "findings?rule=OVG013", 200, `"namespace": "bank"`},
			{byAdmin, "ports", 200, `"port": "vault-0.bank"`},
			{byAdmin, "ports/vault-0.bank", 200, `"port": "vault-0.bank"`},
			{byAdmin, "pods/bank/vault-0", 200, `"level": "strict"`},
			{byAdmin, "status?namespace=nowhere", 404, "no such namespace"},
			{byAdmin, "findings?provider=x", 404, "no NIC has it"},
			{byAdmin, "pods/bank/nobody", 404, "no port"},
			{byAdmin, "elsewhere", 404, "docs/api.md"},

			{byShop, "status", 403, "?namespace="},
			{byShop, "findings", 403, "?namespace="},
			{byShop, "ports", 403, "?namespace="},
			{byShop, "ports/web-0.shop", 403, "?namespace="},
			{byShop, "status?namespace=shop", 200, `"name": "shop"`},
			{byShop, "findings?namespace=shop", 200, "OVG001"},
			{byShop, "ports?namespace=shop", 200, `"port": "web-0.shop"`},
			{byShop, "ports/web-0.shop?namespace=shop", 200, `"port": "web-0.shop"`},
			{byShop, "pods/shop/web-0", 200, `"level": "strict"`},
			{byShop, "status?namespace=bank", 403, `"bank\"`},
			{byShop, "pods/bank/vault-0", 403, "list pods"},
			{byShop, "ports/vault-0.bank?namespace=shop", 404, "no port"},
			{byShop, "ports/nothing.at.all?namespace=shop", 404, "no port"},

			{byNobody, "status", 403, "may not list pods"},
			{byNobody, "status?namespace=shop", 403, "right to list pods"},
			{byExpired, "status", 401, "expired"},
			{"", "status", 401, "Authorization: Bearer"},
		} {
			time.Sleep(time.Second)
			w := r.get(t, c.token, c.path)
			if w.Code != c.code || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%s %s: %d, want %d with %q\n%s", c.token, c.path, w.Code, c.code, c.says, w.Body)
			}
			if w.Code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s: %v", c.path, w.Header())
			}
			if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %v", c.path, w.Header())
			}
		}
	})
}

// A tenant sees nothing of other namespaces, nor of what belongs to none, by whatever path.
func TestThreatT52OtherNamespaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		time.Sleep(time.Minute)
		secrets := []string{"vault", "bank", bankMAC, bankIP, "192.0.2.66"}
		for _, namespace := range []string{"shop", "ovn"} {
			for _, path := range []string{
				"status?namespace=%s", "status?all=true&namespace=%s", "findings?namespace=%s", "ports?namespace=%s",
				"ports?limit=500&namespace=%s&continue=dmF1bHQtMC5iYW5j",
			} {
				time.Sleep(time.Second)
				path = fmt.Sprintf(path, namespace)
				w := r.get(t, byShop, path)
				if w.Code != http.StatusOK {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
				// The name of the tenant's own pod is the tenant's to choose.
				text := strings.ReplaceAll(w.Body.String(), "vault-0.bank.net2.bank", "its-own-pod")
				for _, secret := range secrets {
					if strings.Contains(text, secret) {
						t.Errorf("%s tells %q:\n%s", path, secret, text)
					}
				}
				if !strings.Contains(text, "left out") {
					t.Errorf("%s does not say what is left out:\n%s", path, text)
				}
			}
		}
		for _, path := range []string{"pods/shop/web-0", "pods/ovn/vault-0.bank.net2.bank"} {
			text := strings.ReplaceAll(r.get(t, byShop, path).Body.String(), "vault-0.bank.net2.bank", "")
			for _, secret := range secrets {
				if strings.Contains(text, secret) {
					t.Errorf("%s tells %q:\n%s", path, secret, text)
				}
			}
		}

		// All of it is there for who may know it, and what is left out is so for nothing else.
		all := r.get(t, byAdmin, "findings").Body.String() + r.get(t, byAdmin, "ports").Body.String() +
			r.get(t, byAdmin, "status").Body.String()
		for _, secret := range secrets {
			if !strings.Contains(all, secret) {
				t.Errorf("an administrator is not told %q", secret)
			}
		}
		mine := r.get(t, byShop, "findings?namespace=shop").Body.String()
		for _, says := range []string{"OVG013", "another port on the same switch", "ovn-nbctl", "port_security is empty"} {
			if !strings.Contains(mine, says) {
				t.Errorf("the tenant is not told %q:\n%s", says, mine)
			}
		}
	})
}

// Nobody holds up others by asking much: not a user, not somebody with tokens that nobody knows, not many at a time.
func TestThreatT53Flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		refused := 0
		for range 10 * burst {
			if w := r.get(t, byShop, "status?namespace=shop"); w.Code == http.StatusTooManyRequests {
				refused++
				if w.Header().Get("Retry-After") != "1" || !strings.Contains(said(t, w), "sam") {
					t.Fatalf("%v %s", w.Header(), w.Body)
				}
			}
		}
		if refused != 9*burst {
			t.Errorf("%d of %d requests of one user were refused, want %d", refused, 10*burst, 9*burst)
		}
		if w := r.get(t, byAdmin, "status"); w.Code != http.StatusOK {
			t.Errorf("another user is told %d %s", w.Code, w.Body)
		}
		time.Sleep(time.Second)
		if w := r.get(t, byShop, "status?namespace=shop"); w.Code != http.StatusOK {
			t.Errorf("a second later: %d %s", w.Code, w.Body)
		}

		// Tokens that are made up lead to few questions, and known users are answered meanwhile.
		before := r.reviews.count("token")
		for i := range 500 {
			if w := r.get(t, fmt.Sprintf("made-up-%d", i), "status"); w.Code != 401 && w.Code != 429 {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
		}
		if asked := r.reviews.count("token") - before; asked != 2*newTokens {
			t.Errorf("%d tokens of one host were asked about, want %d", asked, 2*newTokens)
		}
		for i := range 500 {
			r.get(t, fmt.Sprintf("from-everywhere-%d", i), "status", func(r *http.Request) {
				r.RemoteAddr = fmt.Sprintf("198.51.%d.%d:1", i/250, i%250)
			})
		}
		if asked := r.reviews.count("token") - before; asked > 8*newTokens {
			t.Errorf("%d tokens were asked about within a moment, want no more than %d", asked, 8*newTokens)
		}
		if w := r.get(t, byAdmin, "status"); w.Code != http.StatusOK {
			t.Errorf("a user who is known is told %d %s", w.Code, w.Body)
		}

		// No more than maxAnswers are dealt with at a time; a slow one holds up nobody for longer than answerWait.
		hold, held := make(chan struct{}), make(chan struct{})
		judging := r.Judging
		r.Judging = func() error { held <- struct{}{}; <-hold; return nil }
		time.Sleep(time.Minute / 2)
		for range maxAnswers {
			go r.get(t, byAdmin, "status")
		}
		for range maxAnswers {
			<-held
		}
		begin := time.Now()
		w := r.get(t, byShop, "status?namespace=shop")
		if w.Code != http.StatusServiceUnavailable || time.Since(begin) != answerWait ||
			w.Header().Get("Retry-After") == "" {
			t.Errorf("%d after %s: %s", w.Code, time.Since(begin), w.Body)
		}
		close(hold)
		synctest.Wait()
		r.Judging = judging
		if w := r.get(t, byShop, "status?namespace=shop"); w.Code != http.StatusOK {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// stuck is a caller that takes nothing of an answer until it is let go.
type stuck struct {
	*httptest.ResponseRecorder

	begun, hold chan struct{}
}

func (s stuck) Write(text []byte) (int, error) {
	if s.Code == http.StatusOK && len(text) > 1<<20 {
		s.begun <- struct{}{}
		<-s.hold
	}
	return len(text), nil
}

// Callers who ask for much and take nothing do not fill the memory, and hold up no others.
func TestThreatT53SlowReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const size = 8 << 20
		r.mux.HandleFunc(Prefix+"large", func(w http.ResponseWriter, q *http.Request) {
			r.serve(
				w,
				q,
				nil,
				func(context.Context, *http.Request, scope) ([]byte, error) { return make([]byte, size), nil },
			)
		})
		begun, hold := make(chan struct{}, 1000), make(chan struct{})
		ask := func(token string) {
			q := httptest.NewRequestWithContext(t.Context(), http.MethodGet, Prefix+"large", http.NoBody)
			q.Header.Set("Authorization", "Bearer "+token)
			r.ServeHTTP(stuck{httptest.NewRecorder(), begun, hold}, q)
		}
		for range 100 {
			go ask(byAdmin)
			time.Sleep(time.Second / 10)
		}
		synctest.Wait()
		if n := len(begun); n != maxOfUser/size {
			t.Errorf("%d answers of one user wait to be taken, want %d", n, maxOfUser/size)
		}
		if w := r.get(t, byShop, "status?namespace=shop"); w.Code != http.StatusOK {
			t.Errorf("another user is told %d %s", w.Code, w.Body)
		}
		close(hold)
		synctest.Wait()
		if w := r.get(t, byAdmin, "status"); w.Code != http.StatusOK {
			t.Errorf("afterwards: %d %s", w.Code, w.Body)
		}
	})
}

// What is not asked as the API says is refused, whatever else it is.
func TestBadRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		set := func(key, value string) func(*http.Request) {
			return func(r *http.Request) { r.Header[key] = []string{value} }
		}
		for _, c := range []struct {
			path   string
			code   int
			says   string
			change func(*http.Request)
		}{
			{"status", 405, "read-only", func(r *http.Request) { r.Method = http.MethodPost }},
			{"status", 405, "read-only", func(r *http.Request) { r.Method = http.MethodDelete }},
			{"status", 413, "no body", func(r *http.Request) { r.ContentLength = 1 }},
			{"status", 413, "no body", func(r *http.Request) { r.ContentLength = -1 }},
			{"status?namespace=" + strings.Repeat("a", maxQuery), 414, "bytes", nil},
			{"ports/" + strings.Repeat("a", maxQuery), 414, "bytes", nil},
			{"status", 401, "one header", set("Authorization", "Basic YTpi")},
			{"status", 401, "one header", set("Authorization", "Bearer")},
			{"status", 401, "longer than", set("Authorization", "Bearer "+strings.Repeat("a", maxToken+1))},
			{"status", 401, "one header", func(r *http.Request) {
				r.Header["Authorization"] = []string{"Bearer " + byAdmin, "Bearer " + byShop}
			}},
			{"status?namespace=%zz", 400, "query", nil},
			{"status?namespace=a;b", 400, "query", nil},
			{"status?namespace=", 400, "?namespace", nil},
			{"status?namespace=../bank", 400, "namespace", nil},
			{"status?namespace=a&namespace=bank", 400, "give it once", nil},
			{"status?as=ann", 400, "?as", nil},
			{"status?all=yes", 400, "?all", nil},
			{"pods/BANK/vault-0", 400, "namespace", nil},
			{"pods/bank/vault-0?namespace=shop", 400, "?namespace", nil},
			{"findings?rule=OVG999", 400, "?rule", nil},
			{"findings?severity=bad", 400, "?severity", nil},
			{"findings?class=x", 400, "?class", nil},
			{"ports?limit=0", 400, "?limit", nil},
			{"ports?limit=501", 400, "?limit", nil},
			{"ports?limit=1e3", 400, "?limit", nil},
			{"ports?continue=%21", 400, "?continue", nil},
		} {
			time.Sleep(time.Second)
			change := []func(*http.Request){}
			if c.change != nil {
				change = append(change, c.change)
			}
			w := r.get(t, byAdmin, c.path, change...)
			if w.Code != c.code || !strings.Contains(said(t, w), c.says) {
				t.Errorf("%.60s: %d %.200s, want %d with %q", c.path, w.Code, w.Body, c.code, c.says)
			}
		}
	})
}

// Answers of the API server count for a minute, also those that refuse, and no longer.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ask := func() (codes []int) {
			for _, token := range []string{byAdmin, byShop, byExpired} {
				codes = append(codes, r.get(t, token, "status?namespace=shop").Code)
			}
			return codes
		}
		want := []int{200, 200, 401}
		for range 5 {
			if got := ask(); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
		// The administrator's right takes one question, the tenant's two.
		if tokens, rights := r.reviews.count("token"), r.reviews.count("right"); tokens != 3 || rights != 3 {
			t.Errorf("%d tokens and %d rights were asked about, want 3 and 3", tokens, rights)
		}
		r.reviews.mu.Lock()
		delete(r.reviews.tokens, byAdmin)
		r.reviews.users["sam"] = nil
		r.reviews.tokens[byExpired] = "ann"
		r.reviews.mu.Unlock()
		time.Sleep(remembered - time.Second)
		if got := ask(); !slices.Equal(got, want) {
			t.Errorf("within a minute: %v, want %v", got, want)
		}
		time.Sleep(2 * time.Second)
		if got, want := ask(), []int{401, 403, 200}; !slices.Equal(got, want) {
			t.Errorf("after a minute: %v, want %v", got, want)
		}
	})
}

// An API server that cannot be asked lets nobody in, and is asked again. No token is in the log, or in an answer.
func TestAPIServerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.reviews.fails = errAway
		w := r.get(t, byAdmin, "status")
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(said(t, w), "TokenReview") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if strings.Contains(w.Body.String(), byAdmin) || strings.Contains(w.Body.String(), errAway.Error()) {
			t.Errorf("%s", w.Body)
		}
		if log := r.logged.String(); !strings.Contains(log, errAway.Error()) || strings.Contains(log, byAdmin) {
			t.Errorf("the log has\n%s", log)
		}
		r.reviews.fails = nil
		if w := r.get(t, byAdmin, "status"); w.Code != http.StatusOK {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		r.Judging = func() error { return errAway }
		if w := r.get(t, byAdmin, "status"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("before anything is judged: %d %s", w.Code, w.Body)
		}
		r.Judging = func() error { panic(byAdmin) }
		if w := r.get(
			t,
			byAdmin,
			"status",
		); w.Code != http.StatusInternalServerError ||
			strings.Contains(w.Body.String(), byAdmin) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		r.Judging = func() error { return nil }
		for range maxAnswers + 1 { // no place is lost
			r.get(t, byAdmin, "status")
		}
	})
}

// The parts of the list make up all ports, each once and in order, and a part says where the next one begins.
func TestPortsInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var names []string
		for next := "-"; next != ""; {
			path := "ports?limit=2"
			if next != "-" {
				path += "&continue=" + next
			}
			var list struct {
				Items []struct {
					Port     string
					Evidence struct{ PortSecurity, Expected, Effective []string }
				}
				Continue string
			}
			if err := json.Unmarshal(r.get(t, byAdmin, path).Body.Bytes(), &list); err != nil || len(list.Items) > 2 {
				t.Fatalf("%v, %d ports", err, len(list.Items))
			}
			for _, p := range list.Items {
				names = append(names, p.Port)
				if p.Port == "web-0.shop" && (len(p.Evidence.PortSecurity) != 0 || len(p.Evidence.Expected) != 1 ||
					!slices.Equal(p.Evidence.Effective, []string{"open"})) {
					t.Errorf("%+v", p)
				}
			}
			next = list.Continue
		}
		want := []string{
			"vault-0.bank", "vault-0.bank.net2.bank.ovn", "vault-1.bank", "web-0.shop", "web-1.shop",
		}
		if !slices.Equal(names, want) {
			t.Errorf("%v, want %v", names, want)
		}
	})
}
