// Package plugin packs the program as a plugin of kubectl, for krew and for people. Binaries go in; what comes out are
// an archive for each platform and the manifest that krew installs from.
package plugin

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/krew/pkg/constants"
	"sigs.k8s.io/krew/pkg/index"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/tools/release/internal/archive"
)

// Name is that of the plugin: kubectl runs it as kubectl NAME. ManifestFile is what krew wants the manifest to be
// called.
const (
	Name         = "ovnguard"
	ManifestFile = Name + constants.ManifestExtension
)

// license is the file with the license, which krew wants in each archive.
const license = "LICENSE"

// Release is what archives and manifest are made from.
type Release struct {
	// Version is a semantic version that begins with "v".
	Version string
	Date    time.Time
	// License is the file with the license.
	License string
	// Download is the address of the directory where the archives are.
	Download string
	Homepage string
}

// Archive is the plugin for one platform.
type Archive struct {
	OS, Arch string
	// File is the name of the archive, and Sum its SHA-256 in hexadecimal.
	File, Sum string
}

// binaryName returns what the program is called in an archive.
func binaryName(os string) string {
	if os == "windows" {
		return "kubectl-" + Name + ".exe"
	}
	return "kubectl-" + Name
}

// Pack writes the archive for a platform into a directory: a zip for Windows, a compressed tar for others.
func (r Release) Pack(dir, os, arch, binary string) (Archive, error) {
	out := Archive{OS: os, Arch: arch, File: fmt.Sprintf("kubectl-%s-%s-%s-%s.tar.gz", Name, r.Version, os, arch)}
	write := archive.TarGzip
	if os == "windows" {
		out.File = strings.TrimSuffix(out.File, ".tar.gz") + ".zip"
		write = archive.Zip
	}
	path := filepath.Join(dir, out.File)
	err := archive.Write(path, 0o644, func(w io.Writer) error {
		return write(w, r.Date, []archive.Entry{
			{Name: binaryName(os), Mode: 0o755, From: binary},
			{Name: license, Mode: 0o644, From: r.License},
		})
	})
	if err != nil {
		return Archive{}, err
	}
	out.Sum, err = archive.Sum(path)
	return out, err
}

// Manifest returns krew's manifest for these archives.
func (r Release) Manifest(archives []Archive) ([]byte, error) {
	p := index.Plugin{
		TypeMeta:   metav1.TypeMeta{APIVersion: constants.CurrentAPIVersion, Kind: constants.PluginKind},
		ObjectMeta: metav1.ObjectMeta{Name: Name},
		Spec: index.PluginSpec{
			Version:          r.Version,
			Homepage:         r.Homepage,
			ShortDescription: "Audit and explain port security in Kube-OVN clusters",
			Description: "Compares what every port in OVN may send with what policy says, explains the decision for each\n" +
				"NIC, and says what admission would do about manifests before they are applied. Repairs can be confirmed and\n" +
				"taken back. It works on a live cluster, and without one on a copy of the Northbound database.\n",
			Caveats: "Begin with: kubectl ovnguard status\n",
		},
	}
	for _, a := range archives {
		files := []index.FileOperation{{From: binaryName(a.OS), To: "."}, {From: license, To: "."}}
		p.Spec.Platforms = append(p.Spec.Platforms, index.Platform{
			URI: strings.TrimSuffix(r.Download, "/") + "/" + a.File, Sha256: a.Sum, Bin: binaryName(a.OS), Files: files,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"os": a.OS, "arch": a.Arch}},
		})
	}
	return yaml.Marshal(p)
}
