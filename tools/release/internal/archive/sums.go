package archive

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Sum returns the SHA-256 of a file in hexadecimal.
func Sum(path string) (string, error) { return Entry{From: path}.sum() }

// sum returns the SHA-256 of the content in hexadecimal.
func (e Entry) sum() (string, error) {
	content, _, err := e.open()
	if err != nil {
		return "", err
	}
	defer func() { _ = content.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, content); err != nil {
		return "", fmt.Errorf("read %s: %w", cmp.Or(e.From, e.Name), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Sums returns the checksums of entries by name, as sha256sum --check reads them.
func Sums(entries []Entry) ([]byte, error) {
	entries, err := sorted(entries)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, e := range entries {
		sum, err := e.sum()
		if err != nil {
			return nil, err
		}
		out = fmt.Appendf(out, "%s  %s\n", sum, e.Name)
	}
	return out, nil
}
