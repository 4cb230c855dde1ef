package events

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/publish"
)

// Reasons of Events.
const (
	ReasonFound   = "PortSecurityFinding"
	ReasonCleared = "PortSecurityCleared"
	// ReasonMany is that of an Event about a namespace, for what is not told one by one.
	ReasonMany = "PortSecurityFindings"
	// ReasonRepaired is that of an Event about a port that repair changed, and ReasonUndone about one that was changed
	// back.
	ReasonRepaired = "PortSecurityRepaired"
	ReasonUndone   = "PortSecurityUndone"
	// ReasonPodRefused is that of an Event about a workload or a namespace with a new pod that was refused, and
	// ReasonChangeRefused about a pod with a change that was refused. ReasonManyRefused is that of an Event about a
	// namespace, for refusals that are not told one by one.
	ReasonPodRefused    = "PodRefused"
	ReasonChangeRefused = "PodChangeRefused"
	ReasonManyRefused   = "PodsRefused"
	// ReasonSelfTestFailed and ReasonSelfTestPassed are those of Events about the program's own namespace: the API
	// server was shown not to have pods guarded, and to have them guarded again.
	ReasonSelfTestFailed = "SelfTestFailed"
	ReasonSelfTestPassed = "SelfTestPassed"
	// ReasonCheckedNowhere and ReasonCheckedAgain are those of Events about the program's own namespace: an option of
	// the Northbound database switches port security off everywhere, and does no more.
	ReasonCheckedNowhere = "PortSecurityOff"
	ReasonCheckedAgain   = "PortSecurityOn"
	// ReasonKubeOVNUnclear, ReasonKubeOVNKnown and ReasonKubeOVNRefused are those of Events about the program's own
	// namespace: it is not known how Kube-OVN is laid out, it is, and an account that Kube-OVN's workloads run under
	// was refused.
	ReasonKubeOVNUnclear = "KubeOVNUnclear"
	ReasonKubeOVNKnown   = "KubeOVNKnown"
	ReasonKubeOVNRefused = "KubeOVNRefused"
	// ReasonRepairHeld and ReasonRepairGoesOn are those of Events about the program's own namespace: changes wait for a
	// human, and do no more.
	ReasonRepairHeld   = "RepairHeld"
	ReasonRepairGoesOn = "RepairGoesOn"
)

const (
	// controller is who reports.
	controller = "ovnguard"
	// noteLimit and actionLimit are the API's limits for an Event's note and action, in bytes.
	noteLimit   = 1024
	actionLimit = 128
	// ActionSelfTest is the action of an Event about the self-test.
	ActionSelfTest = "SelfTest"
	// ActionDetect is the action of an Event about how Kube-OVN is laid out.
	ActionDetect = "Detect"
	// ActionAudit is the action of an Event about what the audit found that is of no pod.
	ActionAudit = "Audit"
	// ActionRepair is the action of an Event about repair as a whole.
	ActionRepair = "Repair"
	// actionMany is the action of an Event about many findings.
	actionMany = ActionAudit
	// actionReview is the action of an Event about a refusal that no check accounts for, or about many refusals.
	actionReview = "Review"
)

// eventOf returns the Event about one finding, or about one change of repair. Its name follows from what it is about,
// so that whoever tells it again, after a restart or as another replica, finds that it is told.
func eventOf(i Item, instance string) *eventsv1.Event {
	e := eventAt(i.At, instance)
	var text string
	rule := i.Rule.ID + " " + i.Rule.Name + ": "
	if i.Port != "" {
		rule = i.Rule.ID + " " + i.Rule.Name + ", port " + i.Port + ": "
	}
	switch {
	case i.Repair != nil:
		rules := strings.Join(i.Repair.Rules, ",")
		e.Name = nameOf(strings.ToLower(ActionRepair), ReasonRepaired, i.Port, i.PodUID, rules, i.Repair.Wrote)
		e.Reason, e.Type = ReasonRepaired, corev1.EventTypeNormal
		e.Action = cmp.Or(publish.Shorten(rules, actionLimit), ActionRepair)
		text = strings.TrimSpace(rules + " port " + i.Port + " was repaired: " + i.Repair.Text)
	case i.Gone:
		e.Name = nameOf(i.Rule.ID, ReasonCleared, i.Port, i.uid())
		e.Reason, e.Type, e.Action = ReasonCleared, corev1.EventTypeNormal, i.Rule.ID
		text = rule + "no longer: " + i.Rule.Summary
	default:
		e.Name = foundName(i)
		e.Reason, e.Type, e.Action = ReasonFound, corev1.EventTypeWarning, i.Rule.ID
		text = rule + i.Message
	}
	e.Namespace = i.Namespace
	e.Regarding = corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: i.Namespace, Name: i.Pod, UID: types.UID(i.PodUID),
	}
	if w := i.Workload; w.UID != "" {
		e.Regarding = corev1.ObjectReference{
			APIVersion: w.APIVersion, Kind: w.Kind, Namespace: i.Namespace, Name: w.Name, UID: types.UID(w.UID),
		}
	}
	if i.Port != "" {
		e.Regarding.FieldPath = "metadata.annotations[" + i.Provider.Key(kubeovn.PortSecurity) + "]"
	}
	e.Note = publish.Shorten(text, noteLimit)
	return e
}

