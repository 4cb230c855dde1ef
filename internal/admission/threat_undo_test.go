package admission

import (
	"maps"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/kubeovn"
	"github.com/ovnguard/ovnguard/internal/policy"
)

// The verb undo lets a user restore what repair found, on that very pod, and is no right to write anything else.
func TestThreatT48UndoIsNoRightToWrite(t *testing.T) {
	const id, undoer = "0001-0001", "operator"
	old := running()
	old.Metadata.UID = "uid-1"
	for name, c := range map[string]struct {
		user   string
		change map[string]string // an empty value removes the annotation
		uid    string
		found  map[string]string // the values that repair found; ps absent where nil
		before string            // the pod's undo annotation before; after it, id
		mark   string            // the pod's undo annotation afterwards; before and id where empty, none where "-"
		words  []string          // of the refusal; none where the update is allowed
	}{
		"what repair found": {change: map[string]string{ps: ""}},
		"another value that repair found": {
			change: map[string]string{ps: "false"}, found: map[string]string{ps: "false"},
		},
		"another change after one":       {change: map[string]string{ps: ""}, before: "0001-0000"},
		"two, the newest first":          {change: map[string]string{ps: ""}, mark: id + ",0001-0000"},
		"nothing but the mark":           {words: []string{"is not taken back while " + ps}},
		"the mark by who lacks the verb": {user: tenant, words: []string{policy.UndoAnnotation, `the verb "undo"`}},
		"what was taken back already": {
			change: map[string]string{ps: ""}, before: id, words: []string{"already taken back", "audit log"},
		},
		"what was taken back already, after another": {
			change: map[string]string{ps: ""}, before: id + ",0001-0000", mark: id + ",0001-0000," + id,
			words: []string{"already taken back"},
		},
		"with another mark instead": {
			change: map[string]string{ps: ""}, before: "0001-0000", mark: id, words: []string{"must stay"},
		},
		"what takes the mark away":          {before: id, mark: "-", words: []string{"somebody wrote " + ps}},
		"what takes it away by who may not": {user: tenant, before: id, mark: "-", words: []string{`the verb "undo"`}},
		"what takes an older mark away": {
			before: "0001-0000," + id, mark: id, words: []string{"must stay"},
		},
		"by somebody without the verb": {
			user: tenant, change: map[string]string{ps: ""}, words: []string{`the verb "undo"`, "pods.ovnguard.io"},
		},
		"without saying so": {
			change: map[string]string{ps: "", policy.UndoAnnotation: ""}, words: []string{ps},
		},
		"another change": {
			change: map[string]string{ps: "", policy.UndoAnnotation: "0001-0002"}, words: []string{"no such change"},
		},
		"another value": {change: map[string]string{ps: "false"}, words: []string{"did not overwrite"}},
		"another pod of the name": {
			change: map[string]string{ps: ""}, uid: "uid-2", words: []string{"another pod"},
		},
		"what repair did not touch": {
			change: map[string]string{ps: ""}, found: map[string]string{l2: ""}, words: []string{"did not overwrite"},
		},
		"layer-2 forwarding": {
			change: map[string]string{l2: "true"}, found: map[string]string{l2: "true"}, words: []string{l2},
		},
		"somebody's address": {
			change: map[string]string{ip: "10.16.0.5"}, found: map[string]string{ip: "10.16.0.5"}, words: []string{ip},
		},
		"a network": {
			change: map[string]string{networks: "n/nad"}, found: map[string]string{networks: "n/nad"},
			words: []string{networks},
		},
		"addresses of others besides what it is": {
			change: map[string]string{ps: "", vips: "10.16.0.5"}, words: []string{vips},
		},
		"a machine's port": {
			change: map[string]string{ps: "", kubeovn.MigrationJob: "job"}, words: []string{kubeovn.MigrationJob},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			found := c.found
			if found == nil {
				found = map[string]string{ps: "", policy.RecordAnnotation: ""}
			}
			wrote := map[string]string{ps: "true", policy.RecordAnnotation: policy.OrdinaryRecord}
			change := Repaired{PodUID: "uid-1", Before: found, After: wrote}
			s.undoer, s.repaired = undoer, map[string]Repaired{id: change, id + ",0001-0000": change}
			before, now := old, old
			if c.before != "" {
				before = with(old, policy.UndoAnnotation, c.before)
			}
			if c.uid != "" {
				before.Metadata.UID, now.Metadata.UID = c.uid, c.uid
			}
			now.Metadata.Annotations = maps.Clone(old.Metadata.Annotations)
			now.Metadata.Annotations[policy.UndoAnnotation] = strings.TrimPrefix(c.before+","+id, ",")
			if c.mark != "" {
				now.Metadata.Annotations[policy.UndoAnnotation] = strings.TrimPrefix(c.mark, "-")
			}
			for key, value := range c.change {
				if now.Metadata.Annotations[key] = value; value == "" {
					delete(now.Metadata.Annotations, key)
				}
			}
			user := undoer
			if c.user != "" {
				user = c.user
			}
			for _, path := range []string{"", "status"} {
				refused := update(t, s, user, path, &before, &now)
				if c.words == nil {
					mustAllow(t, refused)
				} else {
					mustRefuse(t, refused, c.words...)
				}
			}
			// An undo annotation from before asks for nothing.
			if before.Metadata.Annotations = maps.Clone(
				old.Metadata.Annotations,
			); c.change[ps] == "" &&
				c.change != nil {
				before.Metadata.Annotations[policy.UndoAnnotation] = now.Metadata.Annotations[policy.UndoAnnotation]
				mustRefuse(t, update(t, s, undoer, "", &before, &now))
			}
		})
	}
}

// The audit log has the changes that were taken back, and only those.
func TestUndoIsNoted(t *testing.T) {
	s := newScene()
	s.undoer, s.repaired = "operator", map[string]Repaired{
		"0001-0001": {PodUID: "uid-1", Before: map[string]string{ps: ""}},
	}
	for want, value := range map[string]string{"0001-0001": "", "": "true"} {
		old := running()
		old.Metadata.UID = "uid-1"
		now := with(with(old, policy.UndoAnnotation, want), ps, value)
		req := request("operator", "UPDATE", "")
		req.Object, req.OldObject = raw(t, &now), raw(t, &old)
		r := ask(t, s, GuardPods, req)
		if got := r.AuditAnnotations[NoteUndo]; !r.Allowed || got != want {
			t.Errorf("port_security %q: allowed %v, noted %q, want %q", value, r.Allowed, got, want)
		}
	}
}

// An undo that was begun and could not be finished is reverted, by a user who may take changes back, to the values from
// before it; it can be tried another time.
func TestUndoIsGivenBack(t *testing.T) {
	const id = "0001-0001"
	for name, c := range map[string]struct {
		user, now string
		words     []string
	}{
		"by who took it back":   {user: "operator", now: "true"},
		"by somebody else":      {user: tenant, now: "true", words: []string{`the verb "undo"`}},
		"without what it wrote": {user: "operator", now: "", words: []string{"is not taken back while " + ps}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			s.undoer, s.repaired = "operator", map[string]Repaired{id: {
				PodUID: "uid-1", Before: map[string]string{ps: ""}, After: map[string]string{ps: "true"},
			}}
			pod := running()
			pod.Metadata.UID = "uid-1"
			old, now := with(with(pod, ps, ""), policy.UndoAnnotation, id), with(pod, ps, c.now)
			if refused := update(t, s, c.user, "", &old, &now); c.words == nil {
				mustAllow(t, refused)
			} else {
				mustRefuse(t, refused, c.words...)
			}
		})
	}
}
