package api

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Bounds of what is asked of the API server on behalf of callers. k8s.io/apiserver has an authenticator and an
// authorizer that do the same and bring two hundred packages; both caches here are apimachinery's.
const (
	// remembered is how long an answer of the API server counts, and most how many there are of each kind.
	remembered = time.Minute
	most       = 4096
	// reviewTimeout bounds each question.
	reviewTimeout = 5 * time.Second
	// A caller with tokens that nobody knows has the API server asked for each, so that there are not many: newTokens
	// each second from one host, and four times as many from all.
	newTokens = 5
	// maxToken is the length of the longest token that is looked at. Those of ServiceAccounts have about 1 KiB.
	maxToken = 8 << 10
)

// httpError is an error with the code that it is answered with.
type httpError struct {
	code int
	text string
	// retry is set where the same may be asked again after a while.
	retry time.Duration
}

// Error implements error.
func (e *httpError) Error() string { return e.text }

func fault(code int, format string, args ...any) *httpError {
	return &httpError{code: code, text: fmt.Sprintf(format, args...)}
}

// user is who asks, as the API server says.
type user struct {
	authenticationv1.UserInfo

	// key is the same for the same rights.
	key string
}

// identities says who asks, and what they may know. Nothing of a token is kept but a keyed hash.
type identities struct {
	reviews client.Client
	secret  []byte
	// users has a *user for a token, or an *httpError; rights has a bool for a user and a namespace.
	users, refused, rights *cache.LRUExpireCache
	// hosts has a *rate.Limiter for a host; all is the one for all.
	hosts *cache.LRUExpireCache
	all   *rate.Limiter
	once  singleflight.Group
}

func newIdentities(reviews client.Client, now clock) *identities {
	secret := make([]byte, sha256.Size)
	_, _ = rand.Read(secret) // never fails
	return &identities{
		reviews: reviews, secret: secret,
		users:   cache.NewLRUExpireCacheWithClock(most, now),
		refused: cache.NewLRUExpireCacheWithClock(most, now),
		rights:  cache.NewLRUExpireCacheWithClock(most, now),
		hosts:   cache.NewLRUExpireCacheWithClock(most, now),
		all:     rate.NewLimiter(4*newTokens, 8*newTokens),
	}
}

// clock tells the time to caches.
type clock func() time.Time

// Now implements cache.Clock.
func (c clock) Now() time.Time { return c() }

// bearer returns the token of a request.
func bearer(r *http.Request) (string, *httpError) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return "", fault(
			http.StatusUnauthorized,
			"the request has no token: send Authorization: Bearer TOKEN, such as "+
				"one that kubectl create token prints",
		)
	}
	kind, token, _ := strings.Cut(headers[0], " ")
	switch token = strings.TrimSpace(token); {
	case len(headers) > 1 || !strings.EqualFold(kind, "Bearer") || token == "":
		return "", fault(http.StatusUnauthorized, "Authorization: want one header of the form Bearer TOKEN")
	case len(token) > maxToken:
		return "", fault(http.StatusUnauthorized, "Authorization: the token is longer than %d bytes", maxToken)
	}
	return token, nil
}

// hash returns what stands for a secret, or for something long, in a cache.
func (i *identities) hash(text string) string {
	h := hmac.New(sha256.New, i.secret)
	h.Write([]byte(text))
	return string(h.Sum(nil))
}

// who returns the user that a token is of. host is where the request comes from.
func (i *identities) who(ctx context.Context, token, host string) (*user, error) {
	key := i.hash(token)
	if u, ok := i.users.Get(key); ok {
		return u.(*user), nil //nolint:forcetypeassert // nothing else is put there
	}
	if e, ok := i.refused.Get(key); ok {
		return nil, e.(*httpError) //nolint:forcetypeassert // nothing else is put there
	}
	if !i.room(host) {
		return nil, &httpError{http.StatusTooManyRequests, "too many tokens that are new here; try again", time.Second}
	}
	found, err, _ := i.once.Do("who "+key, func() (any, error) { return i.review(ctx, token, key) })
	if err != nil {
		return nil, err
	}
	return found.(*user), nil //nolint:forcetypeassert // review returns nothing else
}

