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
	// noteLimit is the API's limit for an Event's note, in bytes.
	noteLimit = 1024
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
)

// eventOf returns the Event about one finding. Its name follows from what it is about, so that whoever tells it again,
// after a restart or as another replica, finds that it is told.
func eventOf(i Item, instance string) *eventsv1.Event {
	reason, kind, text := ReasonFound, corev1.EventTypeWarning, i.Message
	if i.Gone {
		reason, kind, text = ReasonCleared, corev1.EventTypeNormal, "no longer: "+i.Rule.Summary
	}
	e := eventAt(i.At, instance)
	e.Namespace, e.Name = i.Namespace, nameOf(i.Rule.ID, reason, i.Port, cmp.Or(i.PodUID, i.Workload.UID))
	e.Reason, e.Type, e.Action = reason, kind, i.Rule.ID
	e.Regarding = corev1.ObjectReference{
		APIVersion: "v1", Kind: "Pod", Namespace: i.Namespace, Name: i.Pod, UID: types.UID(i.PodUID),
	}
	if w := i.Workload; w.UID != "" {
		e.Regarding = corev1.ObjectReference{
			APIVersion: w.APIVersion, Kind: w.Kind, Namespace: i.Namespace, Name: w.Name, UID: types.UID(w.UID),
		}
	}
	about := ": "
	if i.Port != "" {
		e.Regarding.FieldPath = "metadata.annotations[" + i.Provider.Key(kubeovn.PortSecurity) + "]"
		about = ", port " + i.Port + ": "
	}
	e.Note = publish.Shorten(i.Rule.ID+" "+i.Rule.Name+about+text, noteLimit)
	return e
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
	e.Regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: s.Namespace, Name: s.Namespace}
	e.Note = publish.Shorten(
		fmt.Sprintf(
			"besides the findings with their own Events, %s began and %s ended; Report %s and `ovnguard audit` "+
				"list all findings",
			counts(s.Came),
			counts(s.Went),
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
	e.Regarding = corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Namespace: n.Namespace, Name: n.Namespace}
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
