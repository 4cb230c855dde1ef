package podcmd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// accountDir is where kubelet puts the pod's token and the authority of the API server.
const accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"

func newGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get URL",
		Short: "Fetch a page, from the API server with the pod's own token, and print status and content",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, args[0], http.NoBody)
			if err != nil {
				return fmt.Errorf("get: %w", err)
			}
			client := &http.Client{Timeout: 5 * time.Second}
			if request.URL.Scheme == "https" {
				if err := asAccount(request, client); err != nil {
					return fmt.Errorf("get: %w", err)
				}
			}
			return get(cmd.OutOrStdout(), client, request)
		},
	}
}

// asAccount shows the token of the pod's service account to a server that the cluster's authority vouches for.
func asAccount(request *http.Request, client *http.Client) error {
	authority, err := os.ReadFile(filepath.Join(accountDir, "ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return fmt.Errorf("%s/ca.crt has no certificate", accountDir)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	token, err := os.ReadFile(filepath.Join(accountDir, "token"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	return err
}

func get(w io.Writer, client *http.Client, request *http.Request) (err error) {
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if _, err := fmt.Fprintln(w, response.StatusCode); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	return nil
}
