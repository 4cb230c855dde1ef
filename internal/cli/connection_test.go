package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ovnguard/ovnguard/portsec"
)

const twoContexts = `
apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://a.example.org"}}, {name: b, cluster: {server: "https://b.example.org"}}]
contexts: [{name: a, context: {cluster: a}}, {name: b, context: {cluster: b}}]
current-context: a
`

// connect returns the connection for these words of a command line.
func connect(t *testing.T, args ...string) *connection {
	t.Helper()
	var c connection
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.addFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &c
}

func TestConnectionToTheCluster(t *testing.T) {
	isolate(t)
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(twoContexts), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  string
		args []string
		host string
		says string
	}{
		"current context":  {args: []string{"--kubeconfig", path}, host: "https://a.example.org"},
		"another context":  {args: []string{"--kubeconfig", path, "--context", "b"}, host: "https://b.example.org"},
		"no such context":  {args: []string{"--kubeconfig", path, "--context", "c"}, says: `"c"`},
		"another cluster":  {args: []string{"--kubeconfig", path, "--cluster", "b"}, host: "https://b.example.org"},
		"no such user":     {args: []string{"--kubeconfig", path, "--user", "nobody"}, says: `"nobody"`},
		"timeout of words": {args: []string{"--kubeconfig", path, "--request-timeout", "soon"}, says: "--request-timeout"},
		"group alone":      {args: []string{"--kubeconfig", path, "--as-group", "g"}, says: "give --as as well"},
		"from environment": {env: path, host: "https://a.example.org"},
		"nowhere":          {says: "no cluster is configured"},
		"not a kubeconfig": {args: []string{"--kubeconfig", os.Args[0]}, says: "--kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("KUBECONFIG", c.env)
			}
			config, err := connect(t, c.args...).rest()
			if c.says != "" {
				exit, ok := errors.AsType[*exitError](err)
				if !ok || exit.code != exitUsage || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want a refusal that says %s", err, c.says)
				}
				return
			}
			if err != nil || config.Host != c.host {
				t.Errorf("got %v, %v; want %s", config, err, c.host)
			}
		})
	}
}

// kubectl's flags say as whom, and how long, the API server is asked.
func TestConnectionAsSomebodyElse(t *testing.T) {
	isolate(t)
	path := written(t, "config", twoContexts)
	config, err := connect(t, "--kubeconfig", path, "--as", "ann", "--as-group", "a", "--as-group", "b",
		"--request-timeout", "7s").rest()
	if err != nil {
		t.Fatal(err)
	}
	if config.Impersonate.UserName != "ann" || !slices.Equal(config.Impersonate.Groups, []string{"a", "b"}) ||
		config.Timeout != 7*time.Second {
		t.Errorf("%+v, %s", config.Impersonate, config.Timeout)
	}
}

func TestConnectionToTheDatabase(t *testing.T) {
	t.Setenv("OVN_NB_DB", "tcp:10.0.0.1:6641")
	if got := connect(t).northbound; got != "tcp:10.0.0.1:6641" {
		t.Errorf("from the environment: %q", got)
	}
	if got := connect(t, "--nb", "unix:/x").northbound; got != "unix:/x" {
		t.Errorf("a flag counts before the environment, got %q", got)
	}
}

func TestVersionNote(t *testing.T) {
	for version, want := range map[string]string{"23.03.1": "", "main": "", "": "does not say", "23.03": "OVN 23.03 " +
		"may read", "25.03.3": "--kube-ovn-release tells", "25.03.4": ""} {
		got := strings.Join(versionNote(version, portsec.OVN{Version: version}.Eras()), "")
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: note %q, want %q", version, got, want)
		}
	}
}

// full is a writer without room, such as a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// A report that cannot be written is neither a clean audit nor wrong usage.
func TestReportThatCannotBeWritten(t *testing.T) {
	isolate(t)
	var stderr strings.Builder
	nb, cluster := unpack(
		t,
		recordedDatabase,
	), unpack(
		t,
		recordedCluster,
	)
	code := Main([]string{"audit", "--nb", nb, "--kubernetes", cluster}, full{}, &stderr)
	if code != exitUnreachable || !strings.Contains(stderr.String(), "no space left") {
		t.Errorf("exit code %d, said %q", code, stderr.String())
	}
}
