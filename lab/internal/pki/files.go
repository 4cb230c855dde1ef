package pki

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write stores the pair as NAME.crt and NAME.key in dir; only the owner may
// read the key.
func (p Pair) Write(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".key"), p.Key, 0o600); err != nil {
		return fmt.Errorf("store private key: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.Cert, 0o644); err != nil {
		return fmt.Errorf("store certificate: %w", err)
	}
	return nil
}

// EnsureKey makes NAME.key and its public half NAME.pub in dir unless both are
// there. Service account tokens are signed with such a key.
func EnsureKey(dir, name string) error {
	keyFile, publicFile := filepath.Join(dir, name+".key"), filepath.Join(dir, name+".pub")
	if exists(keyFile) && exists(publicFile) {
		return nil
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return fmt.Errorf("make public key: %w", err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	if err := os.WriteFile(keyFile, keyPEM, 0o600); err != nil {
		return fmt.Errorf("store private key: %w", err)
	}
	if err := os.WriteFile(publicFile, publicPEM, 0o644); err != nil {
		return fmt.Errorf("store public key: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
