//go:build install

package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ovnguard/ovnguard/deploy"
	"github.com/ovnguard/ovnguard/lab/internal/controlplane"
	"github.com/ovnguard/ovnguard/lab/internal/scene"
)

// image is the name that the tests give to the image of ovnguard. It is not "latest": such an image would be pulled.
const image = "lab.local/ovnguard:test"

// Where every way installs ovnguard.
const (
	system   = "ovnguard-system"
	selfTest = "ovnguard-selftest"
	appLabel = "app.kubernetes.io/name=ovnguard"
)

// way is a way to install ovnguard into a cluster, and to remove it again.
type way struct {
	// install returns when everything is in the cluster; what runs need not be ready yet.
	install func(ctx context.Context, image string) error
	// uninstall returns when ovnguard may be installed again, in any way. It must do so after half an installation as
	// well. binary is ovnguard's own program.
	uninstall func(ctx context.Context, binary string) error
	// also tries what this way alone has. It may leave ovnguard in any state that uninstall removes; nil for nothing.
	also func(t *testing.T)
}

// ways are the ways by their names.
var ways = map[string]way{
	"manifests": {install: applyManifests, uninstall: deleteManifests},
	"helm":      {install: installChart, uninstall: deleteChart, also: testChart},
}

// imageLine finds the name of the image in the manifests.
var imageLine = regexp.MustCompile(`image: \S*ovnguard:v\S+`)

// manifests is the directory of the manifests that a user applies.
const manifests = "../../../deploy/"

func applyManifests(ctx context.Context, image string) error {
	controller, err := os.ReadFile(manifests + "controller.yaml")
	if err != nil {
		return err
	}
	named := imageLine.ReplaceAll(controller, []byte("image: "+image))
	if bytes.Equal(named, controller) {
		return errors.New("deploy/controller.yaml does not name the image as these tests expect")
	}
	definitions := slices.Concat(deploy.ExceptionDefinition, deploy.PolicyDefinition)
	for _, documents := range [][]byte{definitions, deploy.RBAC, deploy.Roles, named} {
		if err := world.Apply(ctx, documents); err != nil {
			return err
		}
	}
	return nil
}

// deleteManifests takes the registrations away before the rest: without the program behind them no pod could be
// created. A program that still runs would write them again.
func deleteManifests(ctx context.Context, binary string) error {
	deployments := world.Kube.AppsV1().Deployments(system)
	if err := unlessGone(deployments.Delete(ctx, "ovnguard", metav1.DeleteOptions{})); err != nil {
		return err
	}
	err := scene.Wait(ctx, "the replicas to end", func() (bool, error) {
		list, err := world.Kube.CoreV1().Pods(system).List(ctx, metav1.ListOptions{LabelSelector: appLabel})
		return err == nil && len(list.Items) == 0, err
	})
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, binary, "uninstall", "--yes", "--kubeconfig",
		world.Lab.Info().Kubeconfigs[controlplane.AdminIdentity])
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	namespaces := world.Kube.CoreV1().Namespaces()
	for _, name := range []string{system, selfTest} {
		if err := unlessGone(namespaces.Delete(ctx, name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	for _, name := range []string{system, selfTest} {
		err := scene.Wait(ctx, "the end of namespace "+name, func() (bool, error) {
			_, err := namespaces.Get(ctx, name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), unlessGone(err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unlessGone returns nil for the error that an object is not there.
func unlessGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// installed installs ovnguard in one way, and removes it when the test has ended. It returns when two replicas are
// ready.
func installed(t *testing.T, how way) {
	t.Helper()
	binary := program(t)
	if err := world.Lab.AddImage(t.Context(), image, binary); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			replicaLogs(t)
		}
		ctx, cancel := context.WithTimeout(cleanup(t), waitTime)
		defer cancel()
		if err := how.uninstall(ctx, binary); err != nil {
			t.Error(err)
		}
	})
	installReady(t, how.install)
}

// installReady installs ovnguard and returns when two replicas are ready on two nodes.
func installReady(t *testing.T, install func(context.Context, string) error) {
	t.Helper()
	begin := time.Now()
	if err := install(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	eventually(t, "two ready replicas on two nodes", func() (bool, error) {
		return len(pods(t, system, appLabel)) == 2, nil
	})
	t.Logf("two replicas were ready %s after the installation began", time.Since(begin).Round(time.Millisecond))
}
