package audit

import (
	"os/exec"
	"testing"
)

// A shell takes a word as it is, whatever it has.
func TestShellWord(t *testing.T) {
	for _, word := range []string{
		"web-0.shop", "", "a b", "x; touch /tmp/y #", "$(id)", "`id`", "it's", `'"\`, "a\nb", "*", "~",
	} {
		got, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+ShellWord(word)).Output()
		if err == nil && string(got) == word {
			continue
		}
		t.Errorf("%q becomes %q, %v", word, got, err)
	}
}