// room reports whether the API server may be asked about one more token from a host.
func (i *identities) room(host string) bool {
	limit, ok := i.hosts.Get(host)
	if !ok {
		limit = rate.NewLimiter(newTokens, 2*newTokens)
		i.hosts.Add(host, limit, remembered)
	}
	return limit.(*rate.Limiter).Allow() && i.all.Allow() //nolint:forcetypeassert // nothing else is put there
}

// review asks the API server whose token it is, and remembers the answer.
func (i *identities) review(ctx context.Context, token, key string) (*user, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewTimeout) // others may wait for the same
	defer cancel()
	review := authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	if err := i.reviews.Create(ctx, &review); err != nil {
		return nil, unasked("TokenReview", err)
	}
	if !review.Status.Authenticated || review.Status.User.Username == "" {
		refused := fault(http.StatusUnauthorized, "the API server does not accept the token: it has expired, was "+
			"revoked, or is of another cluster or for another audience; get a new one")
		i.refused.Add(key, refused, remembered)
		return nil, refused
	}
	u := &user{UserInfo: review.Status.User}
	text, err := json.Marshal(u.UserInfo)
	if err != nil {
		return nil, err
	}
	u.key = i.hash(string(text))
	i.users.Add(key, u, remembered)
	return u, nil
}

// unasked says that the API server could not be asked. Its own words may name what is not the caller's.
func unasked(what string, err error) error {
	return errors.Join(&httpError{
		http.StatusServiceUnavailable,
		"the controller could not ask the API server (" + what + "); its log says why", time.Second,
	}, err)
}

// may reports whether the user may list pods in a namespace, or in all of them where it is "".
func (i *identities) may(ctx context.Context, u *user, namespace string) (bool, error) {
	key := u.key + namespace
	if may, ok := i.rights.Get(key); ok {
		return may.(bool), nil //nolint:forcetypeassert // nothing else is put there
	}
	may, err, _ := i.once.Do("may "+key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reviewTimeout)
		defer cancel()
		review := authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: u.Username, Groups: u.Groups, UID: u.UID,
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: "list", Version: "v1", Resource: "pods", Namespace: namespace,
			},
		}}
		if len(u.Extra) > 0 {
			review.Spec.Extra = make(map[string]authorizationv1.ExtraValue, len(u.Extra))
			for key, values := range u.Extra {
				review.Spec.Extra[key] = authorizationv1.ExtraValue(values)
			}
		}
		if err := i.reviews.Create(ctx, &review); err != nil {
			return false, unasked("SubjectAccessReview", err)
		}
		may := review.Status.Allowed && !review.Status.Denied
		i.rights.Add(key, may, remembered)
		return may, nil
	})
	if err != nil {
		return false, err
	}
	return may.(bool), nil //nolint:forcetypeassert // the function returns nothing else
}

// scope is what the caller may know: all namespaces, or one.
type scope struct {
	user *user
	// namespace is the one that is asked about; "" for all.
	namespace string
	// tenant means that the user may know of this namespace alone.
	tenant bool
}

// allowed returns what the caller may know of what is asked: all where namespace is "".
func (i *identities) allowed(ctx context.Context, u *user, namespace string) (scope, error) {
	all, err := i.may(ctx, u, "")
	switch {
	case err != nil:
		return scope{}, err
	case all:
		return scope{user: u, namespace: namespace}, nil
	case namespace == "":
		return scope{}, fault(
			http.StatusForbidden,
			"user %q may not list pods in all namespaces: name a namespace where "+
				"you may list them, by ?namespace= (ovnguard: -n)",
			u.Username,
		)
	}
	mine, err := i.may(ctx, u, namespace)
	switch {
	case err != nil:
		return scope{}, err
	case !mine:
		return scope{}, fault(
			http.StatusForbidden,
			"user %q may not list pods in namespace %q: the right to list pods "+
				"there is needed",
			u.Username,
			namespace,
		)
	}
	return scope{user: u, namespace: namespace, tenant: true}, nil
}
