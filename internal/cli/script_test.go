package cli

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if args := os.Getenv(mainVariable); args != "" { // the program itself, for what needs a process of its own
		os.Exit(Main(strings.Fields(args), os.Stdout, os.Stderr))
	}
	testscript.Main(m, map[string]func(){
		"ovnguard":         func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"kubectl-ovnguard": func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
	})
}

// Transcripts show what users see: each in testdata/script has commands and what they print. `go test ./internal/cli
// -run TestTranscripts -update` writes the answers again.
//
// "run CODE PROGRAM ARGS…" runs a program, and leaves its answer in the files out and err, with words in place of what
// differs from run to run. Each script finds a recorded cluster in cluster.json and nb.db, all of it in whole.json,
// small ones in town.yaml and branch.yaml, and a journal in journal.json.
func TestTranscripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"run": runScripted},
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "no-kubeconfig"))
			env.Setenv("TZ", "UTC")
			var errs []error
			for name, from := range map[string]string{
				"town.yaml": checkCluster, "branch.yaml": "testdata/branch.yaml", "journal.json": "testdata/journal.json",
			} {
				data, err := os.ReadFile(from)
				errs = append(errs, err, os.WriteFile(filepath.Join(env.WorkDir, name), data, 0o600))
			}
			return errors.Join(
				errors.Join(errs...),
				inflate(recordedCluster, filepath.Join(env.WorkDir, "cluster.json")),
				inflate(recordedDatabase, filepath.Join(env.WorkDir, "nb.db")),
				inflate(recordedWhole, filepath.Join(env.WorkDir, "whole.json")),
			)
		},
	})
}

// inflate writes a packed file to a path. It is as old as a day, so that answers can say so.
func inflate(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	packed, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(packed)
	if err != nil {
		return err
	}
	at := time.Now().Add(-24 * time.Hour)
	return errors.Join(os.WriteFile(to, data, 0o600), os.Chtimes(to, at, at))
}

// different finds what differs from run to run, and says what stands for it.
var different = []struct {
	find *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`, \d+ days? ago`), ", DAYS ago"},
	{regexp.MustCompile(`the file was changed \S+, \S+ ago`), "the file was changed TIME"},
	{regexp.MustCompile(`go +go\d\S+`), "go        VERSION"},
	{regexp.MustCompile(`(platform +)\S+`), "${1}PLATFORM"},
	{regexp.MustCompile(`expiresAt: "[^"]+"`), `expiresAt: TIME`},
	{regexp.MustCompile(`Read at \S+`), "Read at TIME"},
}

func runScripted(ts *testscript.TestScript, negated bool, args []string) {
	if negated || len(args) < 2 {
		ts.Fatalf("usage: run CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	for file, stream := range map[string]string{"out": "stdout", "err": "stderr"} {
		text := ts.ReadFile(stream)
		for _, d := range different {
			text = d.find.ReplaceAllString(text, d.with)
		}
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}
