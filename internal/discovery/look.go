package discovery

import (
	"context"
	"fmt"
	"os"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/ovnguard/ovnguard/internal/kube"
	"github.com/ovnguard/ovnguard/internal/layout"
	"github.com/ovnguard/ovnguard/internal/ovn"
)

// look works out how Kube-OVN is laid out now. workloads is a cache of those that may be Kube-OVN's; nil while there is
// none.
func (k *KubeOVN) look(ctx context.Context, workloads client.Reader) layout.Layout {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	noted := k.noted(ctx)
	var before []string
	if noted != nil {
		before = noted.Accounts
	}
	e := kube.Evidence{Cache: workloads, Live: k.live, Reviews: k.live}.Gather(ctx, before)
	e.Wanted, e.Noted = k.wanted, noted
	l := layout.Detect(e)
	if l.Northbound.Is == "" {
		return l
	}
	if _, err := ovn.ParseEndpoints(l.Northbound.Is); err != nil {
		text := fmt.Sprintf(
			"the address of the Northbound database in %s is not valid: %v",
			l.Northbound.From,
			err,
		)
		l.Missing = append(l.Missing, layout.Problem{Flag: layout.FlagNorthbound, Text: text})
		l.Northbound.Is = ""
		return l
	}
	if err := missingFile(l.Northbound.Is, TLSFiles(k.tls, l.Northbound.Is)); err != nil {
		from := "the Secret that Kube-OVN's certificates are in"
		if l.TLSSecret.Is != "" {
			from = "Secret " + l.TLSSecret.Is
		}
		text := fmt.Sprintf(
			"the Northbound database needs TLS, but there is no certificate for it: %v; copy %s to Secret "+
				"ovnguard-northbound of the program's own namespace, or set --nb-ca, --nb-cert and --nb-key",
			err,
			from,
		)
		l.Missing = append(l.Missing, layout.Problem{Text: text})
	}
	return l
}

// TLSFiles returns the files with which a database is reached: those that are given, or else, where an endpoint wants
// TLS, those that deploy/controller.yaml mounts.
func TLSFiles(given ovn.TLSFiles, endpoints string) ovn.TLSFiles {
	const dir = "/etc/ovnguard/northbound/"
	if given == (ovn.TLSFiles{}) && strings.Contains(endpoints, "ssl:") {
		return ovn.TLSFiles{CA: dir + "cacert", Certificate: dir + "cert", Key: dir + "key"}
	}
	return given
}

// missingFile says which file for TLS is not there; nil where all are, or endpoints want none.
func missingFile(endpoints string, files ovn.TLSFiles) error {
	if !strings.Contains(endpoints, "ssl:") {
		return nil
	}
	for _, file := range []string{files.CA, files.Certificate, files.Key} {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	return nil
}

// noted returns the layout when it was clear last, as this program or the one before it wrote it down; nil for none.
func (k *KubeOVN) noted(ctx context.Context) *layout.Noted {
	if l := k.clear.Load(); l != nil {
		noted := l.Noted()
		return &noted
	}
	var kept corev1.ConfigMap
	if err := k.live.Get(ctx, client.ObjectKey{Namespace: k.namespace, Name: LayoutName}, &kept); err != nil {
		return nil // there is none, or it cannot be read: the workloads must say it
	}
	var l layout.Layout
	if err := yaml.Unmarshal([]byte(kept.Data[layoutClear]), &l); err != nil || len(l.Accounts.Is) == 0 {
		return nil
	}
	noted := l.Noted()
	return &noted
}