// foundName returns the name of the Event about a finding, when it came.
func foundName(i Item) string { return nameOf(i.Rule.ID, ReasonFound, i.Port, i.uid()) }

// answered returns the names of the Events about the findings that an item ends.
func answered(i Item) (names []string) {
	if i.Gone {
		return []string{foundName(i)}
	}
	if i.Repair != nil {
		for _, rule := range i.Repair.Rules {
			names = append(names, nameOf(rule, ReasonFound, i.Port, i.PodUID))
		}
	}
	return names
}

// eventOfSum returns the Event about what a namespace has besides what is told one by one.
func eventOfSum(s Sum, at time.Time, instance string) *eventsv1.Event {
	e := eventAt(at, instance)
	e.Namespace, e.Name = s.Namespace, nameOf(
		strings.ToLower(actionMany),
		ReasonMany,
		s.Namespace,
		strconv.FormatInt(at.UnixNano(), 10),
	)
	e.Reason, e.Type, e.Action = ReasonMany, corev1.EventTypeWarning, actionMany
	if len(s.Came) == 0 {
		e.Type = corev1.EventTypeNormal
	}
	e.Regarding = namespaceRef(s.Namespace)
	e.Note = publish.Shorten(
		fmt.Sprintf(
			"besides the findings with their own Events, %s began and %s ended%s; Report %s and `ovnguard audit` "+
				"list all findings",
			counts(s.Came),
			counts(s.Went),
			repairs(s.Repaired),
			controller,
		),
		noteLimit,
	)
	return e
}

// eventOfNotice returns the Event about the program itself.
func eventOfNotice(n Notice, instance string) *eventsv1.Event {
	e := eventAt(n.At, instance)
	e.Namespace, e.Name = n.Namespace, nameOf(strings.ToLower(n.Reason), n.Namespace, n.Reason, n.Case)
	e.Reason, e.Type, e.Action = n.Reason, corev1.EventTypeWarning, n.Action
	if n.Good {
		e.Type = corev1.EventTypeNormal
	}
	e.Regarding = namespaceRef(n.Namespace)
	e.Note = publish.Shorten(n.Text, noteLimit)
	return e
}

// counts words numbers of findings by rule.
func counts(byRule map[string]int) string {
	total, parts := 0, []string(nil)
	for _, rule := range slices.Sorted(maps.Keys(byRule)) {
		total += byRule[rule]
		parts = append(parts, fmt.Sprintf("%s %d", rule, byRule[rule]))
	}
	switch total {
	case 0:
		return "no findings"
	case 1:
		return "1 finding (" + parts[0] + ")"
	}
	return fmt.Sprintf("%d findings (%s)", total, strings.Join(parts, ", "))
}

// repairs words how many changes of repair there were besides.
func repairs(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and 1 port was repaired"
	}
	return fmt.Sprintf(", and ports were repaired %d times", n)
}

func eventAt(at time.Time, instance string) *eventsv1.Event {
	return &eventsv1.Event{
		EventTime:           metav1.NewMicroTime(at),
		ReportingController: controller,
		ReportingInstance:   instance,
	}
}

// nameOf returns a name that starts with what it is about and is as good as unique.
func nameOf(begin string, of ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(of, "\x00")))
	return strings.ToLower(begin) + "-" + hex.EncodeToString(sum[:10])
}

// lastSeen is when what the Event says was last seen.
func lastSeen(e *eventsv1.Event) time.Time {
	if e.Series != nil {
		return e.Series.LastObservedTime.Time
	}
	return e.EventTime.Time
}
