package cli

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mainVariable has the test program be ovnguard.
const mainVariable = "OVNGUARD_TEST_MAIN"

// An interrupt ends a command that has no answer yet with 130, and one that watches with the code of its last answer.
func TestInterrupt(t *testing.T) {
	isolate(t)
	asked := make(chan struct{}, 100)
	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(mute.CloseClientConnections)
	config := written(t, "config", strings.Replace(unreachableConfig, "https://127.0.0.1:1", mute.URL, 1))
	files := strings.Join(recorded(t), " ")
	for name, c := range map[string]struct {
		args  string
		code  int
		ready func(output *safeBuilder) bool
		says  string
	}{
		"before an answer": {
			"status --nb unix:/nonexistent.sock --kubeconfig " + config, exitInterrupted,
			func(*safeBuilder) bool { <-asked; return true }, "interrupted",
		},
		"watching": {
			"audit -w --interval 1h -n t-vpc " + files, exitFindings,
			func(out *safeBuilder) bool { return strings.Contains(out.String(), "to put it right") }, "",
		},
	} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs safeBuilder
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), mainVariable+"="+c.args)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); !c.ready(&out); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: no answer: %s%s", name, out.String(), errs.String())
			}
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its code is looked at
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: exit code %d, want %d: %q", name, code, c.code, errs.String())
		}
	}
}
