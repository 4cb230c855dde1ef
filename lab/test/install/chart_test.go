//go:build install

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
)

// chart is the directory of the chart, and release the name under which it is installed.
const (
	chart   = "../../../charts/ovnguard"
	release = "ovnguard"
)

// helm runs Helm with the rights of the cluster's administrator.
func helm(ctx context.Context, args ...string) error {
	program := os.Getenv("HELM")
	if program == "" {
		return errors.New("HELM does not name the program of Helm: run `make test-install`")
	}
	cmd := exec.CommandContext(ctx, program, append(args, "--namespace", system)...)
	info := world.Lab.Info()
	cmd.Env = append(os.Environ(), "KUBECONFIG="+info.Kubeconfigs[controlplane.AdminIdentity])
	for _, kind := range []string{"CACHE", "CONFIG", "DATA"} {
		cmd.Env = append(cmd.Env, "HELM_"+kind+"_HOME="+filepath.Join(info.StateDir, "helm"))
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("helm %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func installChart(ctx context.Context, image string) error {
	registry, name, _ := strings.Cut(image, "/")
	repository, tag, _ := strings.Cut(name, ":")
	return helm(
		ctx,
		"install",
		release,
		chart,
		"--create-namespace",
		"--set",
		"global.registry.address="+registry,
		"--set",
		"image.repository="+repository,
		"--set",
		"image.tag="+tag,
	)
}

func deleteChart(ctx context.Context, binary string) error {
	return errors.Join(
		helm(ctx, "uninstall", release, "--ignore-not-found", "--wait", "--timeout", waitTime.String()),
		deleteManifests(ctx, binary),
	)
}

// testChart tries what Helm does with the release once it is installed.
func testChart(t *testing.T) {
	t.Run("helm test passes", func(t *testing.T) {
		if err := helm(t.Context(), "test", release); err != nil {
			t.Error(err)
		}
	})
}
