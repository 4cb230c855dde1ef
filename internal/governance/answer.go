// Package governance judges changes to what governs ports: namespaces, policies, exceptions, attachments and Vips, and
// the templates that pods are made from. Each judge takes a request and facts and returns an answer; facts about the
// cluster come through Cluster and the inventory.
package governance

import (
	"context"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/ovnguard/ovnguard/api/v1alpha1"
	"github.com/ovnguard/ovnguard/internal/admission"
	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// Answer is the answer to a request. The zero value allows it as it is.
type Answer struct{ admission.Answer }

// Cluster asks the API server itself, where what is cached may be late or is not enough.
type Cluster interface {
	// May says whether the user may do what the attributes say, by a SubjectAccessReview.
	May(ctx context.Context, user authenticationv1.UserInfo, what authorizationv1.ResourceAttributes) (bool, error)
	// Policies lists the policies, in their order of precedence; none where the cluster does not serve the kind.
	Policies(ctx context.Context) ([]policy.Policy, error)
	// Namespace returns a namespace, with Err set where it cannot be read.
	Namespace(ctx context.Context, name string) policy.Namespace
	// OwnerUID returns the UID of the object that the owner names in the namespace. found is false where there is none.
	OwnerUID(ctx context.Context, namespace string, o v1alpha1.Owner) (uid string, found bool, err error)
}

// Guard judges requests.
type Guard struct {
	Cluster  Cluster
	Accounts admission.Accounts
	// Look calls the function with what the inventory knows. It waits for nobody.
	Look func(func(*inventory.State))
	// Rewrites reports whether repair would write a port with such a decision.
	Rewrites inventory.Rewrites
	// Now returns the time; time.Now outside tests.
	Now func() time.Time
}

// Judge answers one request. An error means that the request is not one that the judge is for, or could not be judged;
// it must be refused then.
type Judge func(ctx context.Context, req *admissionv1.AdmissionRequest) (Answer, error)

// Plain returns the judge as the webhooks know judges.
func (j Judge) Plain() admission.Judge {
	return func(ctx context.Context, req *admissionv1.AdmissionRequest) (admission.Answer, error) {
		a, err := j(ctx, req)
		return a.Answer, err
	}
}

// kubeOVN reports whether the request comes from Kube-OVN itself.
func (g *Guard) kubeOVN(req *admissionv1.AdmissionRequest) bool {
	return slices.Contains(g.Accounts.KubeOVN, req.UserInfo.Username)
}

// known returns an error until all objects of the kinds have been read: before that, an object that is not known yet
// would count as absent. untold is what is not known until then, as in "whose this is".
func (g *Guard) known(untold string, kinds ...inventory.Kind) error {
	var unread []inventory.Kind
	g.Look(func(inv *inventory.State) { unread = inv.Unread(kinds...) })
	if len(unread) == 0 {
		return nil
	}
	return fmt.Errorf(
		"%s have not been read yet, so ovnguard does not know yet %s; try again in a moment (if this does not "+
			"end, /readyz/audit of ovnguard names the kinds it is not allowed to read)",
		admission.Listed(unread),
		untold,
	)
}

// whoseThisIs is what is not known of addresses, subnets and names.
const whoseThisIs = "whose this is"

// exempt reports whether the user may loosen the namespace. The error is fit for the user.
func (g *Guard) exempt(ctx context.Context, user authenticationv1.UserInfo, namespace string) (bool, error) {
	return g.may(ctx, user, authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupVersion.Group, Version: "*", Resource: "namespaces", Name: namespace, Verb: "exempt",
	})
}

func (g *Guard) may(
	ctx context.Context,
	user authenticationv1.UserInfo,
	what authorizationv1.ResourceAttributes,
) (bool, error) {
	ok, err := g.Cluster.May(ctx, user, what)
	if err != nil {
		return false, fmt.Errorf(
			"the API server did not answer whether %s has the verb %q on %s.%s, so the request is refused; try "+
				"again: %w",
			user.Username,
			what.Verb,
			what.Resource,
			what.Group,
			err,
		)
	}
	return ok, nil
}

// rule returns the rule of a ClusterRole that lets somebody use the verb, as it is written in YAML.
func rule(resource, name, verb string) string {
	names := ""
	if name != "" {
		names = ", resourceNames: [" + name + "]"
	}
	return fmt.Sprintf(
		"{apiGroups: [%s], resources: [%s]%s, verbs: [%s]}",
		v1alpha1.GroupVersion.Group,
		resource,
		names,
		verb,
	)
}

// decode reads the object and, for an update, what it was before. Keys count in the very letters that the API server
// and controllers read: where a resource keeps fields that its schema does not know, a key that only looks like another
// would hide that one here.
func decode[T any](req *admissionv1.AdmissionRequest) (object, old *T, err error) {
	read := func(what string, raw []byte) (*T, error) {
		o := new(T)
		if err := json.Unmarshal(raw, o); err != nil {
			return nil, fmt.Errorf("the review's %s is no %s: %w", what, req.Kind.Kind, err)
		}
		return o, nil
	}
	if req.Operation != admissionv1.Delete {
		if object, err = read("object", req.Object.Raw); err != nil {
			return nil, nil, err
		}
	}
	if req.Operation == admissionv1.Update || req.Operation == admissionv1.Delete {
		if old, err = read("oldObject", req.OldObject.Raw); err != nil {
			return nil, nil, err
		}
	}
	return object, old, nil
}

// of checks that a request is about one of the operations on the resource; subresources that change the object's
// metadata too are listed.
func of(
	req *admissionv1.AdmissionRequest,
	group, resource string,
	subresources []string,
	operations ...admissionv1.Operation,
) error {
	if req.Resource.Group == group && req.Resource.Resource == resource && slices.Contains(operations, req.Operation) &&
		(req.SubResource == "" || slices.Contains(subresources, req.SubResource)) {
		return nil
	}
	return fmt.Errorf(
		"this webhook does not answer %s of %s/%s %s",
		req.Operation,
		req.Resource.Group,
		req.Resource.Resource,
		req.SubResource,
	)
}

// group is the API group of this project, in which the verbs are that it asks for.
var group = v1alpha1.GroupVersion.Group

// metadata is what is read of an object's metadata.
type metadata struct {
	Name        string            `json:"name"`
	Namespace   string            `json:"namespace"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}
