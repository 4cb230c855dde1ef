package controlplane

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ovnguard/ovnguard/lab/internal/pki"
	"github.com/ovnguard/ovnguard/lab/internal/state"
)

// Files, in Dir.PKI, that configure kube-apiserver's calls of webhooks.
const (
	admissionConfig     = "admission.yaml"
	admissionKubeconfig = "admission-kubeconfig.yaml"
)

// WebhookCaller is the subject of the client certificate that the lab's kube-apiserver shows to webhooks.
const WebhookCaller = "kube-apiserver"

// writeAdmission writes a client certificate of kube-apiserver for all webhooks, and the configuration that uses it.
func writeAdmission(dir string, ca *pki.Authority, now time.Time) error {
	client, err := ca.Client(WebhookCaller, nil, now)
	if err != nil {
		return fmt.Errorf("control plane: %w", err)
	}
	config := api.NewConfig()
	config.AuthInfos["*"] = &api.AuthInfo{ClientCertificateData: client.Cert, ClientKeyData: client.Key}
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("control plane: how webhooks are called: %w", err)
	}
	path := filepath.Join(dir, admissionKubeconfig)
	if err := state.WriteFile(path, kubeconfig, 0o600); err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n")
	for _, plugin := range []string{"MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"} {
		fmt.Fprintf(
			&text,
			"- name: %s\n  configuration:\n    apiVersion: apiserver.config.k8s.io/v1\n    kind: "+
				"WebhookAdmissionConfiguration\n    kubeConfigFile: %q\n",
			plugin,
			path,
		)
	}
	return state.WriteFile(filepath.Join(dir, admissionConfig), []byte(text.String()), 0o600)
}
