package registration

import (
	"bytes"
	"encoding/pem"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// trustedFile is the key of the certificate Secret with all authorities that the API server is to trust, the current
// one first and the one before after it. It is in the Secret, and not in the memory of a replica, so that all replicas
// register the same, whenever they started.
const trustedFile = "trusted.crt"

// trust returns the authorities that the API server is to trust: the one that the Secret holds now, and the one before,
// since some replicas still serve with the older one while a certificate is being changed. It gives nothing where the
// Secret holds no authority yet.
func trust(secret *corev1.Secret) []byte {
	ca, trusted := secret.Data[caFile], secret.Data[trustedFile]
	switch {
	case len(ca) == 0:
		return nil
	case bytes.HasPrefix(trusted, ca):
		return slices.Concat(ca, firstOf(trusted[len(ca):])) // whatever else somebody appended
	}
	return slices.Concat(ca, firstOf(trusted))
}

// firstOf returns the first certificate of a PEM text; nothing where it has none.
func firstOf(text []byte) []byte {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil
	}
	return pem.EncodeToMemory(block)
}
