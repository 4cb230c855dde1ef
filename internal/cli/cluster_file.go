package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/ovnguard/ovnguard/internal/inventory"
	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/preview"
)

// standardInput is the value of a flag that names it in place of a file.
const standardInput = "-"

// clusterFile is what files in place of a cluster tell besides the inventory.
type clusterFile struct {
	notes     []string
	templates []preview.Template
	// missing are the kinds without an object and without a list in the files.
	missing map[schema.GroupVersionKind]bool
	// damage is what of the files could not be read; "" for nothing.
	damage string
}

// accounting are the kinds that may have objects which the file lacks, by the names that the inventory has for them.
var accounting = map[inventory.Kind]string{
	inventory.StatefulSets: "StatefulSet", inventory.VirtualMachines: "VirtualMachine", inventory.Nodes: "Node",
	inventory.Vips: "Vip", inventory.Subnets: "Subnet", inventory.Pods: "Pod", inventory.Records: "IP",
}

// readClusterFile enters what --from names into the inventory: a file, a directory of files, or "-" for standard input.
func readClusterFile(path string, now time.Time, inv *inventory.Inventory) (clusterFile, error) {
	objects, err := readClusterObjects(path)
	if err != nil {
		return clusterFile{}, err
	}
	return objects.enter(now, inv)
}

// clusterObjects is what files in place of a cluster hold, before it is in an inventory.
type clusterObjects struct {
	path string
	// changed is when the latest of the files was changed.
	changed time.Time
	found   *kube.Files
	pods    *templateReader
}

// readClusterObjects reads what --from names.
func readClusterObjects(path string) (clusterObjects, error) {
	failed := func(err error) (clusterObjects, error) { return clusterObjects{}, usage(fmt.Errorf("--from: %w", err)) }
	files, changed, err := clusterFiles(path)
	if err != nil {
		return failed(err)
	}
	pods := new(templateReader)
	found := kube.NewFiles(pods.read)
	for _, file := range files {
		if err := readObjects(found, file); err != nil && (len(files) == 1 || !errors.Is(err, kube.ErrDump)) {
			return failed(fmt.Errorf("%s: %w", file, err))
		}
	}
	return clusterObjects{path, changed, found, pods}, nil
}

// enter enters the objects into the inventory. It lets go of them.
func (o clusterObjects) enter(now time.Time, inv *inventory.Inventory) (clusterFile, error) {
	filled, err := o.found.Fill(inv)
	if err != nil {
		return clusterFile{}, usage(fmt.Errorf("--from: %s: %w", o.path, err))
	}
	missing := make(map[string]bool)
	for kind := range filled.Missing {
		missing[kind.Kind] = true
	}
	for _, b := range filled.Bad {
		missing[b.Kind.Kind] = true // not all of them are known
	}
	if missing["VirtualMachineInstance"] {
		inv.DoubtMachines()
	}
	for kind, of := range accounting {
		if missing[of] {
			inv.Expect(kind) // there may be some
		}
	}
	out := clusterFile{templates: o.pods.templates, missing: filled.Missing, damage: badObjects(filled.Bad)}
	out.notes = append(out.notes, fmt.Sprintf(
		"the cluster is a file, not the running one: %s with %d namespaces and %d pods%s",
		o.path, filled.Objects["Namespace"], filled.Objects["Pod"], changedText(o.changed, now),
	))
	if out.damage != "" {
		out.notes = append(out.notes, "objects could not be read, and are not judged: "+out.damage)
	}
	for _, s := range filled.Absent {
		out.notes = append(
			out.notes,
			fmt.Sprintf("the file has no %s; not known, unless the cluster has none: %s", s.Kind.GroupKind(), s.Lacks),
		)
	}
	if filled.Missing[kube.SubnetKind] { // every cluster has some
		out.notes = append(
			out.notes,
			"the file has no Subnet.kubeovn.io; not known: what admission would refuse of addresses, subnets and networks",
		)
	}
	out.notes = append(out.notes, o.pods.notes...)
	return out, nil
}

// changedText ends a note with the time at which a file was changed; "" where that is not known.
func changedText(changed, now time.Time) string {
	if changed.IsZero() {
		return ""
	}
	return "; the file was changed " + age(changed, now)
}

// badObjects says which objects could not be read; "" for none.
func badObjects(bad []kube.BadObject) string {
	const most = 3
	var texts []string
	for i, b := range bad {
		if i == most {
			texts = append(texts, fmt.Sprintf("%d more", len(bad)-most))
			break
		}
		texts = append(texts, b.Err.Error())
	}
	return strings.Join(texts, "; ")
}

// clusterFiles returns the files that --from names, and when the latest of them was changed.
func clusterFiles(path string) (files []string, changed time.Time, err error) {
	if path == standardInput {
		return []string{path}, time.Time{}, nil
	}
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || file != path && !holdsObjects(file) {
			return err
		}
		if file != path {
			if err := regular(file); err != nil {
				return err
			}
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.ModTime().After(changed) {
			changed = info.ModTime()
		}
		files = append(files, file)
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no file *.json, *.yaml or *.yml, nor one of these with .gz", path)
	}
	return files, changed, err
}

// holdsObjects reports whether a file of a directory is to be read.
func holdsObjects(file string) bool {
	name := strings.TrimSuffix(file, ".gz")
	return slices.Contains([]string{".json", ".yaml", ".yml"}, filepath.Ext(name))
}

// readObjects reads the objects of one file.
func readObjects(found *kube.Files, file string) error {
	if file == standardInput {
		in, err := unpacked(os.Stdin)
		if err != nil {
			return err
		}
		return found.Read(in)
	}
	in, err := openFile(file)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	return found.Read(in)
}
