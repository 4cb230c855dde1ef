package selftest

import (
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/internal/policy"
)

// Each mode is told from the others by what becomes of a pod that asks to be open.
func TestAnswerShowsTheMode(t *testing.T) {
	warned := []string{"other.example.org: no", decides + ": \"false\" would become \"true\""}
	for name, c := range map[string]struct {
		answer Answer
		shows  policy.Mode
		says   string
	}{
		"enforced":          {Answer{"true", warned}, policy.Enforce, "made strict"},
		"enforced silently": {Answer{"true", nil}, policy.Enforce, "made strict"},
		"warned":            {Answer{"false", warned}, policy.Warn, "is warned"},
		"told nothing":      {Answer{"false", warned[:1]}, policy.Audit, "told nothing"},
	} {
		for _, m := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
			ok, why := c.answer.Shows(m)
			if ok != (m == c.shows) || !strings.Contains(why, c.says) {
				t.Errorf("%s: mode %s shown %v, %q", name, m, ok, why)
			}
		}
	}
	for _, m := range []policy.Mode{policy.Enforce, policy.Warn, policy.Audit} {
		if ok, why := (Answer{Annotation: "perhaps"}).Shows(m); ok || !strings.Contains(why, `"perhaps"`) {
			t.Errorf("somebody else's value shows mode %s: %q", m, why)
		}
	}
}
